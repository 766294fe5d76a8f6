"""How tests look at a deck in a real browser: open it, walk through it, measure."""

import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import matplotlib
from playwright.sync_api import Page
from sessions import NOTEBOOKS, all_pairs

SESSIONS = [pair for pair in all_pairs() if pair.parent == NOTEBOOKS]
SMALL = {"width": 1280, "height": 720}
LARGE = {"width": 1920, "height": 1080}
STYLE = matplotlib.rc_params_from_file(
    NOTEBOOKS / "intuitive_ai.mplstyle", use_default_template=False
)
# The least sizes of letters, in px at 1280x720; and the size of a plot's
# letters in px of its picture, from points (72 an inch).
LETTERS = {
    "text": 24,
    "code": 18,
    "label": 14,
    "labels": STYLE["font.size"] / 72 * STYLE["figure.dpi"],
}
FITS = Path("tests/fits.js").read_text(encoding="utf-8")
SECTION = ".reveal .slides section.present:not(.stack)"
COUNT = """[...document.querySelectorAll(".reveal .slides section")]
           .filter((it) => !it.matches(".stack")).length"""
SHOWN = f"""[...document.querySelectorAll("{SECTION}")]
            .filter((it) => it.checkVisibility()).at(-1)"""

WAIT = 60_000  # ms, for a deck to open

FORMULAS = """[...document.querySelectorAll(
  ".reveal .slides :is(.MathJax, .MathJax_SVG, mjx-container)")]
  .filter((it) => it.closest("section") && !it.closest(".reveal-skip")).length"""
# The place of each explorable in a deck, as reveal.js counts it.
PLACES = """[...document.querySelectorAll(".reveal .slides .explorable")].map((it) => {
  const slide = it.closest("section");
  const stack = slide.parentElement.closest("section");
  const number = (it) => [...it.parentElement.children]
    .filter((it) => it.localName === "section").indexOf(it);
  return stack ? [number(stack), number(slide)] : [number(slide), 0];
})"""
# Shows a slide and all of its fragments; every version of reveal.js hears it.
GO = """([h, v]) => postMessage(
  JSON.stringify({ method: "slide", args: [h, v, 99] }), "*")"""
FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.S)


def settle(page):
    """Wait until our style and all of its fonts are there."""
    # RISE asks for the style last, and does not wait for it.
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.reveal'))"
        ".getPropertyValue('--u')"
    )
    # Otherwise a font arrives after the first slide that uses it was measured.
    # On a JupyterHub, one of the two places of each font does not answer.
    lost = page.evaluate(
        """async () => {
          const ours = [...document.fonts]
            .filter((it) => it.family.includes("Atkinson"));
          await Promise.allSettled(ours.map((it) => it.load()));
          const name = (it) => `${it.family} ${it.style}`;
          const there = ours.filter((it) => it.status === "loaded").map(name);
          return ours.filter((it) => !there.includes(name(it)))
            .map((it) => `${name(it)}: ${it.status}`);
        }"""
    )
    assert not lost, f"These fonts did not load: {lost}"


def wait_for_rise(page, timeout=WAIT):
    """Wait until the deck of classic RISE stands, with its kernel."""
    page.wait_for_function(
        "document.body?.classList.contains('rise-enabled') && window.Reveal"
        " && Reveal.isReady() && Jupyter.notebook.kernel?.is_connected()",
        timeout=timeout,
    )
    settle(page)
    # RISE lays out the slides once more, a quarter of a second after it starts.
    page.evaluate("new Promise((done) => setTimeout(done, 250))")


def wait_for_lab(page):
    """Wait until JupyterLab's deck stands."""
    page.wait_for_selector(SECTION, timeout=WAIT)
    # It typesets after it shows: wait until no formula is in dollars.
    page.wait_for_function(
        f"{COUNT} > 1 && ![...document.querySelectorAll('.jp-RenderedMarkdown')]"
        ".some((it) => /\\$[^$]+\\$/.test(it.textContent))",
        timeout=WAIT,
    )
    settle(page)


def measure(page, **options):
    """Return what does not fit on each slide from the one that a page shows on.

    Takes: `options`, `slides=1` to measure only the slide that is shown.
    """
    return page.evaluate(FITS, {**page.viewport_size, **LETTERS, **options})


def walk(page):
    """Return what does not fit on each slide of a deck that shows its first one."""
    first = page.evaluate_handle(SHOWN)
    problems = measure(page, slides=1)
    # A real key once; the other slides are left from inside the page, which
    # takes a tenth of the time.
    page.keyboard.press("Space")
    page.wait_for_function(f"(first) => {SHOWN} !== first", arg=first)
    return problems + measure(page)


@dataclass
class Deck:
    """An open deck, and what was seen on the way through its slides."""

    page: Page
    outside: list  # the addresses outside this machine that it asked for
    slides: list  # the notebook's: each a list of cells
    walks: list = field(default_factory=list)  # each a list for each slide
    title: str = ""  # of the slide that it showed first
    shut_out: list = field(default_factory=list)  # what axe-core found there

    def __post_init__(self):
        """Look at the first slide, before anything is touched."""
        self.title = self.page.inner_text(f"{SECTION} h1")

    def walk(self):
        """Go through all slides and keep what does not fit."""
        self.walks.append(walk(self.page))

    def enlarge(self):
        """Go back to the first slide, on a larger screen."""
        self.page.set_viewport_size(LARGE)
        self.page.evaluate("Reveal.slide(0, 0)")

    def assert_complete(self):
        """Assert that the space bar has moved on through all slides."""
        for walked in self.walks:
            assert len(walked) == len(self.slides), (
                f"The space bar reached {len(walked)} slides of "
                f"{len(self.slides)}; walk through the deck to see where."
            )

    def assert_fitting(self):
        """Assert that everything fits on all slides."""
        slides = chain.from_iterable(self.walks)
        problems = list(chain.from_iterable(slides))
        assert not problems, "\n".join(problems)

    def assert_explorables_move(self):
        """Assert that each picture follows its slider, and the deck stays."""
        page = self.page
        for number, place in enumerate(page.evaluate(PLACES)):
            page.evaluate(GO, place)
            figure = page.locator(".reveal .slides .explorable").nth(number)
            slider = figure.locator("input[type=range]")
            slider.wait_for()
            slide = page.evaluate_handle(SHOWN)
            slider.focus()
            before = figure.locator("img").get_attribute("src")
            at = slider.input_value()
            for key in ("Home", "ArrowRight", "ArrowRight"):
                page.keyboard.press(key)
            assert slider.input_value() == "2" != at, (
                "The slider does not respond to the arrow keys."
            )
            assert figure.locator("img").get_attribute("src") != before, (
                "The picture does not follow its slider."
            )
            page.wait_for_timeout(200)  # a deck takes keys by messages
            assert page.evaluate(f"(slide) => {SHOWN} === slide", slide), (
                "The arrow keys move the deck, but they should move the slider."
            )

    def assert_typeset(self):
        """Assert that all formulas are there, and none shows an error."""
        prose = "\n".join(
            cell.source
            for slide in self.slides
            for cell in slide
            if cell.cell_type == "markdown"
        )
        shown, written = self.page.evaluate(FORMULAS), FORMULA.findall(prose)
        assert shown == len(written), (
            f"{len(written)} formulas are written on the slides, and {shown} are "
            "shown; look for a $ that is left."
        )
        wrong = self.page.locator(".MathJax_Error, mjx-merror, .merror")
        assert not wrong.count(), wrong.first.text_content()
