// This extension of classic Jupyter starts RISE and corrects its behaviour.

define(["base/js/namespace", "base/js/events"], function (Jupyter, events) {
  const shown = () =>
    document.querySelector("#maintoolbar").classList.contains("reveal_tagging");

  // Jupyter asks for the cells several times for each cell that it loads. In a
  // long notebook, its own way of finding them takes seconds.
  function cells() {
    return $(this.container[0].querySelectorAll(".cell:not(.cell .cell)"));
  }

  function findCellsBy(way) {
    Object.getPrototypeOf(Jupyter.notebook).get_cell_elements = way;
  }

  // RISE moves the cells of a slide into sections and fragments, which changes
  // their order. Jupyter takes the order of the cells from the page and would
  // save it, so while the deck is shown, we give it the original order.
  let order = new Map();
  function cellsInOrder() {
    const found = cells.call(this);
    if (!shown()) order = new Map(found.toArray().map((it, i) => [it, i]));
    const place = (it) => order.get(it) ?? order.size;
    return found.sort((a, b) => place(a) - place(b));
  }

  // RISE selects the first code cell of a slide half a second after the slide
  // appears, or even later on a busy machine. This takes the focus away from a
  // cell in which somebody is already typing, and the next letters would move
  // the deck. Only RISE gives the number of a cell as a string.
  function keepFocus() {
    const kind = Object.getPrototypeOf(Jupyter.notebook);
    const { select } = kind;
    kind.select = function (index, ...rest) {
      const late = typeof index === "string" && this.mode === "edit";
      return late ? this : select.call(this, index, ...rest);
    };
  }

  // As soon as RISE's own script is loaded, RISE reads the deck's settings and
  // checks whether there are slides. With a cold cache, this happens before
  // the notebook is loaded, and then there is no deck. So we load RISE here
  // and not as an extension. At this point, the notebook is loaded and its
  // formulas are typeset.
  function launch() {
    requirejs(["nbextensions/rise/main"], function (rise) {
      findCellsBy(cellsInOrder); // RISE has set its own way
      keepFocus();
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

  // While a notebook is hidden, its cells need not be measured, so it loads
  // faster. Afterwards, an editor has to be refreshed so that it draws its code.
  // RISE does so for all of them when somebody leaves the deck.
  const hide = () => $("#notebook-container").hide();

  function show() {
    $("#notebook-container").show();
    for (const it of Jupyter.notebook.get_cells()) {
      const isOnSlide = it.metadata.slideshow?.slide_type !== "skip";
      if (it.cell_type === "code" && isOnSlide) it.code_mirror.refresh();
    }
  }

  function start() {
    show();
    if (!Jupyter.notebook.config.data.deck_autosaves)
      Jupyter.notebook.set_autosave_interval(0);
    beginWithPart();
    MathJax.Hub.Register.StartupHook("End", function () {
      setTimeout(typeset, 0);
    });
  }
  return {
    load_ipython_extension() {
      if (Jupyter.notebook?._fully_loaded) return start();
      findCellsBy(cells);
      hide();
      events.one("notebook_loaded.Notebook", start);
    },
  };
});
