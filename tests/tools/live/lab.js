// The keys as an extension of JupyterLab, which loads it into its deck as well.
// JupyterLab asks for extensions by this protocol, of webpack's module
// federation; so small a one needs no webpack.

window._JUPYTERLAB ??= {};
window._JUPYTERLAB["deck-keys"] = {
  init() {},
  async get() {
    return () => ({
      id: "deck-keys:plugin",
      autoStart: true,
      activate(app) {
        const notebook = () => app.shell.currentWidget.content;
        deckKeys({
          start: () => false,
          atEnd: () =>
            notebook().activeCellIndex === notebook().widgets.length - 1,
          run: () => app.commands.execute("notebook:run-cell"),
        });
      },
    });
  },
};
