"""Test that decks and PDFs fit the page, are accessible and work offline."""

import base64
import io
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pypdfium2
import pytest
from chromium import page_of
from colorspacious import cspace_convert, deltaE
from decks import (
    PACKAGES,
    deck_of,
    index_of,
    packages,
    prepare,
    print_deck,
    slides_of,
    tool,
    write_deck,
)
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sessions import Problem, kind_of, read_ipynb
from sittings import has_picture
from slides import (
    FORMULA,
    SESSIONS,
    SMALL,
    STYLE,
    Deck,
    settle,
    walk,
)

ROOT = Path.cwd()
AXE = """(rules) => axe.run(
  { resultTypes: ["violations"], selectors: false, ...rules && { runOnly: rules } })"""


@pytest.fixture(scope="module", params=SESSIONS, ids=str)
def session(request):
    """Return the path of each session in turn."""
    return request.param


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return a folder with the files that decks need."""
    folder = tmp_path_factory.mktemp("decks")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def built(folder, session):
    """Write a session's deck as `make decks` does, and return its path."""
    return write_deck(session, folder)


def open_static(page, deck):
    """Open a static deck from its file."""
    page.goto(deck.as_uri())
    page.wait_for_selector(".reveal.ready")
    settle(page)


@pytest.fixture(scope="module")
def deck(browser, built, session):
    """Open a session's static deck; walk through it at both screen sizes."""
    page, outside = page_of(browser, viewport=SMALL)
    open_static(page, built)
    deck = Deck(page, outside, slides_of(read_ipynb(session)))
    deck.shut_out = violations(page)
    deck.walk()
    deck.enlarge()
    deck.walk()
    yield deck
    page.context.close()


def test_the_space_bar_moves_on_through_every_slide(deck):
    deck.assert_complete()


def test_every_slide_fits(deck):
    deck.assert_fitting()


def test_every_formula_is_typeset(deck):
    deck.assert_typeset()


def test_explorables_move_and_their_keys_leave_the_deck_alone(deck):
    deck.assert_explorables_move()


def test_no_deck_asks_the_network(deck):
    assert not deck.outside, "A deck tried to load something from the network."


def undescribed(page):
    """Return the alt texts of pictures that lack a real description."""
    texts = page.evaluate(
        "[...document.images].map((it) => it.getAttribute('alt') ?? '')"
    )
    # nbconvert writes "No description has been provided for this image".
    return [it for it in texts if len(it) < 40 or it.startswith("No desc")]


def test_every_picture_is_described(deck):
    assert deck.page.query_selector("img")
    assert not undescribed(deck.page)


# For each slide with a picture, this script returns the slide's title and the
# height of its largest picture, as a share of the slide's height.
HEIGHTS = """() => {
  const found = [];
  for (const slide of Reveal.getSlides()) {
    const pictures = [...slide.querySelectorAll("img")]
      .filter((it) => !it.closest("aside"));
    if (!pictures.length) continue;
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    slide.querySelectorAll(".fragment")
      .forEach((it) => it.classList.add("visible"));
    const heights = pictures.map((it) => {
      const { width, height } = it.getBoundingClientRect();
      return Math.min(height, (width * it.naturalHeight) / it.naturalWidth);
    });
    const title = slide.querySelector("h1, h2, h3")?.textContent ?? "";
    found.push([title, Math.max(...heights) / innerHeight]);
  }
  return found;
}"""


def test_a_picture_takes_more_than_half_of_its_slide(deck):
    small = [
        f"{title}: {share:.0%}"
        for title, share in deck.page.evaluate(HEIGHTS)
        if share < 0.55
    ]
    assert not small, (
        "Give these pictures more space on their slides:\n" + "\n".join(small)
    )


def test_a_deck_that_is_handed_out_has_its_pictures_inside(deck):
    beside = deck.page.evaluate(
        """[...document.images].map((it) => it.getAttribute("src"))
           .filter((it) => !it.startsWith("data:"))"""
    )
    assert not beside, "These files are not embedded in the deck."
    broken = deck.page.evaluate(
        """[...document.images].filter((it) => !it.naturalWidth)
           .map((it) => it.alt)"""
    )
    assert not broken, "These pictures do not load."


def violations(page, rules=None):
    """Return a page's serious accessibility problems and misordered headings.

    `rules` is a list of axe-core's rules to check; without it, all rules are
    checked.
    """
    if page.evaluate("!window.axe"):
        page.add_script_tag(path=packages() / "axe-core" / "axe.min.js")
    return [
        f"{it['id']}: {it['help']}: {node['html'][:200]}"
        for it in page.evaluate(AXE, rules)["violations"]
        if it["impact"] in ("serious", "critical")
        or it["id"] == "heading-order"
        for node in it["nodes"]
    ]


@dataclass
class Handouts:
    """A deck's PDFs, and the problems found on their printed pages."""

    slides: Path
    notes: Path
    shut_out: list  # what axe-core finds when all slides are shown
    cut: list  # notes that are too long for the space below their slide


@pytest.fixture(scope="module")
def handouts(browser, built):
    """Print a session's deck as `make decks` does, and check the printed pages."""
    page, _ = page_of(browser)
    slides = print_deck(page, built, "")
    shut_out = violations(page)
    notes = print_deck(page, built, "_notes")
    cut = page.evaluate(
        """[...document.querySelectorAll(".speaker-notes-pdf")]
           .filter((it) => it.scrollHeight > it.clientHeight + 1)
           .map((it) => it.textContent.trim())"""
    )
    page.context.close()
    return Handouts(slides, notes, shut_out, cut)


def test_nothing_in_a_deck_shuts_anybody_out(deck, handouts):
    found = deck.shut_out + handouts.shut_out
    assert not found, "\n".join(found)


def squashed(text):
    """Return a text's letters and digits, with ligatures split up."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize("kind", ["slides", "notes"])
def test_the_pdf_has_one_page_a_slide_and_nothing_is_cut(
    handouts, session, kind
):
    pages = pypdfium2.PdfDocument(getattr(handouts, kind))
    slides = slides_of(read_ipynb(session))
    assert len(pages) == len(slides)
    for page, slide in zip(pages, slides, strict=True):
        printed = squashed(page.get_textpage().get_text_range())
        for cell in slide:
            if kind_of(cell) == "notes" and kind == "slides":
                assert squashed(cell.source)[:60] not in printed
                continue
            if cell.cell_type == "code" and has_picture([cell]):
                continue  # the code of a picture is not printed
            # All words of the cell are printed, except formulas (which are
            # drawings), pictures, the addresses of links, and the marks of
            # code fences.
            text = FORMULA.sub(" ", cell.source)
            text = re.sub(r"^```.*", " ", text, flags=re.M)
            text = re.sub(r"!\[.*?\]\(.*?\)|\]\(.*?\)", " ", text)
            text = re.sub(r"</?details>|<summary>.*?</summary>", " ", text)
            for word in text.split():
                assert squashed(word) in printed, (word, printed)


def test_the_notes_fit_below_their_slides(handouts):
    assert not handouts.cut, "Shorten these notes:\n" + "\n".join(handouts.cut)


def test_the_index_links_the_deck_and_its_handouts(handouts, session):
    folder = handouts.slides.parent
    index = index_of(folder)
    links = re.findall(rf'href="({session.name}\S+)"', index)
    assert len(links) == 3
    for link in links:
        assert (folder / link).is_file()
    (about,) = re.findall(rf'<p>(.+)</p>\n<p><a href="{links[0]}', index)
    assert re.search(r"about \d+ minutes to read", about)
    assert re.search(r"runs in under \d+ seconds", about)


@pytest.fixture
def short_sessions(tmp_path, monkeypatch):
    """Work in a copy of the project with two slides from each of two sessions."""
    for name in ("tests", "notebooks"):
        alone = shutil.ignore_patterns("data", "solutions", "[0-9][0-9]_*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=alone)
    packages()
    (tmp_path / PACKAGES).symlink_to(ROOT / PACKAGES)
    for session in SESSIONS[:2]:
        nb = read_ipynb(session)
        third = slides_of(nb)[2][0]
        nb.cells = nb.cells[: nb.cells.index(third)]
        nbformat.write(nb, tmp_path / f"{session}.ipynb")
    monkeypatch.chdir(tmp_path)
    return SESSIONS[:2]


def make_decks(*arguments):
    """Run `make decks`; return its exit status and its error message."""
    done = subprocess.run(
        [sys.executable, "tests/tools/decks.py", *arguments],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def test_make_decks_builds_all_sessions_or_one(
    short_sessions, browser, monkeypatch
):
    assert make_decks() == (0, "")
    folder = Path("build").absolute()
    index = folder / "index.html"
    page, outside = page_of(browser)
    page.goto(index.as_uri())
    assert not violations(page)
    assert not outside
    page.context.close()
    links = re.findall(r'href="([^"]+)"', index.read_text())
    names = [it.name for it in short_sessions]
    ends = (".html", ".pdf", "_notes.pdf")
    assert links == [f"{name}{end}" for name in names for end in ends]
    for link in links:
        if link.endswith(".pdf"):
            assert len(pypdfium2.PdfDocument(folder / link)) == 2
        else:
            assert (folder / link).is_file()

    # If a session is given, only its deck is rebuilt, and all other files stay
    # as they were.
    first, second = (folder / f"{name}.html" for name in names)
    first.write_text("what was there")
    second.unlink()
    assert make_decks("--session", "2") == (0, "")
    assert "reveal.js" in second.read_text(encoding="utf-8")
    assert first.read_text() == "what was there"
    assert re.findall(r'href="([^"]+html)"', index.read_text()) == [
        first.name,
        second.name,
    ]

    # If the command fails, all files stay as they were.
    before = {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()}
    nb = read_ipynb(short_sessions[1])
    nb.cells.append(nbformat.v4.new_code_cell("not_run"))
    nbformat.write(nb, f"{short_sessions[1]}.ipynb")
    monkeypatch.setattr(sys, "argv", ["decks.py", "--session", "2"])
    with pytest.raises(Problem, match="run `make run`"):
        tool()
    after = {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()}
    assert after == before


def test_plot_colours_are_told_apart_by_everybody():
    cycle = [to_rgb(c) for c in STYLE["axes.prop_cycle"].by_key()["color"]]
    for kind in ("protanomaly", "deuteranomaly", "tritanomaly"):
        blind = {"name": "sRGB1+CVD", "cvd_type": kind, "severity": 100}
        seen = [
            np.clip(cspace_convert(colour, blind, "sRGB1"), 0, 1)
            for colour in cycle
        ]
        for one, other in combinations(seen, 2):
            # People can just distinguish two colours side by side if they
            # differ by about 1. For colour-blind readers, Matplotlib's red and
            # green differ by only 5.
            assert deltaE(one, other, input_space="sRGB1") > 10, kind
    paper = luminance(to_rgb(STYLE["figure.facecolor"]))
    for colour in cycle:  # WCAG 2.2 requires a contrast of 3 for graphics
        assert (paper + 0.05) / (luminance(colour) + 0.05) >= 3


def luminance(colour):
    """Return an RGB colour's relative luminance, as defined by WCAG 2.2.

    The three values of the colour are between 0 and 1.
    """
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in colour
    ]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


# The next test makes sure that overflowing slides are reported. Each entry
# describes a slide and the words that the report must contain.
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
        "clipped at the bottom",
    ),
    "footer": (
        "markdown",
        '<p style="position: absolute; bottom: 10px">low</p>',
        {},
        "overlaps the footer",
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
    "corner": (
        "html",
        '<img alt="a box" width="300" height="300" src="data:image/svg+xml,'
        "<svg xmlns='http://www.w3.org/2000/svg'/>\" "
        'style="position: absolute; top: 0; right: 0">',
        {},
        "is covered by the link to the code",
    ),
}


def cell_with(kind, content):
    """Return a cell that shows `content` as text, code, an output or a figure."""
    if kind == "markdown":
        return nbformat.v4.new_markdown_cell(content)
    cell = nbformat.v4.new_code_cell("1", execution_count=1)
    if kind == "code":
        cell.source = content
    elif kind == "stream":
        cell.outputs = [nbformat.v4.new_output("stream", text=content)]
    elif kind == "html":
        data = {"text/html": content}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
    else:
        figure = Figure(figsize=content, dpi=STYLE["figure.dpi"])
        figure.subplots()
        png = io.BytesIO()
        figure.savefig(png)
        data = {"image/png": base64.b64encode(png.getvalue()).decode()}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        cell.metadata["alt"] = "an empty figure"
    return cell


def faulty(folder, cells):
    """Write a deck of these cells into a folder, and return its path."""
    metadata = {"rise": {"footer": "Faults"}, "running_seconds": 10}
    nb = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    deck = folder / "faults.html"
    deck.write_text(deck_of(nb), encoding="utf-8")
    return deck


def test_each_way_to_overflow_is_caught(browser, folder):
    cells = []
    for name, (kind, content, show, _) in FAULTS.items():
        title = nbformat.v4.new_markdown_cell(f"## {name}")
        title.metadata["slideshow"] = {"slide_type": "slide"}
        cell = cell_with(kind, content)
        cell.metadata["slideshow"] = show
        cells += [title, cell]
    deck = faulty(folder, cells)
    page, _ = page_of(browser, viewport=SMALL)
    open_static(page, deck)
    found = walk(page)
    for (name, fault), problems in zip(FAULTS.items(), found, strict=True):
        said = "\n".join(problems)
        if fault[-1] is None:
            assert not said
        else:
            assert fault[-1] in said, f"{name}: {said!r}"
            assert f'"{name}"' in said, "the slide's name is missing"
            assert re.search(r"by \d+ px$", said)

    # Content that overflows a slide's lower edge adds a page to the PDF.
    pdf = print_deck(page, deck, "")
    assert len(pypdfium2.PdfDocument(pdf)) > len(FAULTS)
    page.context.close()


def test_what_shuts_out_or_asks_the_network_is_caught(browser, folder):
    slide = nbformat.v4.new_markdown_cell(
        '# Title\n\n#### too deep\n\n<p style="color: #cccccc">pale</p>\n\n'
        '<img src="https://example.org/a.png">'
    )
    slide.metadata["slideshow"] = {"slide_type": "slide"}
    page, outside = page_of(browser, viewport=SMALL)
    open_static(page, faulty(folder, [slide]))
    assert outside == ["https://example.org/a.png"]
    ids = {line.split(":")[0] for line in violations(page)}
    assert ids == {"color-contrast", "heading-order"}
    assert len(undescribed(page)) == 1
    page.context.close()
