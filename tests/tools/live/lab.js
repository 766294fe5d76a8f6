// An extension of JupyterLab, which its deck loads as well: the keys, and what a
// reader sees.
// JupyterLab loads extensions by the protocol of webpack's module federation, but
// such a small one does not need webpack.

// The notes are for the presenter, so a reader sees them only after Alt-N.
function hideNotes(app) {
  const style = document.createElement("style");
  style.textContent =
    "body:not(.with-notes) .jp-Notebook .notes-cell { display: none !important; }";
  document.head.append(style);
  app.commands.addCommand("notes:toggle", {
    label: "Show the presenter's notes",
    execute: () => document.body.classList.toggle("with-notes"),
  });
  app.commands.addKeyBinding({
    command: "notes:toggle",
    keys: ["Alt N"],
    selector: "body",
  });
  app.docRegistry.addWidgetExtension("Notebook", {
    createNew(panel) {
      function mark() {
        for (const cell of panel.content.widgets) {
          const { slide_type } = cell.model.getMetadata("slideshow") ?? {};
          cell.node.classList.toggle("notes-cell", slide_type === "notes");
        }
      }
      panel.context.ready.then(() => {
        mark();
        panel.content.model.cells.changed.connect(mark);
      });
    },
  });
}

window._JUPYTERLAB ??= {};
window._JUPYTERLAB["deck-keys"] = {
  init() {},
  async get() {
    return () => ({
      id: "deck-keys:plugin",
      autoStart: true,
      activate(app) {
        hideNotes(app);
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
