// This extension is for JupyterLab and for its deck. It handles the keys of
// the deck, and it hides the presenter's notes from readers. JupyterLab loads
// extensions through webpack's module federation, but an extension as small as
// this does not need webpack.

// The notes are for the presenter, so readers see them only after pressing
// Alt-N.
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
