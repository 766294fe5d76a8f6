// What scrolls must be within reach of the keyboard.
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

// Paper can't be unfolded.
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

// The theme's two columns at the sides have no names.
addEventListener("DOMContentLoaded", () => {
  for (const [kind, name] of [["sidebar", "All pages"], ["toc", "On this page"]])
    document.querySelector(`aside.${kind}-drawer`)?.setAttribute("aria-label", name);
});
