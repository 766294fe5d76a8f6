"""Make the .md and the .ipynb of each notebook agree, for `make sync`.

`make sync` never loses work. jupytext's own --sync trusts the file that was
written last, but file times mean nothing after a clone, a download or a merge.
So the .ipynb stores a checksum of the content that both files had when they
last agreed. A file whose content has another checksum has been edited, and
`make sync` only overwrites a file that has not been edited.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import os
from difflib import SequenceMatcher
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from sessions import (
    Problem,
    all_pairs,
    as_md,
    cleaned,
    config,
    kept_metadata,
    main,
    read_ipynb,
    read_md,
    write_safely,
)

ASIDE = Path(".aside")
NAMED = 5  # how many differences to name


def sync(pair, keep="", reading=False):
    """Make the .md and the .ipynb of one notebook agree.

    `pair` is the path of the two files without suffix. If both files were
    edited, `keep` says which of them to keep ("md" or "ipynb"), and a copy of
    the other file is saved in .aside/. `reading` is true if somebody only
    wants to open the .ipynb. In this case, edits are only carried over from
    the .md to the .ipynb.

    Return a sentence that says what was done, or "" if there was nothing to
    do. If both files were edited and `keep` is empty, or if a file is damaged,
    change nothing and raise Problem.
    """
    md, ipynb = pair.with_suffix(".md"), pair.with_suffix(".ipynb")
    if not ipynb.exists():
        write_ipynb(pair, read_md(pair), agreed=True)
        write_md(pair, read_md(pair))
        return f"{ipynb} was missing, so it was rebuilt from {md.name}, without outputs; `make run` fills them in."
    if not md.exists() and not reading:
        nb = read_ipynb(pair)
        write_md(pair, nb)
        write_ipynb(pair, nb, agreed=True)
        return f"{md} was missing, so it was rebuilt from {ipynb.name}."
    if not md.exists():
        return ""

    edited, nb = cleaned(read_md(pair)), read_ipynb(pair)
    in_md, in_ipynb = content(edited), content(nb)
    agreed = nb.metadata.get("checksum")
    if in_md == in_ipynb:
        if not reading:
            write_md(pair, edited)
            if agreed != checksum(in_ipynb):
                write_ipynb(pair, nb, agreed=True)
        return ""

    unedited = [
        half
        for half, said in (("md", in_md), ("ipynb", in_ipynb))
        if checksum(said) == agreed
    ]
    aside = ""
    if unedited:
        winner = "md" if unedited == ["ipynb"] else "ipynb"
    elif keep:
        winner = keep
        aside = f" A copy of the other half was saved as {put_aside(ipynb if keep == 'md' else md)}."
    else:
        since = (
            "have both been edited since they last agreed"
            if agreed
            else "differ, and no checksum in the .ipynb says which of them "
            "has been edited"
        )
        raise Problem(
            f"{md} and {ipynb.name} {since}, so nothing was changed. "
            f"They differ in {differences(in_md, in_ipynb)}. "
            "Choose the half to keep with `make sync KEEP=md` or "
            "`make sync KEEP=ipynb`; "
            f"a copy of the other half is saved in {ASIDE}/."
        )
    if winner == "md":
        write_ipynb(pair, with_valid_outputs(edited, cleaned(nb)), agreed=True)
        write_md(pair, edited)
        return f"{ipynb} now has the edits from {md.name}.{aside}"
    if reading:
        return ""
    # The order matters. If the .ipynb were written first, then after an
    # interruption, the .ipynb would have a checksum that does not match the
    # old .md. The old .md would then look like the edited file.
    write_md(pair, nb)
    write_ipynb(pair, nb, agreed=True)
    return f"{md} now has the edits from {ipynb.name}.{aside}"


def content(nb):
    """Return the content of a notebook, that is, its cells and metadata.

    Anything that editors and machines add is left out, and so is anything that
    an .md cannot store.
    """
    nb = jupytext.reads(as_md(nb), fmt="md", config=config())
    nb = cleaned(nb)
    of_notebook, _ = kept_metadata()
    return {
        "cells": [[c.cell_type, c.source, c.metadata] for c in nb.cells],
        "metadata": {
            name: nb.metadata[name]
            for name in of_notebook
            if name in nb.metadata and name not in ("kernelspec", "jupytext")
        },
    }


def checksum(said):
    """Return the checksum of a notebook's content."""
    text = json.dumps(said, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(in_md, in_ipynb):
    """Return a text that lists the cells in which the two files differ.

    The arguments are the contents of the two files. For a few of the cells,
    the text gives the first line and the number of the cell in its file. It
    also says how many more cells differ.
    """
    named = []
    first, second = in_md["cells"], in_ipynb["cells"]
    looks = [[json.dumps(it) for it in cells] for cells in (first, second)]
    matcher = SequenceMatcher(None, *looks, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        for i, j in itertools.zip_longest(range(a, b), range(c, d)):
            cell = first[i] if i is not None else second[j]
            where = ""
            if j is None:
                where = " of the .md only"
            elif i is None:
                where = " of the .ipynb only"
            elif first[i][:2] == second[j][:2]:
                where = "'s metadata"
            number = j + 1 if i is None else i + 1
            named.append(f"cell {number}{where} ({first_line(cell)})")
    mine, theirs = in_md["metadata"], in_ipynb["metadata"]
    named += [
        f"the notebook's metadata {name!r}"
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]
    more = len(named) - NAMED
    return ", ".join(named[:NAMED]) + (f" and {more} more" if more > 0 else "")


def first_line(cell):
    """Return a cell's type and its first non-empty line."""
    kind, source, _ = cell
    lines = [line for line in source.splitlines() if line.strip()]
    return f"{kind}: {lines[0][:40]!r}" if lines else f"{kind}, empty"


def with_valid_outputs(edited, executed):
    """Return `edited` with the outputs of cells whose code is unchanged.

    jupytext keeps a cell's output even if its code has been edited. Such an
    output would be wrong, so we drop it.
    """
    nb = combine_inputs_with_outputs(edited, executed)
    unchanged = {c.source for c in executed.cells if c.cell_type == "code"}
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.source not in unchanged:
            cell.outputs, cell.execution_count = [], None
    return nb


def put_aside(path):
    """Copy a file into .aside/ under a new name; return the path of the copy."""
    for count in itertools.count(1):
        aside = ASIDE / path.with_suffix(f".{count}{path.suffix}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("xb") as file:
                file.write(path.read_bytes())
        except FileExistsError:
            continue
        return aside


def write_ipynb(pair, nb, agreed=False):
    """Clean a notebook and write it to `pair`.ipynb completely or not at all.

    `agreed` says whether the .md has the same content. If so, the checksum is
    updated.
    """
    nb = cleaned(nb)
    if agreed:
        nb.metadata["checksum"] = checksum(content(nb))
    text = nbformat.writes(nb) + "\n"
    write_safely(pair.with_suffix(".ipynb"), text)
    with contextlib.suppress(FileNotFoundError):
        # Make the .md the newer file, because jupytext, if somebody uses it in
        # their own Jupyter, rejects a pair whose .ipynb is newer than its .md.
        os.utime(pair.with_suffix(".md"))


def write_md(pair, nb):
    """Write a notebook to `pair`.md, unless the file already has this content."""
    md, text = pair.with_suffix(".md"), as_md(nb)
    if not md.exists() or md.read_text(encoding="utf-8") != text:
        write_safely(md, text)


def tool():
    """Sync all notebooks, and print what was done."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--keep", default="", choices=["", "md", "ipynb"])
    keep = parser.parse_args().keep
    problems = []
    for pair in all_pairs():
        try:
            done = sync(pair, keep)
        except Problem as problem:
            problems.append(str(problem))
        else:
            print(done or f"{pair}: both halves agree.")
    if problems:
        raise Problem("\n".join(problems))


if __name__ == "__main__":
    main(tool)
