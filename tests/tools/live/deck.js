// An extension of classic Jupyter: it starts RISE, and puts it right.

define(["base/js/namespace", "base/js/events"], function (Jupyter, events) {
  const shown = () =>
    document.querySelector("#maintoolbar").classList.contains("reveal_tagging");

  // RISE moves the cells of a slide into sections and fragments, and so out of
  // their order; Jupyter takes the order of the cells from the page, and would
  // save it. While the deck is shown, the order is the one from before.
  function keepOrder() {
    const notebook = Object.getPrototypeOf(Jupyter.notebook);
    const onPage = notebook.get_cell_elements;
    let order = new Map();
    notebook.get_cell_elements = function () {
      const found = onPage.call(this);
      if (!shown()) order = new Map(found.toArray().map((it, i) => [it, i]));
      const place = (it) => order.get(it) ?? order.size;
      return found.sort((a, b) => place(a) - place(b));
    };
  }

  // RISE reads the deck's settings, and looks whether there are slides, as soon
  // as its own script is there. With a cold cache that is before the notebook
  // has arrived: no settings, no slides, no deck. So it is not loaded as an
  // extension, but here, once the notebook is there and its formulas are set.
  function launch() {
    requirejs(["nbextensions/rise/main"], function (rise) {
      keepOrder();
      deckKeys({
        start() {
          Jupyter.actions.call("RISE:slideshow");
          return true;
        },
        atEnd: () => false, // RISE sees to that
      });
      rise.load_ipython_extension();
    });
  }

  // Jupyter queues each cell's formulas on their own, and each waits for a
  // tenth of a second, a minute for a session: one pass over the page replaces
  // them.
  function typeset() {
    MathJax.Hub.queue.queue = [];
    MathJax.Hub.Queue(["Typeset", MathJax.Hub, "notebook"], launch);
  }

  // `make slides PART=2` asks for a part of the session. RISE begins with the
  // cell that is selected; the cell tagged `start-2` fetches what the part needs.
  function beginWithPart() {
    const part = new URLSearchParams(location.search).get("part");
    if (!part) return;
    const { notebook } = Jupyter;
    const indexOf = (tag) =>
      notebook
        .get_cells()
        .findIndex((it) => it.metadata.tags?.includes(`${tag}-${part}`));
    notebook.select(indexOf("part"));
    const run = () => notebook.execute_cells([indexOf("start")]);
    if (notebook.kernel?.is_connected()) run();
    else events.one("kernel_ready.Kernel", run);
  }

  function start() {
    if (!Jupyter.notebook.config.data.deck_autosaves)
      Jupyter.notebook.set_autosave_interval(0);
    beginWithPart();
    MathJax.Hub.Register.StartupHook("End", function () {
      setTimeout(typeset, 0);
    });
  }
  return {
    load_ipython_extension() {
      if (Jupyter.notebook?._fully_loaded) start();
      else events.one("notebook_loaded.Notebook", start);
    },
  };
});
