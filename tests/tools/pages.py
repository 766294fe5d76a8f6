"""Build the site of all sessions in build/site, for `make site`.

Nothing is executed, because the pages show the stored outputs. First, we write
a folder of sources. This folder contains the notebooks without the parts that
a reader does not need, and pages that are collected from several notebooks.
Then Sphinx builds the site from these sources, with the settings in
tests/tools/site/conf.py.
"""

import argparse
import io
import json
import math
import posixpath
import re
import shutil
import tempfile
import tomllib
import zipfile
from pathlib import Path

import nbformat
from decks import (
    BUILD,
    PRINTED,
    VENDOR,
    about,
    check_outputs,
    minutes_to_read,
    packages,
)
from glossary import as_page, link_terms, read_glossary
from jinja2 import Environment, FileSystemLoader
from PIL import Image
from sessions import (
    NOTEBOOKS,
    Problem,
    all_pairs,
    kind_of,
    main,
    parts_of,
    read_ipynb,
    write_safely,
)
from sittings import minutes_announced
from sphinx.application import Sphinx

HERE = Path(__file__).parent / "site"
SITE = BUILD / "site"
LOG = Path(".github", "CHANGELOG.md")
SYSTEMS = ("darwin", "linux", "win32")  # the systems in uv.lock
LOCKED = Path(".binder", "requirements.txt")
ROOM = Path("tests", "bench", "room.json")  # what room.py has measured
# The memory limit for Session 4's kernel, which `make bench` checks.
SESSION_4_GIB = 3
# Files next to a notebook that its plots, its deck or its explorables need.
BESIDE = ("intuitive_ai.mplstyle", "rise.css", "explorables.js", "fonts")
TEMPLATES = Environment(loader=FileSystemLoader(HERE))
GITHUB = re.compile(r"https://github\.com/([\w-]+)/([\w.-]+)")
# Code that only shows a task or runs a check, so readers need not see it.
PLUMBING = re.compile(r'(Markdown|exec)\(tagged\["[\w-]+"\]\)')
# This line is in every notebook as long as the series has no address.
UNKNOWN = 'ADDRESS = ""'


def render(template, **values):
    """Return a template of the site, filled in with these values."""
    return TEMPLATES.get_template(template).render(**values)


def published(address=""):
    """Return the series' public addresses as a dict, empty if there are none.

    `address` is the address of the repository. If `address` is empty, the
    address in pyproject.toml is used. The dict has the `address`, the
    `repository` as owner/name, and the address of the `site` that GitHub
    serves. Raise Problem if the address does not look like one on GitHub.
    """
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    address = address or project["project"].get("urls", {}).get("Repository")
    if not address:
        return {}
    if not (found := GITHUB.fullmatch(address)):
        raise Problem(
            f"{address} cannot be the address of the series: write it as "
            "https://github.com/owner/name."
        )
    owner, name = found.groups()
    host = f"{owner.lower()}.github.io"
    folder = "" if name.lower() == host else f"{name}/"
    return {
        "address": address,
        "repository": "/".join(found.groups()),
        "site": f"https://{host}/{folder}",
    }


def copy(original, path):
    """Copy a file or a folder to a path, creating missing parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if original.is_dir():
        shutil.copytree(original, path)
    else:
        shutil.copy(original, path)


def title_of(nb):
    """Return the heading that distinguishes a notebook from the others."""
    return re.findall(r"^#+ (.+)$", nb.cells[0].source, re.M)[-1]


def opening_of(nb):
    """Return how long a session takes, and what readers need for it.

    Both are stated in the session's opening. If the opening states no time,
    only the reading time is given. Raise Problem if the opening does not state
    the requirements.
    """
    announced = [minutes_announced(cells) for cells in parts_of(nb.cells)]
    room = " and ".join(f"{it}" for it in announced if it)
    room = f"{room} minutes with a group. " if room else ""
    prose = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    needs = re.search(r"^\*\*What you need\*\*\s+(.+?\.)(?:\s|$)", prose, re.M)
    if not needs:
        raise Problem(
            f"{title_of(nb)}: its opening has no paragraph under the words "
            "**What you need**, so readers cannot see what they have to know "
            "beforehand."
        )
    return {
        "time": f"{room}About {minutes_to_read(nb)} minutes to read.",
        "needs": needs[1],
    }


def references_of(nb):
    """Return the list of a session's references, in Markdown."""
    for cell in nb.cells:
        _, *after = re.split(
            r"^(?:#+ |\*\*)References.*$", cell.source, flags=re.M
        )
        if cell.cell_type == "markdown" and after:
            text = re.split(r"^(?:#|\*\*)", after[0], flags=re.M)[0]
            return "\n".join(re.findall(r"^- .+(?:\n +.+)*", text, re.M))
    raise Problem(
        f"{title_of(nb)}: there is no list of references, so add one."
    )


def proven():
    """Return the section "What is proven" of the README."""
    text = Path("README.md").read_text("utf-8")
    (section,) = re.findall(
        r"^#(# What is proven\n.+?)(?=^## |\Z)", text, re.M | re.S
    )
    return section


def minutes(seconds):
    """Return a time as text, in seconds or in minutes."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def teachers(address=""):
    """Return the page for teachers, with the figures from room.py.

    `address` is the address of the repository, if it is known.
    """
    room = json.loads(ROOM.read_text("utf-8"))
    return render(
        "teachers.md.j2",
        room=room,
        minutes=minutes,
        guarantee_mib=100 * math.ceil(room["rss_gib"] * 1024 / 100),
        session_4_gib=SESSION_4_GIB,
        repository=address or "https://git.example.org/intuitive-ai",
    )


def with_solutions(text, session):
    """Return a text with links from exercises to solutions, and their targets.

    `session` is the number of the session.
    """
    there = f"solution-{session}"
    text = re.sub(r"^## (\d+)\. ", rf"({there}-\1)=\n\g<0>", text, flags=re.M)
    link = rf"\g<0>\n\n[Our solution](#{there}-\1)"
    return re.sub(r"\A### Exercise (\d+).+", link, text, flags=re.S)


def readable(nb, links, session):
    """Return a copy of a notebook for readers of the site.

    The presenter's notes and the cell that fetches files on Colab are left
    out, and each exercise links to its solution. `links` is the HTML below the
    title, and `session` is the session's number.
    """
    nb = nbformat.from_dict(nb)
    nb.cells = [
        cell
        for cell in nb.cells
        if kind_of(cell) != "notes"
        and "fetch" not in cell.metadata.get("tags", [])
    ]
    title = f"# {title_of(nb)}"
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(
                r"\]\(((?:\.\./)*)\.\./img/", r"](\1img/", cell.source
            )
            # A page has only one title, so the titles of parts become section
            # headings.
            cell.source = re.sub(r"\A# ", "## ", cell.source)
            cell.source = with_solutions(cell.source, session)
            continue
        if PLUMBING.fullmatch(cell.source):
            cell.metadata["tags"] = ["remove-input"]
        if alt := cell.metadata.get("alt"):
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
        for output in cell.outputs:
            if html := output.get("data", {}).get("text/html"):
                # Change the empty header cell that pandas leaves in the corner
                # of a table.
                output.data["text/html"] = html.replace(
                    "<th></th>", "<td></td>"
                )
    _, *text = re.split(r"^#.*$", nb.cells[0].source, flags=re.M)
    nb.cells[0].source = f"{title}\n\n{links}\n\n{text[-1].strip()}"
    return nb


def name_in_zip(pair, path):
    """Return a file's name inside a session's zip."""
    return f"{pair.name}/{path.as_posix()}"


def write_download(pair, path, place):
    """Write a copy of a notebook that can be read without any other files.

    Once the series is published, the copy contains the address of the series,
    and its pictures and links point there. Until then, the notebook is copied
    unchanged.
    """
    original = pair.with_suffix(".ipynb")
    if not place:
        copy(original, path)
        return

    def absolute(match):
        target = posixpath.normpath(f"{pair.parent.as_posix()}/{match[1]}")
        if target.startswith("img/"):
            return f"]({place['site']}_images/{target.removeprefix('img/')})"
        return f"]({place['address']}/blob/main/{target})"

    nb = read_ipynb(pair)
    for cell in nb.cells:
        if cell.cell_type == "code":
            known = f'ADDRESS = "{place["address"]}"'
            cell.source = cell.source.replace(UNKNOWN, known)
        else:
            cell.source = re.sub(
                r"\]\((?!\w+:|#)([^)\s]+)\)", absolute, cell.source
            )
    write_safely(path, nbformat.writes(nb) + "\n")


def write_zip(pair, path, lock):
    """Write a zip of a session with everything it needs to run.

    `lock` is the text of requirements.txt.
    """
    nb = read_ipynb(pair)
    solutions = NOTEBOOKS / "solutions" / f"{pair.name}.ipynb"
    texts = [
        it.source for it in [*nb.cells, *nbformat.read(solutions, 4).cells]
    ]
    text = "\n".join(texts)
    about_data = NOTEBOOKS / "data" / "README.md"
    files = [pair.with_suffix(".ipynb"), solutions, Path("LICENSE")]
    for name in BESIDE:
        it = NOTEBOOKS / name
        files += sorted(it.iterdir()) if it.is_dir() else [it]
    files += [
        it
        for folder in (NOTEBOOKS / "data", Path("img"))
        for it in sorted(folder.iterdir())
        if it.name in text and it != about_data
    ]
    # The other sessions are not in the zip, so links to them would be dead.
    unlinked = re.sub(
        r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", about_data.read_text("utf-8")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for it in dict.fromkeys(files):
            archive.write(it, name_in_zip(pair, it))
        readme = render("README.txt.j2", title=title_of(nb), name=pair.name)
        texts = {
            "README.txt": readme + "\n",
            "requirements.txt": lock,
            about_data: unlinked,
        }
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name_in_zip(pair, Path(name)))
            entry.external_attr = 0o644 << 16  # readable by everybody
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)


def requirements():
    """Return the versions of the notebooks' packages, in pip's format.

    The versions come from Binder's list. A test makes sure that this list
    agrees with uv.lock.
    """
    # uv.lock supports only these platforms, but pip may run on others, too.
    systems = [f"sys_platform == '{it}'" for it in SYSTEMS]
    here = f" ; {' or '.join(systems)}\n"
    return LOCKED.read_text("utf-8").replace(here, "\n")


def stage(folder, place):
    """Write all the files that the site is made of into a folder.

    The folder gets three subfolders. Sphinx reads `source`, the pages load
    files from `static`, and `extra` goes into the site unchanged.

    `place` is the dict of the series' addresses that `published` returns.
    Raise Problem if a notebook is damaged or has not been run.
    """
    source, static, extra = (
        folder / name for name in ("source", "static", "extra")
    )
    pairs = all_pairs()
    sessions = {it.name: it for it in pairs if it.parent == NOTEBOOKS}
    notebooks = {pair: read_ipynb(pair) for pair in pairs}
    decks = [it for it in sessions if (BUILD / f"{it}.html").exists()]
    for nb in notebooks.values():
        check_outputs(nb)

    pages = {}
    for pair, nb in notebooks.items():
        session = int(pair.name[:2])
        links = render(
            "links.html.j2",
            name=pair.name,
            session=session,
            is_session=pair.parent == NOTEBOOKS,
            about=about(nb),
            deck=pair.name in decks,
            pdfs=list(PRINTED),
            path=pair,
            **place,
        )
        pages[pair] = readable(nb, links, session)
    entries = read_glossary()
    link_terms(entries, {name: pages[it] for name, it in sessions.items()})
    for pair, nb in pages.items():
        path = source / pair.relative_to(NOTEBOOKS).with_suffix(".ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, path)

    about_data = (NOTEBOOKS / "data" / "README.md").read_text("utf-8")
    texts = {
        "404": (HERE / "404.md").read_text("utf-8"),
        "glossary": as_page(entries),
        "references": "# References\n\n"
        + "\n\n".join(
            f"## {title_of(notebooks[pair])}\n\n{references_of(notebooks[pair])}"
            for pair in sessions.values()
        ),
        "proven": proven(),
        "teachers": teachers(place.get("address", "")),
        "changes": LOG.read_text("utf-8"),
        "data/README": re.sub(r"(\]\(\S+)\.md\)", r"\1.ipynb)", about_data),
    }
    (alt,) = re.findall(
        r"!\[(.+?)\]\(img/slides\.png\)", Path("README.md").read_text("utf-8")
    )
    texts["index"] = render(
        "index.md.j2",
        alt=alt,
        decks=decks,
        more=[it for it in texts if it != "404"],
        sessions=[
            {"name": name, "title": title_of(notebooks[pair])}
            | opening_of(notebooks[pair])
            for name, pair in sessions.items()
        ],
        **place,
    )
    copy(NOTEBOOKS / "data", source / "data")
    copy(Path("img"), source / "img")
    for name, text in texts.items():
        write_safely(source / f"{name}.md", text)

    copy(HERE / "static", static)
    copy(NOTEBOOKS / "fonts", static / "fonts")
    for name, target in VENDOR.items():
        if target.startswith("mathjax"):
            copy(packages() / name, static / target)

    lock = requirements()
    for pair in pairs:
        path = pair.with_suffix(".ipynb").relative_to(NOTEBOOKS)
        write_download(pair, extra / "downloads" / path, place)
    for name, pair in sessions.items():
        write_zip(pair, extra / "downloads" / f"{name}.zip", lock)
    if decks:
        others = shutil.ignore_patterns("site", ".site.*")
        shutil.copytree(BUILD, extra / "decks", ignore=others)


def build(folder, site, address=""):
    """Build the site with Sphinx; raise Problem if there is any warning.

    `folder` is the folder that `stage` has filled. `site` is the path of the
    new site, and `address` is where the site will be published.
    """
    said = io.StringIO()
    app = Sphinx(
        folder / "source",
        HERE,
        site,
        folder / "doctrees",
        "html",
        confoverrides={
            "html_baseurl": address,
            "html_static_path": [str(folder / "static")],
            "html_extra_path": [str(folder / "extra")],
        },
        status=None,
        warning=said,
    )
    app.build()
    # Plots have few colours, so saving them with a palette halves the size of
    # a page.
    for path in Path(site, "_images").glob("*.png"):
        with Image.open(path) as image:
            image.convert("RGB").quantize(128).save(path, optimize=True)
    if said := re.sub(r"\x1b\[[\d;]*m", "", said.getvalue()).strip():
        raise Problem(
            f"{said}\nThe site was not built; the lines above say why."
        )


def tool(arguments=None):
    """Rebuild the site; keep the old site if that fails."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--address", default="", help="of the repository")
    place = published(parser.parse_args(arguments).address)
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".site.") as name:
        folder = Path(name).absolute()
        stage(folder, place)
        build(folder, folder / "site", place.get("site", ""))
        shutil.rmtree(SITE, ignore_errors=True)
        (folder / "site").rename(SITE)
    print(f"Open {(SITE / 'index.html').absolute().as_uri()}")


if __name__ == "__main__":
    main(tool)
