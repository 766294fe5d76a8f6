"""Check the code's style and the spelling for `make lint`.

Readers' answers are not checked. Readers type their answers into the .ipynb,
and `make sync` may copy the answers into the .md. So we check a copy of the
project in which the answer cells contain our solutions.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from exercises import solutions_of
from sessions import NOTEBOOKS, Problem, all_pairs, main, read_md, write_safely

CHECKS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["codespell_lib"],
)
# An answer cell, as it is written in the .md.
ANSWER = re.compile(r'^```python [^\n]*"answer-\d.*?^```$', re.M | re.S)


def not_ours(folder, names):
    """Return the names of a folder's files that should not be copied.

    Some of these files are never checked, and the others are written later.
    """
    hidden = {name for name in names if name.startswith(".")} | {"build"}
    if Path(folder) in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        hidden |= {
            n for n in names if Path(n).suffix in (".md", ".ipynb", ".py")
        }
    return hidden


def without_answers(pair):
    """Return a session's notebook with the solutions in its answer cells."""
    nb, solutions = read_md(pair), read_md(solutions_of(pair))
    for cell in nb.cells:
        if tags := answer_tags(cell):
            found = [
                it.source for it in solutions.cells if answer_tags(it) == tags
            ]
            cell.source = "\n\n\n".join(found)
    return nb


def answer_tags(cell):
    """Return a cell's tags for the exercises that it answers."""
    tags = cell.metadata.get("tags", [])
    return [tag for tag in tags if tag.startswith("answer-")]


def write_copy(folder):
    """Copy all files that will be checked into a folder.

    The files keep their names.
    """
    shutil.copytree(".", folder, ignore=not_ours, dirs_exist_ok=True)
    for pair in all_pairs():
        text = pair.with_suffix(".md").read_text(encoding="utf-8")
        nb = read_md(pair)
        if pair.parent == NOTEBOOKS:
            # Keep the number of lines, so that reported line numbers are
            # correct.
            text = ANSWER.sub(lambda it: "\n" * it[0].count("\n"), text)
            nb = without_answers(pair)
        write_safely((folder / pair).with_suffix(".md"), text)
        nbformat.write(nb, (folder / pair).with_suffix(".ipynb"))


def tool():
    """Check everything that belongs to the project."""
    with tempfile.TemporaryDirectory() as name:
        write_copy(Path(name))
        failed = [
            check
            for check in CHECKS
            if subprocess.run(
                [sys.executable, "-m", *check], cwd=name
            ).returncode
        ]
    if failed:
        raise Problem("The lines above say what to change.")


if __name__ == "__main__":
    main(tool)
