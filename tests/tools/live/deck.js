// This extension of classic Jupyter starts RISE and corrects its behaviour.

define(["base/js/namespace", "base/js/events"], function (Jupyter, events) {
  const shown = () =>
    document.querySelector("#maintoolbar").classList.contains("reveal_tagging");

  // RISE moves the cells of a slide into sections and fragments, which changes
  // their order. Jupyter takes the order of the cells from the page and would
  // save it, so while the deck is shown, we give it the original order.
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

  // As soon as RISE's own script is loaded, RISE reads the deck's settings and
  // checks whether there are slides. With a cold cache, this happens before
  // the notebook is loaded, and then there is no deck. So we load RISE here
  // and not as an extension. At this point, the notebook is loaded and its
  // formulas are typeset.
  function launch() {
    requirejs(["nbextensions/rise/main"], function (rise) {
      keepOrder();
      deckKeys({
        start() {
          Jupyter.actions.call("RISE:slideshow");
          return true;
        },
        atEnd: () => false, // RISE takes care of that
      });
      rise.load_ipython_extension();
    });
  }

  // Jupyter queues the formulas of each cell separately, and each cell waits for
  // a tenth of a second. This adds up to a minute for a session, so we replace it
  // with a single pass over the page.
  function typeset() {
    MathJax.Hub.queue.queue = [];
    MathJax.Hub.Queue(["Typeset", MathJax.Hub, "notebook"], launch);
  }

  // `make slides PART=2` asks for a part of the session. RISE begins with the
  // selected cell, and the cell tagged `start-2` loads what the part needs.
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
