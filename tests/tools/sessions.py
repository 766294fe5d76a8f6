"""What the tools share: where the notebooks are, and how a pair is read."""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from jupytext.config import load_jupytext_config

NOTEBOOKS = Path("notebooks")


class Problem(Exception):
    """Something the user can mend; its text is the sentence that says how."""


def main(tool):
    """Run a tool from the command line; a Problem is printed, not traced.

    Takes: `tool`, a function without arguments. Ends the process with 1 after
    a Problem, which goes to stderr, and with 130 after Ctrl-C.
    """
    try:
        tool()
    except Problem as problem:
        sys.exit(f"{problem}")
    except KeyboardInterrupt:
        sys.exit(130)


def all_pairs():
    """Return the pairs' paths without suffix, sessions before solutions.

    A pair is listed also where one of its halves is missing. Raises Problem
    where there is none.
    """
    found = {
        half.with_suffix("")
        for folder in (NOTEBOOKS, NOTEBOOKS / "solutions")
        for suffix in (".md", ".ipynb")
        for half in folder.glob(f"[0-9][0-9]_*{suffix}")
    }
    if not found:
        raise Problem(
            "There is no notebook in notebooks/: run this in the project's folder."
        )
    return sorted(
        found, key=lambda pair: (pair.parent != NOTEBOOKS, pair.name)
    )


def pairs_of(number):
    """Return the pairs of a session and its solutions; all pairs for "".

    Takes: `number` as the user typed it. Raises Problem where there is no
    such session.
    """
    if not number:
        return all_pairs()
    name = find_session(number).name
    return [pair for pair in all_pairs() if pair.name == name]


def find_session(number):
    """Return the path, without suffix, of the session with this number.

    Takes: `number` as the user typed it ("2" or "02"). Raises Problem where
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


def read_ipynb(pair):
    """Return the notebook in `pair`.ipynb; raises Problem if it is damaged."""
    path = pair.with_suffix(".ipynb")
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        nbformat.ValidationError,
        nbformat.reader.NotJSONError,
        AttributeError,
        KeyError,
    ):
        raise Problem(
            f"{path} is damaged, perhaps half-written; nothing was changed: "
            f"`git checkout {path}` brings back the committed one, or delete it "
            f"and `make sync` rebuilds it from {pair.name}.md."
        ) from None
    return nb


def read_md(pair):
    """Return the notebook that `pair`.md describes; Problem if it is damaged."""
    path = pair.with_suffix(".md")
    try:
        nb = jupytext.read(path, as_version=4, config=config(path))
    except Exception:  # whatever YAML, Unicode and jupytext's parser may raise
        nb = None
    if nb is None or not nb.cells or "jupytext" not in nb.metadata:
        raise Problem(
            f"{path} is damaged, perhaps half-written; nothing was changed: "
            f"`git checkout {path}` brings back the committed one, or delete it "
            f"and `make sync` rebuilds it from {pair.name}.ipynb."
        )
    return nb


def config(path):
    """Return jupytext's settings for a notebook, from our pyproject.toml."""
    return load_jupytext_config(os.path.abspath(path))


def as_md(nb, pair):
    """Return the text that `pair`.md must hold for it to say what `nb` says."""
    # An .ipynb sorts a cell's metadata, so do it here too; and it is a copy.
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)
    return jupytext.writes(nb, fmt="md", config=config(pair))


def write_safely(path, text):
    """Write `text` to `path` as a whole or not at all (temporary file, rename)."""
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
