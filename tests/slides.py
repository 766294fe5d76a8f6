"""How tests look at a deck in a real browser: open it, walk through it, measure."""

import re
from pathlib import Path

import matplotlib
from decks import slides_of
from sessions import NOTEBOOKS, all_pairs, read_ipynb

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

FORMULAS = """[...document.querySelectorAll(
  ".reveal .slides :is(.MathJax, .MathJax_SVG, mjx-container)")]
  .filter((it) => it.closest("section") && !it.closest(".reveal-skip")).length"""
FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.S)


def kind_of(cell):
    """Return a cell's slide type."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def settle(page):
    """Wait until our style and its fonts are there, and the layout has followed."""
    # RISE asks for the style last, and does not wait for it.
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.reveal'))"
        ".getPropertyValue('--u')"
    )
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(500)


def problems_of(page):
    """Return what does not fit on the slide that a page shows."""
    return page.evaluate(FITS, {**page.viewport_size, **LETTERS})


def walk(page):
    """Yield the numbers of a deck's slides, and go on to the next with the space bar."""
    count = page.evaluate(COUNT)
    yield 1
    for number in range(2, count + 1):
        before = page.evaluate_handle(SHOWN)
        # With all its fragments shown, the next key leaves the slide.
        page.evaluate(
            f"{SHOWN}.querySelectorAll('.fragment')"
            ".forEach((it) => it.classList.add('visible'))"
        )
        page.keyboard.press("Space")
        page.wait_for_function(
            f"(before) => {SHOWN} !== before", arg=before, timeout=10_000
        )
        page.wait_for_timeout(50)
        yield number


def check_deck(page, session):
    """Assert of a session's opened deck that all slides and formulas are there, and fit."""
    slides = slides_of(read_ipynb(session))
    seen = [problems_of(page) for _ in walk(page)]
    problems = [problem for problems in seen for problem in problems]
    assert not problems, "\n".join(problems)
    assert len(seen) == len(slides)
    prose = "\n".join(
        cell.source
        for slide in slides
        for cell in slide
        if cell.cell_type == "markdown"
    )
    assert page.evaluate(FORMULAS) == len(FORMULA.findall(prose))
    assert not page.query_selector(".MathJax_Error, mjx-merror, .merror")
