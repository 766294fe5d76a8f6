"""Test that `make sync` never loses work and that its advice works."""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lint
import nbformat
import pytest
import run
import serve
import sync
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupytext.sync_contentsmanager import (
    build_sync_jupytext_contents_manager_class,
)
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from own_git import git
from sessions import Problem, all_pairs, as_md, cleaned, read_ipynb, read_md

from tests.scheduling import pytest_ignore_collect

ROOT = Path.cwd()
PAIR = Path("notebooks/02_net")
SECOND = Path("notebooks/03_other")
# The misspelt word is built from two parts, because `make lint` would
# otherwise report it here.
MISSPELT, CORRECT = "reci" + "eve", "receive"
MD, IPYNB = PAIR.with_suffix(".md"), PAIR.with_suffix(".ipynb")


def ten_cells():
    """Return a notebook with ten cells, as `make run` would store it."""
    printed = [new_output("stream", text="3\n")]
    title, *texts = (
        new_markdown_cell(text) for text in ("# Nets", "One\n\nTwo", "Three")
    )
    title.metadata["slideshow"] = {"slide_type": "slide"}
    codes = [
        new_code_cell("a, b = 1, 2", execution_count=1),
        new_code_cell("a + b", execution_count=2, outputs=printed),
        new_code_cell("answer_1 = None", execution_count=3),
        new_code_cell("print(answer_1)", execution_count=4),
    ]
    codes[2].metadata["tags"] = ["answer-1"]
    codes[3].metadata["tags"] = ["check-1"]
    ends = [new_markdown_cell(f"## End {i}") for i in range(3)]
    nb = nbformat.v4.new_notebook(cells=[title, *codes, *texts, *ends])
    nb.metadata["rise"] = {"theme": "white"}
    return nb


@functools.cache
def halves():
    """Return the bytes of a matching .md and .ipynb with a valid checksum."""
    nb = ten_cells()
    MD.write_text(as_md(nb), encoding="utf-8")
    nbformat.write(cleaned(nb), IPYNB)
    assert sync.sync(PAIR) == ""
    return MD.read_bytes(), IPYNB.read_bytes()


def make_pair(pair):
    """Write a matching .md and .ipynb with a valid checksum."""
    pair.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in zip((".md", ".ipynb"), halves(), strict=True):
        pair.with_suffix(suffix).write_bytes(text)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """Work in a folder with our settings and one notebook, but without git."""
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    PAIR.parent.mkdir()
    make_pair(PAIR)
    return tmp_path


def edit(path, old, new):
    """Replace a text in a file; fail if the text is not there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def change(path, *changes):
    """Change the JSON in a file with functions that imitate an editor."""
    nb = json.loads(path.read_text(encoding="utf-8"))
    for it in changes:
        it(nb)
    path.write_text(json.dumps(nb), encoding="utf-8")


def files():
    """Return the content and modification time of every project file."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in Path().rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def command(module, *arguments):
    """Run `make sync` or `make run` in this process; return the output."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{module.__name__}.py", *arguments])
        patch.setattr("builtins.print", lambda text: said.append(text))
        try:
            module.tool()
        except Problem as problem:
            said.append(f"Problem: {problem}")
    return "\n".join(said)


def refused(*arguments):
    """Check that `make sync` refuses to change any file; return its output."""
    before = files()
    said = command(sync, *arguments)
    assert files() == before
    assert said.count("Problem: ") == 1, said
    assert len(said.split("Problem: ")[1].splitlines()) == 1, said
    return said


def agree(pair=PAIR):
    """Return whether a second `make sync` finds nothing to do."""
    before = files()
    return sync.sync(pair) == "" and files() == before


# The next tests check that `make sync` recognises which file was edited.


def test_sync_changes_nothing_where_both_halves_agree():
    before = files()
    assert command(sync) == f"{PAIR}: both halves agree."
    assert files() == before


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["older", "newer"])
def test_sync_takes_over_an_edited_md_whatever_the_file_times(order):
    edit(MD, "answer_1 = None", "answer_1 = 1 +1")
    for path, when in zip((MD, IPYNB), order, strict=True):
        sync.os.utime(path, (when, when))
    text = MD.read_bytes()
    assert sync.sync(PAIR) == f"{IPYNB} now has the edits from {MD.name}."
    assert MD.read_bytes() == text
    cells = read_ipynb(PAIR).cells
    assert cells[3].source == "answer_1 = 1 +1"
    assert cells[3].execution_count is None
    assert cells[2].outputs[0].text == "3\n", "the output of another cell"
    assert agree()


def test_sync_drops_the_output_of_code_that_was_edited():
    edit(MD, "a + b", "a - b")
    sync.sync(PAIR)
    cell = read_ipynb(PAIR).cells[2]
    assert (cell.source, cell.outputs) == ("a - b", [])


def test_sync_takes_over_an_edited_ipynb():
    edit(IPYNB, "answer_1 = None", "answer_1 = 2")
    kept = read_ipynb(PAIR).cells
    assert sync.sync(PAIR) == f"{MD} now has the edits from {IPYNB.name}."
    assert "answer_1 = 2" in MD.read_text()
    assert read_ipynb(PAIR).cells == kept
    assert agree()


def test_sync_knows_what_was_agreed_last():
    edit(MD, "a + b", "a - b")
    sync.sync(PAIR)
    edit(IPYNB, "a - b", "a * b")
    sync.sync(PAIR)
    assert "a * b" in MD.read_text()
    edit(MD, "a * b", "a + b")
    sync.sync(PAIR)
    assert read_ipynb(PAIR).cells[2].source == "a + b"


def test_sync_accepts_metadata_in_any_order():
    edit(MD, "```python\na + b", '```python tags=["b"] alt="a"\na + b')
    sync.sync(PAIR)
    assert '```python alt="a" tags=["b"]' in MD.read_text()
    assert agree()


def test_sync_rebuilds_a_missing_half():
    text = MD.read_bytes()
    MD.unlink()
    assert "was missing" in sync.sync(PAIR)
    assert MD.read_bytes() == text
    IPYNB.unlink()
    assert "`make run` fills them in" in sync.sync(PAIR)
    assert as_md(read_ipynb(PAIR)).encode() == text
    assert agree()


def test_sync_notes_what_halves_without_a_checksum_agree_on():
    change(IPYNB, lambda nb: nb["metadata"].pop("checksum"))
    assert sync.sync(PAIR) == ""
    edit(IPYNB, "a + b", "a - b")
    assert "now has the edits" in sync.sync(PAIR)


def test_sync_says_so_where_no_checksum_tells_which_half_was_edited():
    change(IPYNB, lambda nb: nb["metadata"].pop("checksum"))
    edit(MD, "a + b", "a - b")
    assert "no checksum" in refused()
    assert "both been edited" not in refused()


def test_sync_asks_neither_git_nor_any_other_program(monkeypatch):
    def no_program(*arguments, **_):
        raise FileNotFoundError(arguments)

    monkeypatch.setattr(subprocess, "Popen", no_program)
    monkeypatch.setattr(sync.os, "system", no_program)
    monkeypatch.setenv("PATH", "")
    Path(".git").write_text("gitdir: /somebody/else's", encoding="utf-8")
    edit(IPYNB, "a + b", "a - b")
    assert "now has the edits" in sync.sync(PAIR)
    edit(MD, "a - b", "a * b")
    assert "now has the edits" in sync.sync(PAIR)
    edit(MD, "a * b", "a")
    edit(IPYNB, "a * b", "b")
    assert "both been edited" in refused()


@pytest.mark.parametrize("edited", [MD, IPYNB])
@pytest.mark.parametrize("writes", [0, 1])
def test_an_interrupted_sync_loses_nothing(monkeypatch, edited, writes):
    edit(edited, "a + b", "a - b")
    real, count = sync.write_safely, iter(range(9))

    def write(*arguments):
        if next(count) == writes:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(sync, "write_safely", write)
    try:
        sync.sync(PAIR)
    except KeyboardInterrupt:
        monkeypatch.setattr(sync, "write_safely", real)
        sync.sync(PAIR)
    assert read_md(PAIR).cells[2].source == "a - b"
    assert read_ipynb(PAIR).cells[2].source == "a - b"


# Changes that an editor makes by itself do not count as edits.


def in_cells(**added):
    """Return a function that adds metadata to every cell."""

    def add(nb):
        for cell in nb["cells"]:
            cell["metadata"].update(added)

    return add


def in_notebook(**added):
    """Return a function that adds metadata to the notebook."""
    return lambda nb: nb["metadata"].update(added)


def without_ids(nb):
    nb["nbformat_minor"] = 0
    for cell in nb["cells"]:
        del cell["id"]


def new_ids(nb):
    for i, cell in enumerate(nb["cells"]):
        cell["id"] = f"cell-{i}"


def same_ids(nb):
    for cell in nb["cells"]:
        cell["id"] = "same"


def crlf_in_cells(nb):
    for cell in nb["cells"]:
        source = "".join(cell["source"])
        cell["source"] = source.replace("\n", "\r\n")


def other_order(nb):
    for node in (nb, nb["metadata"], *nb["cells"]):
        items = list(node.items())[::-1]
        node.clear()
        node.update(items)


def after_execution(nb):
    for i, cell in enumerate(nb["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = i + 50
            cell["outputs"] = []


KERNEL = {"display_name": ".venv", "language": "python", "name": "venv"}
INFO = {"name": "python", "version": "3.99.1"}
TIMES = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
BY_EDITORS = {
    "the name of a kernel": in_notebook(kernelspec=KERNEL),
    "no kernel": lambda nb: nb["metadata"].pop("kernelspec"),
    "Python's version": in_notebook(language_info=INFO),
    "VS Code's settings": in_cells(vscode={"languageId": "python"}),
    "VS Code's interpreter": in_notebook(vscode={"interpreter": {}}),
    "JupyterLab's folds": in_cells(
        collapsed=True, jupyter={"source_hidden": True}, scrolled=False
    ),
    "JupyterLab's times": in_cells(execution=TIMES),
    "classic's flags": in_cells(trusted=True, editable=False, deletable=True),
    "empty tags": lambda nb: [
        cell["metadata"].setdefault("tags", []) for cell in nb["cells"]
    ],
    "jupytext's hints": in_cells(lines_to_next_cell=2),
    "jupytext's version": lambda nb: nb["metadata"]["jupytext"].update(
        text_representation={"jupytext_version": "9.9", "extension": ".md"}
    ),
    "Colab's cells": in_cells(id="aBc", colab={}, outputId="d-e"),
    "Colab's settings": in_notebook(
        colab={"provenance": []}, accelerator="GPU", widgets={}
    ),
    "an older form": without_ids,
    "other ids": new_ids,
    "ids given twice": same_ids,
    "CRLF in cells": crlf_in_cells,
    "another order": other_order,
    "an execution": after_execution,
}
ALL_EDITORS = [it for name, it in BY_EDITORS.items() if name != "no kernel"]


def encoded(bom=b"", newline=b"\n", end=b"\n"):
    """Return a function that changes a file's line ends or byte order mark."""

    def convert(path):
        text = path.read_text(encoding="utf-8-sig").strip().encode()
        path.write_bytes(bom + text.replace(b"\n", newline) + end)

    return convert


BY_MACHINES = {
    "CRLF": encoded(newline=b"\r\n", end=b"\r\n"),
    "CR": encoded(newline=b"\r", end=b"\r"),
    "a byte order mark": encoded(bom=b"\xef\xbb\xbf"),
    "no final newline": encoded(end=b""),
    "many final newlines": encoded(end=b"\n\n\n"),
}


@pytest.mark.parametrize("added", BY_EDITORS.values(), ids=BY_EDITORS)
def test_what_an_editor_adds_to_the_ipynb_is_no_edit(added):
    change(IPYNB, added)
    before = files()
    assert sync.sync(PAIR) == ""
    assert files() == before
    # The additions must not turn an edit of the .md into a conflict, either.
    edit(MD, "a + b", "a - b")
    text = MD.read_bytes()
    assert sync.sync(PAIR) == f"{IPYNB} now has the edits from {MD.name}."
    assert MD.read_bytes() == text
    assert agree()


@pytest.mark.parametrize("path", [MD, IPYNB], ids=["md", "ipynb"])
@pytest.mark.parametrize("written", BY_MACHINES.values(), ids=BY_MACHINES)
def test_how_a_machine_writes_a_text_is_no_edit(written, path):
    written(path)
    assert sync.sync(PAIR) == ""
    other = IPYNB if path == MD else MD
    edit(other, "a + b", "a - b")
    written(path)
    assert sync.sync(PAIR).endswith(f"now has the edits from {other.name}.")
    assert read_md(PAIR).cells[2].source == "a - b"
    assert read_ipynb(PAIR).cells[2].source == "a - b"
    assert agree()


def test_another_kernel_in_the_md_is_no_edit():
    text = MD.read_text()
    edit(MD, "name: python3", "name: venv")
    edit(MD, "display_name: Python 3 (ipykernel)", "display_name: .venv")
    assert sync.sync(PAIR) == ""
    assert MD.read_text() == text


def test_nothing_that_an_editor_adds_reaches_the_md():
    text = MD.read_text()
    change(IPYNB, *ALL_EDITORS)
    edit(IPYNB, "a + b", "a - b")
    assert "now has the edits" in sync.sync(PAIR)
    assert MD.read_text() == text.replace("a + b", "a - b")


def test_what_an_editor_adds_is_dropped_and_nothing_else():
    """Every tool that saves a notebook uses `cleaned`."""
    clean = read_ipynb(PAIR)
    assert cleaned(clean) == clean
    change(IPYNB, *ALL_EDITORS)
    nb = cleaned(json.loads(IPYNB.read_text()))
    assert cleaned(nb) == nb
    assert {**nb.metadata, "language_info": {}} == {
        **clean.metadata,
        "language_info": {},
    }
    assert "version" not in nb.metadata.language_info
    assert [c.metadata for c in nb.cells] == [c.metadata for c in clean.cells]
    assert [c.source for c in nb.cells] == [c.source for c in clean.cells]


def test_only_real_differences_are_named():
    edit(MD, "# Nets", "# Network")
    edit(IPYNB, "a + b", "a - b")
    change(IPYNB, *ALL_EDITORS)
    said = refused()
    named = re.search(r"They differ in (.*?)\. Choose", said)[1]
    assert named == ("cell 1 (markdown: '# Network'), cell 3 (code: 'a + b')")


def test_differences_are_named_by_cell_and_counted():
    edit(MD, "# Nets", "# Network")
    change(
        IPYNB,
        lambda nb: nb["cells"].insert(4, {**nb["cells"][1], "id": "new"}),
        lambda nb: nb["cells"].pop(7),
        lambda nb: nb["metadata"]["rise"].update(theme="black"),
    )
    assert all(
        name in refused()
        for name in (
            "cell 1 (markdown: '# Network')",
            "cell 5 of the .ipynb only (code: 'a, b = 1, 2')",
            "cell 7 of the .md only (markdown: 'Three')",
            "the notebook's metadata 'rise'",
        )
    ), refused()
    for number in range(10):
        edit(MD, f"## End {number}", f"## Ends {number}") if number < 3 else 0
    assert "and 2 more" in refused()


# The next tests are about the checksum.


def test_the_checksum_is_never_in_the_md():
    value = read_ipynb(PAIR).metadata.checksum
    assert len(value) == 64
    edit(IPYNB, "a + b", "a - b")
    sync.sync(PAIR)
    assert read_ipynb(PAIR).metadata.checksum not in (value, MD.read_text())
    assert "checksum" not in MD.read_text()


@pytest.mark.parametrize("paired", [False, True], ids=["alone", "by jupytext"])
def test_the_checksum_survives_an_editors_save(paired):
    manager = FileContentsManager
    if paired:
        manager = build_sync_jupytext_contents_manager_class(manager)
    manager = manager(root_dir=str(Path.cwd()))
    before = read_ipynb(PAIR).metadata.checksum
    model = manager.get(str(IPYNB))
    model["content"]["cells"][2]["source"] = "a - b"
    model["content"]["metadata"]["kernelspec"] = KERNEL
    manager.save(model, str(IPYNB))
    assert read_ipynb(PAIR).metadata.checksum == before
    assert "checksum" not in MD.read_text()
    assert ("a - b" in MD.read_text()) == paired
    sync.sync(PAIR)
    assert "a - b" in MD.read_text()
    assert "venv" not in MD.read_text()
    assert agree()


# The next tests are about conflicts and how a user can resolve them.


def conflict(pair=PAIR, number=0):
    """Edit one cell in the .md and another cell in the .ipynb."""
    edit(pair.with_suffix(".md"), "answer_1 = None", f"answer_1 = {number}")
    edit(pair.with_suffix(".ipynb"), "# Nets", f"# Nets {number}")


def test_sync_refuses_where_both_halves_were_edited_and_loses_nothing():
    conflict()
    said = refused()
    assert "cell 1 (markdown: '# Nets')" in said
    assert "cell 4 (code: 'answer_1 = 0')" in said
    assert "KEEP=md" in said
    assert "KEEP=ipynb" in said
    before = files()
    assert "was left as it was" in command(run), "`make run` must not choose."
    assert files() == before


@pytest.mark.parametrize("keep", ["md", "ipynb"])
def test_the_half_that_is_not_kept_is_put_aside_as_it_was(keep):
    conflict()
    lost = (IPYNB if keep == "md" else MD).read_bytes()
    said = command(sync, "--keep", keep)
    for text in (MD.read_text(), IPYNB.read_text()):
        assert ("answer_1 = 0" in text) == (keep == "md")
        assert ("# Nets 0" in text) == (keep == "ipynb")
    (aside,) = re.findall(r"saved as (\S+)\.$", said)
    assert Path(aside).read_bytes() == lost
    assert agree()


@pytest.mark.parametrize("keep", ["md", "ipynb"])
def test_keep_settles_only_pairs_that_are_in_conflict(keep):
    make_pair(SECOND)
    third = Path("notebooks/solutions/02_net")
    make_pair(third)
    conflict()
    edit(SECOND.with_suffix(".ipynb"), "a + b", "a - b")
    edit(third.with_suffix(".md"), "a + b", "a * b")
    command(sync, "--keep", keep)
    for pair, code in ((SECOND, "a - b"), (third, "a * b")):
        assert read_md(pair).cells[2].source == code
        assert read_ipynb(pair).cells[2].source == code


@pytest.mark.parametrize("keep", ["md", "ipynb"])
def test_nothing_that_was_put_aside_is_overwritten(keep):
    kept = []
    make_pair(Path("notebooks/solutions/02_net"))
    for pair in all_pairs() * 3:
        conflict(pair)
        kept.append((IPYNB if keep == "md" else MD).suffix)
        lost = pair.with_suffix(kept[-1]).read_bytes()
        said = command(sync, "--keep", keep)
        kept[-1] = Path(re.search(r"saved as (\S+)\.$", said, re.M)[1]), lost
        make_pair(pair)
    assert len({path for path, _ in kept}) == 6
    assert all(path.read_bytes() == lost for path, lost in kept)


def test_git_does_not_see_what_was_put_aside(project):
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "start")
    conflict()
    command(sync, "--keep", "md")
    status = git(project, "status", "--porcelain").split()
    assert status == ["M", str(IPYNB), "M", str(MD)]


def test_the_command_ends_with_a_sentence_and_its_status():
    tool = [sys.executable, ROOT / "tests/tools/sync.py"]
    conflict()
    done = subprocess.run(tool, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Problem: {done.stderr.strip()}" == refused()
    done = subprocess.run([*tool, "--keep=md"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# The next tests are about damaged files.


def move_out(path):
    """Move a file out of notebooks/, as the message advises."""
    shutil.move(path, Path(path.name))


def half_written(path):
    text = path.read_bytes()
    path.write_bytes(text[: text.index(b"a + b") + 2])


DAMAGE = {
    "empty": lambda path: path.write_text(""),
    "half-written": half_written,
    "not a text": lambda path: path.write_bytes(b"\xff\xfe\x00\xd8"),
    "something else": lambda path: path.write_text('{"a": 1}'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("path", [MD, IPYNB], ids=["md", "ipynb"])
def test_a_damaged_half_stays_and_is_rebuilt_as_advised(path, damage):
    damage(path)
    for keep in ("", "md", "ipynb"):
        said = refused("--keep", keep)
        assert f"{path} is damaged" in said
        assert "git" not in said
    before = files()
    assert f"{path} is damaged" in command(run)
    assert files() == before
    other = IPYNB if path == MD else MD
    assert "move it out of notebooks/" in said
    assert f"`make sync` rebuilds it from {other.name}" in said
    move_out(path)
    assert "rebuilt" in command(sync)
    assert agree()


@pytest.mark.parametrize("other", ["damaged", "missing"])
@pytest.mark.parametrize("path", [MD, IPYNB], ids=["md", "ipynb"])
def test_no_whole_half_is_mended_as_advised(path, other):
    copy = Path("copy.md")
    shutil.copy(MD, copy)
    half_written(MD)
    half_written(IPYNB)
    if other == "missing":
        (IPYNB if path == MD else MD).unlink()
    said = refused()
    assert "restore an earlier copy of one of them" in said
    shutil.copy(copy, MD)
    assert "move the other one out of notebooks/" in said
    if IPYNB.exists():
        move_out(IPYNB)
    assert "rebuilt" in command(sync)
    assert agree()


def test_an_md_that_was_cut_off_is_not_taken_for_an_edit():
    text = MD.read_bytes()
    for cell in re.finditer(
        rb"^```python.*?\n```$|^<!-- #r.*? -->$", text, re.M | re.S
    ):
        for cut in range(cell.start() + 10, cell.end(), 3):
            MD.write_bytes(text[:cut])
            with pytest.raises(Problem, match="damaged"):
                read_md(PAIR)


# The next tests are about merges.

OURS = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n"


def in_md(old, new):
    edit(MD, old, OURS.format(old, new).strip())


def in_json(old, new):
    line = next(it for it in IPYNB.read_text().splitlines() if old in it)
    edit(IPYNB, f"{line}\n", OURS.format(line, line.replace(old, new)))


def in_cell(old, new):
    change(IPYNB, lambda nb: mark(nb, OURS.format(old, new)))


def mark(nb, text):
    nb["cells"][2]["source"] = text


def by_nbdev(old, new):
    change(IPYNB, lambda nb: mark(nb, "`<<<<<<< HEAD`"))


def by_nbdime(old, new):
    red = '<span style="color:red">**{}**</span>'
    change(IPYNB, lambda nb: mark(nb, red.format("<<<<<<< local")))


def half_resolved(old, new):
    edit(MD, old, f"{new}\n>>>>>>> other")


MERGES = (in_md, in_json, in_cell, by_nbdev, by_nbdime, half_resolved)


@pytest.mark.parametrize("merge", MERGES)
def test_the_markers_of_a_merge_never_reach_the_other_half(merge):
    merge("a + b", "a - b")
    path = MD if merge in (in_md, half_resolved) else IPYNB
    for keep in ("", "md", "ipynb"):
        said = refused("--keep", keep)
        assert f"{path} contains the conflict markers of a merge" in said
        assert "git" not in said
    place = re.search(r"\((line|cell) (\d+)\)", said)
    lines = path.read_text().splitlines()
    found = (
        lines[int(place[2]) - 1]
        if place[1] == "line"
        else "".join(
            json.loads(path.read_text())["cells"][int(place[2]) - 1]["source"]
        )
    )
    assert "<<<<<<<" in found or ">>>>>>>" in found
    before = files()
    assert "markers" in command(run)
    assert files() == before
    if merge is in_json:
        assert (
            f"Move it out of notebooks/ and `make sync` rebuilds it from {MD.name}."
            in said
        )
        move_out(IPYNB)
    else:
        assert (
            "Edit it until only one version is left and the markers are gone"
            in said
        )
        if path == MD:
            text = MD.read_text()
            text = re.sub(r"<<<<<<<.*?=======\n", "", text, flags=re.S)
            MD.write_text(re.sub(r"\n>>>>>>> other", "", text))
        else:
            change(IPYNB, lambda nb: mark(nb, "a - b"))
    assert re.search("rebuilt|now has the edits", command(sync))
    if merge is not in_json:
        assert read_md(PAIR).cells[2].source == "a - b"
    assert agree()


@pytest.mark.parametrize("same_cell", [True, False], ids=["same", "others"])
def test_a_merge_is_finished_as_advised(project, same_cell):
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "start")
    git(project, "checkout", "-q", "-b", "other")
    edit(MD, "a + b", "a - b")
    sync.sync(PAIR)
    git(project, "commit", "-qam", "minus")
    git(project, "checkout", "-q", "main")
    old, new = ("a + b", "a * b") if same_cell else ("# Nets", "# Network")
    edit(MD, old, new)
    sync.sync(PAIR)
    git(project, "commit", "-qam", "times")
    with pytest.raises(subprocess.CalledProcessError):
        git(project, "merge", "--no-edit", "other")
    assert "<<<<<<<" in IPYNB.read_text()
    if same_cell:
        assert f"{MD} contains the conflict markers" in refused()
        text = MD.read_text()
        text = re.sub(r"<<<<<<<.*?=======\n", "", text, flags=re.S)
        MD.write_text(re.sub(r"\n>>>>>>> other", "", text))
    assert "Move it out of notebooks/ and `make sync` rebuilds" in refused()
    move_out(IPYNB)
    assert "rebuilt" in command(sync)
    assert agree()
    git(project, "add", "notebooks")
    git(project, "commit", "-qm", "merged")
    cells = [c.source for c in read_ipynb(PAIR).cells]
    assert "a - b" in cells
    assert same_cell or "# Network" in cells


# A reader can always use `make lab`, `make slides` and `make lint`.


def opened(monkeypatch, page, session="2"):
    """Run `make lab` or `make slides` up to the start of its server.

    Return the path of the page that the command would open ("" for none), and
    the output.
    """
    pages, said = [], []
    arguments = ["serve.py", page, "--session", session]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(serve, "serve", lambda path, *_: pages.append(path))
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr("builtins.print", said.append)
    try:
        serve.tool()
    except Problem as problem:
        said.append(str(problem))
    return "".join(pages), "\n".join(said)


PAGES = {"lab": f"lab/tree/{IPYNB}", "slides": f"nbclassic/notebooks/{IPYNB}"}
on_both_pages = pytest.mark.parametrize("page", PAGES)


def answer(nb):
    """Type an answer and a note, as a reader would."""
    note = {
        "cell_type": "markdown",
        "metadata": {},
        "source": [f"To {MISSPELT} nets"],
    }
    nb["cells"].insert(5, {"id": "note", **note})
    nb["cells"][3]["source"] = [f"answer_1=[ 1,2 ]  # {MISSPELT}"]


@on_both_pages
def test_opening_a_session_writes_nothing(monkeypatch, page):
    def forget(nb):
        del nb["metadata"]["checksum"]

    edit(MD, "name: python3", "name: venv")
    for by_the_reader in ([], ALL_EDITORS, [forget]):
        change(IPYNB, *by_the_reader)
        before = files()
        assert opened(monkeypatch, page) == (PAGES[page], "")
        assert files() == before


@on_both_pages
def test_opening_a_session_leaves_an_answer_where_it_is(monkeypatch, page):
    for by_the_reader in ([answer], ALL_EDITORS):
        change(IPYNB, *by_the_reader)
        before = files()
        assert opened(monkeypatch, page) == (PAGES[page], "")
        assert files() == before


@on_both_pages
def test_opening_a_session_shows_the_edits_of_its_md(monkeypatch, page):
    edit(MD, "a + b", "a - b")
    text = MD.read_bytes()
    _, said = opened(monkeypatch, page)
    assert said == f"{IPYNB} now has the edits from {MD.name}."
    assert read_ipynb(PAIR).cells[2].source == "a - b"
    assert MD.read_bytes() == text


@on_both_pages
@pytest.mark.parametrize(
    "trouble",
    [conflict, lambda: half_written(MD), lambda: in_md("a + b", "a - b")],
    ids=["conflict", "damaged md", "merge in the md"],
)
def test_trouble_between_the_halves_does_not_stop_reading(
    monkeypatch, page, trouble
):
    trouble()
    why = refused().removeprefix("Problem: ")
    before = files()
    said = f"{why}\nOpening {IPYNB} as it is."
    assert opened(monkeypatch, page) == (PAGES[page], said)
    assert files() == before


@on_both_pages
def test_what_cannot_be_opened_gets_one_sentence(monkeypatch, page):
    half_written(IPYNB)
    before = files()
    path, said = opened(monkeypatch, page)
    assert (path, said) == ("", refused().removeprefix("Problem: "))
    assert files() == before
    assert "choose SESSION from 2." in opened(monkeypatch, page, "9")[1]
    move_out(IPYNB)
    assert "rebuilt" in opened(monkeypatch, page)[1]
    assert agree()


@on_both_pages
def test_a_session_without_its_md_can_be_read(monkeypatch, page):
    MD.unlink()
    assert opened(monkeypatch, page) == (PAGES[page], "")


def test_a_folder_without_notebooks_gets_one_sentence(monkeypatch, project):
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    said = command(sync)
    assert "run this in the project's folder" in said
    monkeypatch.chdir(project)
    assert "agree" in command(sync)


# The next tests are about a reader's own copies, which no tool may change.

README = (ROOT / "README.md").read_text(encoding="utf-8")
COPY, BACK = re.findall(
    r"`(cp notebooks/\S+ \S+|git checkout notebooks/\S+)`", README
)


def shell(line):
    """Run a command from the README on the session that these tests use."""
    line = line.replace("02_neural_nets", PAIR.name)
    program, *words = line.split()
    if program == "git":
        paths = [str(path) for path in Path().glob(words[1])]
        return git(Path.cwd(), words[0], *paths)
    return subprocess.run([program, *words], check=True)


@pytest.fixture
def upstream(project, tmp_path_factory, monkeypatch):
    """Work in a clone of the project; return the original's path."""
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "start")
    clone = tmp_path_factory.mktemp("reader")
    git(clone, "clone", "-q", str(project), ".")
    monkeypatch.chdir(clone)
    return project


def update(upstream, monkeypatch):
    """Publish an update that changes the cell that contains the answer."""
    with monkeypatch.context() as patch:
        patch.chdir(upstream)
        edit(MD, "answer_1 = None", "answer_1 = None  # a new gap")
        edit(MD, "# Nets", "# Networks")
        sync.sync(PAIR)
        git(upstream, "commit", "-qam", "a new version")


@pytest.mark.parametrize("late", [False, True], ids=["copy first", "too late"])
@pytest.mark.parametrize("synced", [False, True], ids=["", "synced"])
def test_answers_survive_an_update_as_the_readme_says(
    monkeypatch, upstream, late, synced
):
    mine = PAIR.with_name(f"my_{PAIR.name}").with_suffix(".ipynb")
    if not late:
        shell(COPY)
    change(IPYNB if late else mine, answer)
    if late:
        if synced:
            sync.sync(PAIR)
        shell(COPY)
        shell(BACK)
    answers = mine.read_bytes()
    update(upstream, monkeypatch)
    git(Path.cwd(), "pull", "-q", "--ff-only")
    assert "# Networks" in MD.read_text()
    assert "both halves agree" in command(sync)
    assert mine.read_bytes() == answers
    assert git(Path.cwd(), "status", "--porcelain") == ""
    path, said = opened(monkeypatch, "lab")
    assert path == f"lab/tree/{mine}"
    assert said == f"Opening your own copy, {mine}."
    assert opened(monkeypatch, "slides")[0] == PAGES["slides"]
    half_written(mine)
    path, said = opened(monkeypatch, "lab")
    assert path == PAGES["lab"]
    assert "is damaged" in said


COPIES = ("my_02_net", "02_net-Copy1", "02_mine", "Untitled", "02_net (1)")


@pytest.mark.parametrize("name", COPIES)
def test_a_readers_own_notebook_is_none_of_ours(name):
    copy = PAIR.with_name(name).with_suffix(".ipynb")
    shutil.copy(IPYNB, copy)
    change(copy, answer)
    assert all_pairs() == [PAIR]
    assert command(sync) == f"{PAIR}: both halves agree."
    assert not copy.with_suffix(".md").exists()


def test_the_tests_leave_a_readers_own_notebooks_out(pytestconfig):
    def left_out(path):
        return pytest_ignore_collect(path.resolve(), pytestconfig)

    for name in COPIES:
        path = PAIR.with_name(name).with_suffix(".ipynb")
        shutil.copy(IPYNB, path)
        assert left_out(path)
    assert not left_out(IPYNB)
    assert not left_out(Path("elsewhere.ipynb"))


# `make lint` checks the project's own text, but not a reader's answers.


@pytest.fixture
def linted(project, monkeypatch, capfd):
    """Return a function that runs `make lint` and returns what it finds."""
    make_pair(PAIR.parent / "solutions" / PAIR.name)
    Path("tests").mkdir()
    Path("tests/test_a.py").write_text("a = 1\n", encoding="utf-8")

    def run_it():
        try:
            lint.tool()
        except Problem:
            return capfd.readouterr().out
        return ""

    return run_it


def test_no_answer_stops_lint(linted):
    assert linted() == ""
    change(IPYNB, answer)
    shutil.copy(IPYNB, "notebooks/my_02_net.ipynb")
    Path("notebooks/my_notes.md").write_text(
        f"To {MISSPELT}", encoding="utf-8"
    )
    assert linted() == ""
    # `make lint` ignores an answer that `make sync` has copied into the .md,
    # even if the answer is not valid Python.
    change(IPYNB, lambda nb: nb["cells"].pop(5))
    change(
        IPYNB, lambda nb: nb["cells"][3].update(source=f"{MISSPELT} ]= (\n\n1")
    )
    sync.sync(PAIR)
    assert MISSPELT in MD.read_text()
    assert linted() == ""


def test_lint_finds_what_the_project_itself_says_wrongly(linted):
    solutions = Path("notebooks/solutions/02_net.md")
    before = files()
    edit(MD, "a, b = 1, 2", "import json")
    edit(MD, "a + b", "a+nothing")
    edit(MD, "Two", MISSPELT)
    edit(solutions, "answer_1 = None", f"answer_1 = None  # {MISSPELT}")
    edit(Path("tests/test_a.py"), "a = 1", "import re")
    line = MD.read_text().splitlines().index(MISSPELT) + 1
    said = linted()
    for words in (
        "`json` imported but unused",
        "Undefined name `nothing`",
        "unformatted",
        f"./{MD}:{line}: {MISSPELT} ==> {CORRECT}",
        f"./{solutions}:",
        "`re` imported but unused",
    ):
        assert words in said, said
    for path, (text, _) in before.items():
        path.write_bytes(text)
    assert linted() == ""


# The next test checks how our tests use git.


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
def test_git_in_tests_touches_no_other_repository(project, monkeypatch, named):
    """Run git in the environment of a hook, which points to a repository."""
    git(project, "init", "-q")
    git(project, "add", ".")
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hooked\n")
    hook.chmod(0o755)

    def state():
        return {
            path: path.read_bytes()
            for path in project.rglob("*")
            if path.is_file()
        }

    before = state()
    if named:
        monkeypatch.setenv("GIT_DIR", str(project / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(project / ".git" / "index"))
        monkeypatch.setenv("GIT_WORK_TREE", str(project))
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    inside = project / "inside"
    inside.mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        git(inside, "status")
    git(inside, "init", "-q")
    (inside / "file").write_text("")
    git(inside, "add", ".")
    git(inside, "commit", "-qm", "start")
    assert git(inside, "log", "--format=%s %an").strip() == "start test"
    assert not (inside / "hooked").exists()
    shutil.rmtree(inside)
    assert state() == before
