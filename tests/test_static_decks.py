"""The static decks and PDFs fit, describe, shut nobody out, and need no network."""

import base64
import io
import re
import subprocess
import sys
import unicodedata
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pypdf
import pytest
from chromium import page_of
from colorspacious import cspace_convert, deltaE
from decks import deck_of, packages, print_pdf, slides_of
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sessions import read_ipynb
from slides import (
    FORMULA,
    LARGE,
    SESSIONS,
    SMALL,
    STYLE,
    check_deck,
    kind_of,
    problems_of,
    settle,
    walk,
)

on_every_session = pytest.mark.parametrize("session", SESSIONS, ids=str)


@pytest.fixture(scope="module")
def decks(project):
    """Return the folder that `make decks` has filled."""
    done = subprocess.run(
        [sys.executable, "tests/tools/decks.py"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return project / "build"


def open_static(page, decks, session):
    """Open a session's static deck from its file."""
    page.goto((decks / f"{session.name}.html").as_uri())
    page.wait_for_selector(".reveal.ready")
    settle(page)


@on_every_session
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["1280x720", "1920x1080"])
def test_every_slide_fits_with_no_network(browser, decks, session, size):
    page, outside = page_of(browser, viewport=size)
    open_static(page, decks, session)
    check_deck(page, session)
    assert not outside, "A deck asked the network for these; it must not."
    page.context.close()


def undescribed(page):
    """Return the alt text, if any, of a page's pictures that are not described."""
    texts = page.evaluate(
        "[...document.images].map((it) => it.getAttribute('alt') ?? '')"
    )
    # nbconvert writes "No description has been provided for this image".
    return [it for it in texts if len(it) < 40 or it.startswith("No desc")]


@on_every_session
def test_every_picture_is_described(browser, decks, session):
    page, _ = page_of(browser)
    open_static(page, decks, session)
    assert page.query_selector("img")
    assert not undescribed(page)
    page.context.close()


def violations(page):
    """Return what axe-core finds serious on a page, and headings out of order."""
    page.add_script_tag(path=packages() / "axe-core" / "axe.min.js")
    return [
        f"{it['id']}: {it['help']}: {node['html'][:200]}"
        for it in page.evaluate("axe.run()")["violations"]
        if it["impact"] in ("serious", "critical")
        or it["id"] == "heading-order"
        for node in it["nodes"]
    ]


@on_every_session
def test_nothing_in_a_deck_shuts_anybody_out(browser, decks, session):
    page, _ = page_of(browser, viewport=SMALL)
    open_static(page, decks, session)
    assert not violations(page)
    # In print all slides are shown at once.
    page.goto(f"{decks.as_uri()}/{session.name}.html?print-pdf")
    page.wait_for_selector(".pdf-page .deck-footer", state="attached")
    found = violations(page)
    assert not found, "\n".join(found)
    page.context.close()


def squashed(text):
    """Return the letters and digits of a text, without spaces and ligatures."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


@on_every_session
@pytest.mark.parametrize("suffix", ["", "_notes"])
def test_the_pdf_has_one_page_a_slide_and_nothing_is_cut(
    decks, session, suffix
):
    pdf = pypdf.PdfReader(decks / f"{session.name}{suffix}.pdf")
    slides = slides_of(read_ipynb(session))
    assert len(pdf.pages) == len(slides)
    for page, slide in zip(pdf.pages, slides, strict=True):
        printed = squashed(page.extract_text())
        for cell in slide:
            if kind_of(cell) == "notes" and not suffix:
                assert "Presenter" not in printed
                continue
            # Formulas are drawings; what else is in Markdown has letters only
            # in what is printed, except for links, pictures, and fences of code.
            text = FORMULA.sub(" ", cell.source)
            text = re.sub(r"^```.*", " ", text, flags=re.M)
            text = re.sub(r"!\[.*?\]\(.*?\)|\]\(.*?\)", " ", text)
            text = re.sub(r"</?details>|<summary>.*?</summary>", " ", text)
            for word in text.split():
                assert squashed(word) in printed, (word, printed)


@on_every_session
def test_the_notes_fit_below_their_slides(browser, decks, session):
    page, _ = page_of(browser)
    query = "print-pdf&showNotes=true&height=1000"
    page.goto(f"{decks.as_uri()}/{session.name}.html?{query}")
    page.wait_for_selector(".pdf-page .deck-footer", state="attached")
    cut = page.evaluate(
        """[...document.querySelectorAll(".speaker-notes-pdf")]
           .filter((it) => it.scrollHeight > it.clientHeight + 1)
           .map((it) => it.textContent.trim())"""
    )
    assert not cut, "Shorten these notes:\n" + "\n".join(cut)
    page.context.close()


def test_the_index_links_every_deck_and_handout(browser, decks):
    index = (decks / "index.html").read_text(encoding="utf-8")
    page, outside = page_of(browser)
    page.goto((decks / "index.html").as_uri())
    assert not violations(page)
    assert not outside
    page.context.close()
    links = re.findall(r'href="([^"]+)"', index)
    for session in SESSIONS:
        assert f"{session.name}.html" in links
    for link in links:
        assert (decks / link).is_file()
    assert len(re.findall(r"About \d+ minutes to read", index)) == len(
        SESSIONS
    )
    assert len(re.findall(r"runs in under \d+ seconds", index)) == len(
        SESSIONS
    )


def test_plot_colours_are_told_apart_by_everybody():
    cycle = [to_rgb(c) for c in STYLE["axes.prop_cycle"].by_key()["color"]]
    for kind in ("protanomaly", "deuteranomaly", "tritanomaly"):
        blind = {"name": "sRGB1+CVD", "cvd_type": kind, "severity": 100}
        seen = [
            np.clip(cspace_convert(colour, blind, "sRGB1"), 0, 1)
            for colour in cycle
        ]
        for one, other in combinations(seen, 2):
            # Two shades side by side differ at about 1; Matplotlib's red and
            # green, for readers who can't tell them apart, by 5.
            assert deltaE(one, other, input_space="sRGB1") > 10, kind
    paper = luminance(to_rgb(STYLE["figure.facecolor"]))
    for colour in cycle:  # WCAG 2.2, 1.4.11: contrast of graphics
        assert (paper + 0.05) / (luminance(colour) + 0.05) >= 3


def luminance(colour):
    """Return a colour's relative luminance as WCAG 2.2 defines it, from RGB in [0, 1]."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in colour
    ]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


# The measure itself: a slide for each way to overflow, and what it must say.
LINE = "word " * 60
FAULTS = {
    "fits": ("markdown", "A line of text.", {}, None),
    "long list": ("markdown", "- one more\n" * 30, {}, "lower edge"),
    "fragment": (
        "markdown",
        "- one more\n" * 30,
        {"slide_type": "fragment"},
        "lower edge",
    ),
    "wide table": (
        "markdown",
        f"|{'a_long_name|' * 20}\n|{'---|' * 20}",
        {},
        "right edge",
    ),
    "long code": ("code", f"x = '{LINE}'", {}, "right edge"),
    "long output": ("stream", LINE, {}, "right edge"),
    "tall figure": ("figure", (4, 40), {}, "letters that are too small"),
    "small text": (
        "markdown",
        '<p style="font-size: 12px">tiny</p>',
        {},
        "is too small",
    ),
    "scrolling box": (
        "markdown",
        f'<div style="height: 40px; overflow: auto">{LINE}</div>',
        {},
        "clipped at its foot",
    ),
    "footer": (
        "markdown",
        '<p style="position: absolute; bottom: 10px">low</p>',
        {},
        "stands on the footer",
    ),
    "folded": (
        "markdown",
        f'<details style="content-visibility: hidden"><p>{LINE}</p></details>',
        {},
        "is folded away",
    ),
    "left": (
        "markdown",
        '<p style="margin-left: -200px">left</p>',
        {},
        "left edge",
    ),
}


def cell_with(kind, content):
    """Return a cell that shows `content` as Markdown, code, output or figure."""
    if kind == "markdown":
        return nbformat.v4.new_markdown_cell(content)
    cell = nbformat.v4.new_code_cell("1", execution_count=1)
    if kind == "code":
        cell.source = content
    elif kind == "stream":
        cell.outputs = [nbformat.v4.new_output("stream", text=content)]
    else:
        figure = Figure(figsize=content, dpi=STYLE["figure.dpi"])
        figure.subplots()
        png = io.BytesIO()
        figure.savefig(png)
        data = {"image/png": base64.b64encode(png.getvalue()).decode()}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        cell.metadata["alt"] = "an empty figure"
    return cell


def test_each_way_to_overflow_is_caught(browser, decks):
    nb = nbformat.v4.new_notebook(metadata={"rise": {"footer": "Faults"}})
    for name, (kind, content, show, _) in FAULTS.items():
        title = nbformat.v4.new_markdown_cell(f"## {name}")
        title.metadata["slideshow"] = {"slide_type": "slide"}
        cell = cell_with(kind, content)
        cell.metadata["slideshow"] = show
        nb.cells += [title, cell]
    deck = decks / "faults.html"
    deck.write_text(deck_of(nb), encoding="utf-8")
    page, _ = page_of(browser, viewport=SMALL)
    open_static(page, decks, Path("faults"))
    found = [problems_of(page) for _ in walk(page)]
    for (name, fault), problems in zip(FAULTS.items(), found, strict=True):
        said = "\n".join(problems)
        if fault[-1] is None:
            assert not said
        else:
            assert fault[-1] in said, f"{name}: {said!r}"
            assert f'"{name}"' in said, "the slide's name"
            assert re.search(r"by \d+ px$", said)

    # What hangs over a slide's lower edge hangs over its page, too.
    print_pdf(page, deck, "", decks / "faults.pdf")
    assert len(pypdf.PdfReader(decks / "faults.pdf").pages) > len(FAULTS)
    page.context.close()


def test_what_shuts_out_or_asks_the_network_is_caught(browser, decks):
    slide = nbformat.v4.new_markdown_cell(
        '# Title\n\n#### too deep\n\n<p style="color: #cccccc">pale</p>\n\n'
        '<img src="https://example.org/a.png">'
    )
    slide.metadata["slideshow"] = {"slide_type": "slide"}
    nb = nbformat.v4.new_notebook(metadata={"rise": {"footer": "Faults"}})
    nb.cells = [slide]
    (decks / "faults.html").write_text(deck_of(nb), encoding="utf-8")
    page, outside = page_of(browser, viewport=SMALL)
    open_static(page, decks, Path("faults"))
    assert outside == ["https://example.org/a.png"]
    ids = {line.split(":")[0] for line in violations(page)}
    assert ids == {"color-contrast", "heading-order"}
    assert len(undescribed(page)) == 1
    page.context.close()
