"""Find, read and write the notebooks (all other tools use this module)."""

import contextlib
import functools
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import clean
import jupytext
import nbformat
from jupytext.config import load_jupytext_configuration_file

NOTEBOOKS = Path("notebooks")
OTHER_HALF = {".md": ".ipynb", ".ipynb": ".md"}
OUR_NAME = re.compile(r"\d\d_[a-z0-9_]+")

# The kernel's metadata in every notebook, whichever machine or editor saved
# it.
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
# The metadata that only the .ipynb has. `make run` writes the first three, and
# `make sync` writes the last one.
ONLY_IN_IPYNB = ("language_info", "running_seconds", "executed", "checksum")

# The conflict markers that a merge leaves behind. Tools that merge notebooks
# put the markers into separate cells. nbdev writes them between backticks, and
# nbdime writes them in red.
MARKER = re.compile(r"^(?:`|<span[^>]*>\**)?(?:<{7}|>{7})(?:[ `]|$)", re.M)


class Problem(Exception):
    """A problem that the user can fix; its message says how."""


def main(tool):
    """Run a tool from the command line; print a Problem without a traceback.

    A full disk or a folder that can't be written to is treated in the same
    way. `tool` is a function without arguments, and it always runs in a clean
    environment. After a Problem, print it to stderr and exit with status 1.
    After Ctrl-C, exit with status 130.
    """
    # Don't fail just because a terminal does not use UTF-8.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            clean.enter(folder)
            tool()
    except Problem as problem:
        sys.exit(f"{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if words := clean.advice(error):
            sys.exit(words)
        raise


def all_pairs():
    """Return the paths of all notebooks without suffixes, sessions first.

    Each path stands for a pair of files, an .md and an .ipynb, and is listed
    even if one of the two files is missing. A reader's own copies are left
    out. These are files with other kinds of names, such as my_02_neural_nets
    or 02_neural_nets-Copy1, and single files with the same number as a
    complete pair. Raise Problem if there is no notebook.
    """
    found = {}
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        for half in folder.glob("*"):
            if half.suffix in OTHER_HALF and OUR_NAME.fullmatch(half.stem):
                found.setdefault(half.with_suffix(""), []).append(half)
    taken = {
        (pair.parent, pair.name[:2])
        for pair, halves in found.items()
        if len(halves) == 2
    }
    pairs = [
        pair
        for pair, halves in found.items()
        if len(halves) == 2 or (pair.parent, pair.name[:2]) not in taken
    ]
    if not pairs:
        raise Problem(
            "There is no notebook in notebooks/: run this in the project's folder."
        )
    return sorted(
        pairs, key=lambda pair: (pair.parent != NOTEBOOKS, pair.name)
    )


def pairs_of(number):
    """Return the paths of a session and its solutions, or all paths for "".

    `number` is what the user typed. Raise Problem if there is no such session.
    """
    if not number:
        return all_pairs()
    name = find_session(number).name
    return [pair for pair in all_pairs() if pair.name == name]


def find_session(number):
    """Return the path, without suffix, of the session with this number.

    `number` is what the user typed, such as "2" or "02". Raise Problem if
    there is no such session.
    """
    sessions = [pair for pair in all_pairs() if pair.parent == NOTEBOOKS]
    for pair in sessions:
        if re.fullmatch(r"\d{1,2}", number) and int(pair.name[:2]) == int(
            number
        ):
            return pair
    known = ", ".join(str(int(pair.name[:2])) for pair in sessions)
    raise Problem(
        f"There is no session {number!r}: choose SESSION from {known}."
    )


def kind_of(cell):
    """Return a cell's slide type."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def parts_of(cells):
    """Return the parts of a session, each as a list of cells.

    The cell tagged `part-2` starts the second part, and so on.
    """
    parts = [[]]
    for cell in cells:
        if f"part-{len(parts) + 1}" in cell.metadata.get("tags", []):
            parts.append([])
        parts[-1].append(cell)
    return parts


def read_ipynb(pair):
    """Return the notebook in `pair`.ipynb.

    If the file is missing or damaged or contains conflict markers, raise
    Problem with advice for the user.
    """
    return read_half(pair.with_suffix(".ipynb"))


def read_md(pair):
    """Return the notebook in `pair`.md; raise Problem like read_ipynb."""
    return read_half(pair.with_suffix(".md"))


def read_half(path):
    """Return the notebook in an .md or .ipynb file, or raise Problem."""
    other = path.with_suffix(OTHER_HALF[path.suffix])
    if not path.exists():
        if is_whole(other):
            raise Problem(
                f"{path} is missing: `make sync` rebuilds it from {other.name}."
            )
        raise Problem(
            f"{path} is missing, and {other.name} cannot be read: restore an "
            "earlier copy of one of them."
        )
    nb, marker = parse(path)
    rebuild = (
        f"move it out of {path.parent}/ and `make sync` rebuilds it from "
        f"{other.name}."
    )
    if marker:
        # Don't ask the user to merge JSON, because the .ipynb can be rebuilt.
        merge = (
            rebuild[0].upper() + rebuild[1:]
            if nb is None and is_whole(other)
            else "Edit it until only one version is left and the markers are gone, "
            "then run `make sync`."
        )
        raise Problem(
            f"{path} contains the conflict markers of a merge ({marker}), so "
            f"nothing was changed. {merge}"
        )
    if nb is None:
        mend = (
            f"Repair it, or {rebuild}"
            if is_whole(other)
            else f"{other.name} cannot be read either, so restore an earlier "
            f"copy of one of them, move the other one out of {path.parent}/, "
            "and run `make sync`."
        )
        raise Problem(
            f"{path} is damaged, perhaps only half written, so nothing was "
            f"changed. {mend}"
        )
    return nb


def is_whole(path):
    """Return whether a notebook file is readable and has no merge markers."""
    nb, marker = parse(path) if path.exists() else (None, "")
    return nb is not None and not marker


def parse(path):
    """Return the notebook in a file, and the place of a conflict marker.

    `path` is the path of an .md or .ipynb file. The notebook is None if the
    file is damaged, and the place is "" if there is no marker.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None, ""
    marker = MARKER.search(text)
    place = (
        f"line {text.count(chr(10), 0, marker.start()) + 1}" if marker else ""
    )
    nb = None
    # Reading an incomplete notebook may raise any exception.
    with contextlib.suppress(Exception), warnings.catch_warnings():
        # Ignore the warnings about editors that leave cells without ids or
        # give two cells the same id.
        warnings.simplefilter("ignore")
        nb = (from_md if path.suffix == ".md" else from_ipynb)(text)
    if nb and not place:
        marked = [
            i for i, c in enumerate(nb.cells, 1) if MARKER.search(c.source)
        ]
        place = f"cell {marked[0]}" if marked else ""
    return nb, place


def from_ipynb(text):
    """Return the notebook in an .ipynb's text, or None if it has no cells.

    If the text is not a notebook, nbformat's exception is passed on.
    """
    nb = nbformat.convert(nbformat.reader.reads(text), 4)
    # Some editors write older formats, in which cells have no ids.
    nb = nbformat.v4.upgrade(nb)
    _, nb = nbformat.validator.normalize(nb)
    nbformat.validate(nb)
    return nb if nb.cells else None


def from_md(text):
    """Return the notebook in a Markdown text, or None if it is cut off.

    If the text is not a notebook, jupytext's exception is passed on.
    """
    text = text.rstrip() + "\n"
    nb = jupytext.reads(text, fmt="md", config=config())
    if not nb.cells or "kernelspec" not in nb.metadata:
        return None
    # If a cell's last line is missing, jupytext reads on to the end of the
    # file. When it writes the notebook, it adds the missing line.
    (*_, last) = text.splitlines()
    (*_, written) = as_md(nb).splitlines()
    cut = last != written or re.match(r"<!-- #region|<!--(?!.*-->)", last)
    return None if cut else nb


def config():
    """Return jupytext's settings from the pyproject.toml in this folder."""
    return config_in(Path.cwd())


@functools.cache
def config_in(folder):
    """Return jupytext's settings for any folder, reading the file only once.

    jupytext itself would also use the user's own settings from a parent
    folder.
    """
    return load_jupytext_configuration_file(str(folder / "pyproject.toml"))


def kept_metadata():
    """Return the names of the metadata that our settings preserve.

    There are two lists, one for the notebook and one for its cells.
    """
    settings = config()
    return [
        [name for name in names.split(",") if not name.startswith("-")]
        for names in (
            settings.notebook_metadata_filter,
            settings.cell_metadata_filter,
        )
    ]


def cleaned(nb):
    """Return a copy of a notebook without additions by editors or machines.

    `nb` is a notebook of the project or a dict of the same form. The copy
    keeps the cells with their ids, sources, outputs and our metadata, and the
    notebook's own metadata. The kernel is always ours, Python's version is
    left out, and every line ends with a plain newline.
    """
    nb = nbformat.from_dict(nb)
    settings = config()
    of_notebook, of_cell = kept_metadata()
    ours = nb.metadata | {
        "kernelspec": KERNELSPEC,
        "jupytext": {
            "cell_metadata_filter": settings.cell_metadata_filter,
            "formats": settings.default_formats(str(NOTEBOOKS / "a.ipynb")),
            "notebook_metadata_filter": settings.notebook_metadata_filter,
        },
    }
    nb.metadata = nbformat.from_dict(
        {
            name: ours[name]
            for name in sorted([*of_notebook, *ONLY_IN_IPYNB])
            if name in ours
        }
    )
    # Python's version differs from machine to machine and does not matter.
    nb.metadata.get("language_info", {}).pop("version", None)
    for cell in nb.cells:
        cell.source = re.sub("\r\n?", "\n", cell.source)
        # Leave out empty values, because some editors add an empty list of
        # tags to every cell.
        cell.metadata = nbformat.from_dict(
            {
                name: cell.metadata[name]
                for name in sorted(of_cell)
                if cell.metadata.get(name)
            }
        )
    return nb


def as_md(nb):
    """Return the text of the .md that has the same content as `nb`."""
    return jupytext.writes(cleaned(nb), fmt="md", config=config())


def write_safely(path, text):
    """Write `text` to `path` completely or not at all, using a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, path.stat().st_mode if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
