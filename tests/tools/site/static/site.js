// Everything that scrolls must be reachable with the keyboard.
function reach() {
  for (const it of document.querySelectorAll(
    "pre, .table-wrapper, .cell_output > *, div.math")) {
    const scrolls = it.scrollWidth > it.clientWidth + 1;
    if (scrolls) it.tabIndex = 0;
    else it.removeAttribute("tabindex");
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);

// Readers can't unfold anything on paper, so unfold everything before printing.
const folded = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => {
  for (const it of folded()) Object.assign(it, { open: true }).dataset.printed = "";
});
addEventListener("afterprint", () => {
  for (const it of document.querySelectorAll("details[data-printed]")) {
    it.open = false;
    delete it.dataset.printed;
  }
});

addEventListener("DOMContentLoaded", () => {
  // The theme's two side columns have no names, so give them names.
  for (const [kind, name] of [["sidebar", "All pages"], ["toc", "On this page"]])
    document.querySelector(`aside.${kind}-drawer`)?.setAttribute("aria-label", name);

  // The <base> of page 404 must not lead links within the page away from it.
  if (document.querySelector("base"))
    for (const it of document.querySelectorAll('a[href^="#"]'))
      it.href = location.pathname + it.getAttribute("href");
});

// The search shows excerpts of the pages that it finds, except at a file://
// address, where it can't fetch them.
DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";
