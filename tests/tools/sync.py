"""`make sync`: bring the halves of each pair together, and never lose work.

jupytext's own --sync believes the file that was written last. Git does not
keep file times, so we compare contents: each half with the text on which both
agreed last, kept in .sync/, and with the last commit. Only a half that nobody
has edited is overwritten.
"""

import argparse
import contextlib
import os
import subprocess
from difflib import SequenceMatcher
from pathlib import Path

import nbformat
from jupytext.combine import combine_inputs_with_outputs
from sessions import (
    Problem,
    all_pairs,
    as_md,
    main,
    read_ipynb,
    read_md,
    write_safely,
)

AGREED = Path(".sync")


def sync(pair, keep=""):
    """Bring both halves of one pair together, by content.

    Takes: `pair`, its path without suffix; `keep`, "md" or "ipynb", which half
    wins where both were edited (the other's text is put aside in .sync/).
    Returns what was done, as a sentence, or "" where nothing was to do.
    Raises Problem, and changes nothing, where both were edited and `keep` is
    empty, or where a half is damaged.
    """
    md, ipynb = pair.with_suffix(".md"), pair.with_suffix(".ipynb")
    if not ipynb.exists():
        nb = read_md(pair)
        write_ipynb(pair, nb)
        agree(pair, as_md(nb, pair))
        return f"{ipynb} was missing: rebuilt from {md.name}, without outputs; `make run` fills them in."
    nb = read_ipynb(pair)
    in_ipynb = as_md(nb, pair)
    if not md.exists():
        agree(pair, in_ipynb)
        return f"{md} was missing: rebuilt from {ipynb.name}."
    edited = read_md(pair)
    in_md = as_md(edited, pair)
    if in_md == in_ipynb:
        agree(pair, in_ipynb)
        return ""

    winner = keep or only_edited_half(pair, in_md, in_ipynb)
    if not winner:
        raise Problem(
            f"{md} and {ipynb.name} were both edited since they last agreed, so nothing was changed. "
            f"They differ in {differing_cells(edited, nb)}. "
            f"`make sync KEEP=md` or `make sync KEEP=ipynb` says which half to keep; "
            f"the other's text is put aside in {AGREED}/."
        )
    if keep:
        loser, text = (".ipynb", in_ipynb) if keep == "md" else (".md", in_md)
        aside = AGREED / f"{pair}{loser}.aside.md"
        write_safely(aside, text)
    if winner == "md":
        write_ipynb(pair, with_valid_outputs(edited, nb))
        agree(pair, in_md)
        done = f"{ipynb} took over the edits of {md.name}."
    else:
        agree(pair, in_ipynb)
        done = f"{md} took over the edits of {ipynb.name}."
    return f"{done} The other text is in {aside}." if keep else done


def only_edited_half(pair, in_md, in_ipynb):
    """Return "md" or "ipynb" if only that half was edited, else ""."""
    agreed = AGREED / f"{pair}.md"
    known = {agreed.read_text(encoding="utf-8")} if agreed.exists() else set()
    known_md = known | {committed(pair.with_suffix(".md"))}
    known_ipynb = set(known)
    # A committed notebook that is damaged, or none at all, says nothing.
    with contextlib.suppress(
        nbformat.reader.NotJSONError, AttributeError, KeyError
    ):
        nb = nbformat.reads(
            committed(pair.with_suffix(".ipynb")), as_version=4
        )
        known_ipynb.add(as_md(nb, pair))
    md_edited, ipynb_edited = (
        in_md not in known_md,
        in_ipynb not in known_ipynb,
    )
    if md_edited == ipynb_edited:
        return ""
    return "md" if md_edited else "ipynb"


def committed(path):
    """Return the text of a file in the last commit, "" where there is none."""
    shown = subprocess.run(
        ["git", "show", f"HEAD:./{path}"],
        capture_output=True,
        encoding="utf-8",
    )
    return shown.stdout if shown.returncode == 0 else ""


def differing_cells(first, second):
    """Name the cells in which two notebooks differ, for a person to find them."""

    def look(cells):
        return [(c.cell_type, c.source, str(c.metadata)) for c in cells]

    named = []
    for kind, a, b, c, d in SequenceMatcher(
        None, look(first.cells), look(second.cells), autojunk=False
    ).get_opcodes():
        if kind != "equal":
            at = first.cells[a:b] or second.cells[c:d]
            line = next(
                (s for s in at[0].source.splitlines() if s.strip()), ""
            )
            named.append(f"cell {a + 1} ({at[0].cell_type}: {line[:40]!r})")
    return ", ".join(named) or "the notebook's metadata"


def with_valid_outputs(edited, executed):
    """Return `edited` with the outputs of those cells whose code is unchanged.

    jupytext keeps a cell's output also where its code was edited since; such
    an output would be a lie, so it is dropped.
    """
    nb = combine_inputs_with_outputs(edited, executed)
    unchanged = {c.source for c in executed.cells if c.cell_type == "code"}
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.source not in unchanged:
            cell.outputs, cell.execution_count = [], None
    return nb


def write_ipynb(pair, nb):
    """Write `pair`.ipynb, as a whole or not at all."""
    # Python's version would change with every machine, and says nothing.
    nb.metadata.get("language_info", {}).pop("version", None)
    write_safely(pair.with_suffix(".ipynb"), nbformat.writes(nb) + "\n")


def agree(pair, text):
    """Let `pair`.md hold `text`, on which both halves agree, and remember it."""
    md = pair.with_suffix(".md")
    if not md.exists() or md.read_text(encoding="utf-8") != text:
        write_safely(md, text)
    # Jupyter refuses a pair whose .ipynb is newer than its .md.
    os.utime(md)
    write_safely(AGREED / f"{pair}.md", text)


def tool():
    """Sync every pair; say what was done, or that nothing was."""
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
