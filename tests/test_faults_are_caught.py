"""Plant faults in copies of the project, and test that the tests find them.

Tests that need a kernel are tried on a session with only a few cells. Tests
that only read files are tried on a copy of Session 2.
"""

import re
import shutil

import nbformat
import pytest
from sessions import find_session, kind_of, read_ipynb, write_safely

from tests.example import ROOT, code, project_in, write

SESSION = find_session("2").absolute()


@pytest.fixture
def example(pytester):
    """Return the path of the example in a project with no other session."""
    return project_in(pytester.path)


@pytest.fixture
def project(pytester):
    """Return the path of Session 2 in a copy of the project."""
    for name in ("tests", "notebooks", "img"):
        shutil.copytree(ROOT / name, pytester.path / name)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    return pytester.path / "notebooks" / SESSION.name


def cell(nb, text):
    """Return the only code cell that contains `text`, and its number."""
    cells = [c for c in nb.cells if c.cell_type == "code"]
    (found,) = [
        (number, c) for number, c in enumerate(cells) if text in c.source
    ]
    return found


def failures(pytester, *arguments):
    """Run pytest in the copy; return the failed tests and the output."""
    # Use one new process, which loads the plugins of the copied project and
    # not those of the outer run.
    result = pytester.runpytest_subprocess("-n0", "--color=no", *arguments)
    output = result.stdout.str()
    assert re.search(r"\d (passed|failed)", output), output
    return set(
        re.findall(r"^FAILED \S+?::(\w+(?: \d+)?(?:, \w+)?)", output, re.M)
    ), output


def test_every_fault_in_a_run_is_caught_and_nothing_else(example, pytester):
    nb = read_ipynb(example)
    _, changed = cell(nb, "pi = 3.1")
    changed.source = "pi = -3.1"
    sign, _ = cell(nb, "first = area(2)")
    promise, _ = cell(nb, "assert first > 0")

    integer, three = cell(nb, "len([1, 2, 3])")
    three.outputs[0].text = "4\n"

    emptied, hollow = cell(nb, 'print("round")')
    hollow.outputs = []

    # Each entry contains a cell and says whether the cell is faulty.
    more = [
        (code("print(12.4)", 1, "12.5\n"), True),
        # Another processor may round the numbers like this.
        (code("print(12.4)", 1, "12.401\n"), False),
        # NumPy pads with spaces when it drops a final 0.
        (code('print("[4.22  4.066]")', 1, "[4.219 4.066]\n"), False),
        # With this tag, floats may differ by up to 1.0.
        (code('print("62.5 %")', 1, "62.4 %\n", tags=["within-1.0"]), False),
        (code('print("62.5 %")', 1, "63.6 %\n", tags=["within-1.0"]), True),
        (code("print(not_defined)", 1, "1\n"), True),
        (nbformat.v4.new_code_cell("print(1)"), True),
    ]
    first = sum(c.cell_type == "code" for c in nb.cells)
    nb.cells += [it for it, _ in more]
    planted = {first + i for i, (_, fault) in enumerate(more) if fault}

    write(example, nb)
    failed, output = failures(pytester, f"{example}.ipynb", "-k", "Cell")
    planted |= {sign, promise, integer, emptied}
    assert failed == {f"Cell {n}" for n in planted}, output
    assert "NameError" in output
    assert "This cell has never been executed: run `make run`." in output


def test_every_fault_in_an_exercise_is_caught(example, pytester):
    solutions = example.parent / "solutions" / example.name
    paths = [f"{it}.ipynb" for it in (example, solutions)]
    # Without a fault, everything passes.
    failed, output = failures(pytester, *paths)
    assert not failed, output

    solved = read_ipynb(solutions)
    last, _ = cell(solved, "exec(tagged")
    _, answer = cell(solved, "answer_1 = ")
    answer.source = "answer_1 = 9"
    write(solutions, solved)
    nb = read_ipynb(example)
    _, check = cell(nb, "verdict")
    for sound, faulty in (
        ("that is the square", "correct: the square"),  # lets the mistake pass
        ("answer_1 == 9", "answer_1 > 8"),  # fails if the answer is a string
    ):
        assert sound in check.source
        check.source = check.source.replace(sound, faulty)
    write(example, nb)
    failed, output = failures(pytester, *paths)
    planted = {f"Exercise 1, {it}" for it in ("mistake", "nonsense")}
    assert failed == {*planted, f"Cell {last}"}, output


def test_a_solution_that_the_sessions_own_kernel_calls_wrong_is_caught(
    example, pytester
):
    nb = read_ipynb(example)
    # Solutions do not run this cell, so the change affects only the session's
    # kernel.
    _, other = cell(nb, "assert first > 0")
    other.source += "\npi = 4"
    write(example, nb)
    solutions = example.parent / "solutions" / example.name
    paths = [f"{it}.ipynb" for it in (example, solutions)]
    failed, output = failures(pytester, *paths)
    assert failed == {"Exercise 1, solution"}, output
    assert (
        "Exercise 1, solution: the check gave an unexpected answer" in output
    )


def test_a_hanging_cell_is_ended_with_a_clear_message(example, pytester):
    nb = read_ipynb(example)
    number, hanging = cell(nb, "pi = 3.1")
    hanging.source = "import time\ntime.sleep(600)"
    write(example, nb)
    failed, output = failures(
        pytester, f"{example}.ipynb", "--nbval-cell-timeout=3"
    )
    assert f"Cell {number}" in failed, output
    assert "Timeout of 3 seconds exceeded executing cell" in output


def test_an_edited_markdown_half_is_caught(example, pytester):
    md = example.with_suffix(".md")
    text = md.read_text(encoding="utf-8")
    md.write_text(text.replace("pi = 3.1", "pi = 3.2"), encoding="utf-8")
    failed, output = failures(
        pytester, "tests/test_notebooks.py", "-k", "halves"
    )
    assert failed == {"test_both_halves_of_a_pair_say_the_same"}, output
    assert "run `make sync`" in output


def test_every_fault_in_the_files_is_caught(project, pytester):
    nb = read_ipynb(project)
    shown = [
        it
        for it in nb.cells
        if it.cell_type == "code"
        and kind_of(it) != "skip"
        and not it.metadata.get("tags")
    ]
    out_of_order, timed, uncompared, long = shown[:4]
    out_of_order.execution_count = 99
    timed.metadata["execution"] = {
        "iopub.execute_input": "2026-01-01T00:00:00Z"
    }
    uncompared.metadata["tags"] = ["nbval-ignore-output"]
    plot = next(it for it in nb.cells if "alt" in it.metadata)
    del plot.metadata["alt"]
    long.source += "\nx" * 12
    nb.cells[0].source += "\n\n" + "too long " * 40
    nb.cells[0].metadata.slideshow.slide_type = "side"
    nb.cells = [it for it in nb.cells if kind_of(it) != "notes"]
    folded = next(it for it in nb.cells if "<details>" in it.source)
    nb.cells.remove(folded)
    _, gap = cell(nb, "answer_2 = None")
    gap.source = "answer_2 = 0"
    solutions = project.parent / "solutions" / project.name
    solved = read_ipynb(solutions)
    untagged = next(
        it for it in solved.cells if it.metadata.get("tags") == ["answer-2"]
    )
    del untagged.metadata["tags"]
    write(solutions, solved)
    for last in nb.cells:
        last.source = last.source.replace("## Exercises", "## Homework")
    write(project, nb)
    nb.metadata.checksum = "of another text"
    nb.metadata.jupytext.formats = "ipynb"
    nb.metadata.jupytext["text_representation"] = {"jupytext_version": "1.0"}
    write_safely(project.with_suffix(".ipynb"), nbformat.writes(nb))

    chosen = f"{project.name} and not solutions"
    arguments = ["--tb=no", "-rA", "-k", chosen]
    _, output = failures(pytester, "tests/test_notebooks.py", *arguments)
    passed = set(re.findall(r"^PASSED \S+?::(\w+)", output, re.M))
    assert passed == {"test_the_files_are_valid_notebooks"}, output
