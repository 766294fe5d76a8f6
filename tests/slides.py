"""Open a deck in a real browser, walk through it, and measure its slides."""

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
# The smallest font sizes that are allowed, in px at 1280x720. The font size in
# plots (`labels`) is converted from points (72 per inch) to px of the picture.
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

WAIT = 60_000  # the time limit for opening a deck, in ms

FORMULAS = """[...document.querySelectorAll(
  ".reveal .slides :is(.MathJax, .MathJax_SVG, mjx-container)")]
  .filter((it) => it.closest("section") && !it.closest(".reveal-skip")).length"""
# This script returns the position of each explorable in a deck, as reveal.js
# numbers the slides.
PLACES = """[...document.querySelectorAll(".reveal .slides .explorable")].map((it) => {
  const slide = it.closest("section");
  const stack = slide.parentElement.closest("section");
  const number = (it) => [...it.parentElement.children]
    .filter((it) => it.localName === "section").indexOf(it);
  return stack ? [number(stack), number(slide)] : [number(slide), 0];
})"""
# This script shows a slide and all of its fragments, and it works in every
# version of reveal.js.
GO = """([h, v]) => postMessage(
  JSON.stringify({ method: "slide", args: [h, v, 99] }), "*")"""
FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.S)


def settle(page):
    """Wait until our style sheet and all of its fonts have been loaded."""
    # RISE requests the style sheet last and does not wait for it.
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.reveal'))"
        ".getPropertyValue('--u')"
    )
    # Load all fonts now, because a font might otherwise arrive after the first
    # slide that uses it has been measured. Each font has two addresses, and on
    # a JupyterHub only one of them works.
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
    """Wait until the deck in classic RISE and its kernel are ready."""
    page.wait_for_function(
        "document.body?.classList.contains('rise-enabled') && window.Reveal"
        " && Reveal.isReady() && Jupyter.notebook.kernel?.is_connected()",
        timeout=timeout,
    )
    settle(page)
    # RISE lays out the slides again a quarter of a second after it starts.
    page.evaluate("new Promise((done) => setTimeout(done, 250))")


def wait_for_lab(page):
    """Wait until JupyterLab's deck is ready."""
    page.wait_for_selector(SECTION, timeout=WAIT)
    # JupyterLab shows the slides before it typesets formulas, so wait until no
    # dollar signs are left.
    page.wait_for_function(
        f"{COUNT} > 1 && ![...document.querySelectorAll('.jp-RenderedMarkdown')]"
        ".some((it) => /\\$[^$]+\\$/.test(it.textContent))",
        timeout=WAIT,
    )
    settle(page)


def measure(page, **options):
    """Return what does not fit on the current slide and on all later slides.

    `options` are passed to fits.js. For example, `slides=1` measures only the
    current slide.
    """
    return page.evaluate(FITS, {**page.viewport_size, **LETTERS, **options})


def walk(page):
    """Walk through a deck from its first slide; return what does not fit."""
    first = page.evaluate_handle(SHOWN)
    problems = measure(page, slides=1)
    # Press a real key only for the first step. For the other slides, a script
    # in the page simulates the key press, which is ten times as fast.
    page.keyboard.press("Space")
    page.wait_for_function(f"(first) => {SHOWN} !== first", arg=first)
    return problems + measure(page)


@dataclass
class Deck:
    """An open deck, and the problems found while walking through it."""

    page: Page
    outside: list  # requested addresses outside this machine
    slides: list  # the notebook's slides, each a list of cells
    walks: list = field(default_factory=list)  # problems on each slide
    title: str = ""  # the title of the first slide
    shut_out: list = field(default_factory=list)  # what axe-core found

    def __post_init__(self):
        """Store the title of the first slide before any key is pressed."""
        self.title = self.page.inner_text(f"{SECTION} h1")

    def walk(self):
        """Walk through all slides, and record what does not fit."""
        self.walks.append(walk(self.page))

    def enlarge(self):
        """Enlarge the screen, and go back to the first slide."""
        self.page.set_viewport_size(LARGE)
        self.page.evaluate("Reveal.slide(0, 0)")

    def assert_complete(self):
        """Assert that pressing the space bar leads through all slides."""
        for walked in self.walks:
            assert len(walked) == len(self.slides), (
                f"The space bar led to only {len(walked)} of {len(self.slides)} "
                "slides; press it in the deck to see where it stops."
            )

    def assert_fitting(self):
        """Assert that everything fits on all slides."""
        slides = chain.from_iterable(self.walks)
        problems = list(chain.from_iterable(slides))
        assert not problems, "\n".join(problems)

    def assert_explorables_move(self):
        """Assert that each slider changes its picture and not the slide."""
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
                "Moving the slider does not change its picture."
            )
            page.wait_for_timeout(200)  # keys reach the deck with a delay
            assert page.evaluate(f"(slide) => {SHOWN} === slide", slide), (
                "The arrow keys move the deck, but they should move the "
                "slider."
            )

    def assert_typeset(self):
        """Assert that all formulas are rendered without errors."""
        prose = "\n".join(
            cell.source
            for slide in self.slides
            for cell in slide
            if cell.cell_type == "markdown"
        )
        shown, written = self.page.evaluate(FORMULAS), FORMULA.findall(prose)
        assert shown == len(written), (
            f"The slides contain {len(written)} formulas, but {shown} were "
            "rendered; look for a leftover $."
        )
        wrong = self.page.locator(".MathJax_Error, mjx-merror, .merror")
        assert not wrong.count(), wrong.first.text_content()
