"""The tests can fail: faults planted in a copy of Session 2 are each caught.

The copy is cut off after the data, so that a run takes seconds.
"""

import re
import shutil

import nbformat
import pytest
from sessions import as_md, find_session, read_ipynb, write_safely
from slides import kind_of

SESSION = find_session("2").absolute()
ROOT = SESSION.parent.parent
LAST = "noise ="  # the copy ends with the cell that starts so


@pytest.fixture
def project(pytester):
    """Return the path of Session 2 in a copy of the project."""
    for name in ("tests", "notebooks", "img"):
        shutil.copytree(ROOT / name, pytester.path / name)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    return pytester.path / "notebooks" / SESSION.name


@pytest.fixture
def short_project(project):
    """Return the same, with Session 2 cut off where its data is complete."""
    nb = read_ipynb(project)
    end = next(i for i, c in enumerate(nb.cells) if c.source.startswith(LAST))
    nb.cells = nb.cells[: end + 1]
    write(project, nb)
    return project


def write(pair, nb):
    """Write both halves of a pair."""
    write_safely(pair.with_suffix(".ipynb"), nbformat.writes(nb))
    write_safely(pair.with_suffix(".md"), as_md(nb, pair))


def cell(nb, text):
    """Return the one code cell that holds `text`, and its number among them."""
    cells = [c for c in nb.cells if c.cell_type == "code"]
    (found,) = [
        (number, c) for number, c in enumerate(cells) if text in c.source
    ]
    return found


def failures(pytester, *arguments):
    """Run pytest in the copy, and return the names of what failed, and its output."""
    # One process, and no plugin of the outer run: nothing but the project's own.
    result = pytester.runpytest_subprocess("-n0", "--color=no", *arguments)
    output = result.stdout.str()
    assert re.search(r"\d (passed|failed)", output), output
    return set(
        re.findall(r"^FAILED \S+?::(\w+(?: \d+)?(?:, \w+)?)", output, re.M)
    ), output


def test_every_fault_in_a_run_is_caught_and_nothing_else(
    short_project, pytester
):
    nb = read_ipynb(short_project)

    sign, flipped = cell(nb, "y_first =")
    flipped.source = flipped.source.replace("+ bias", "- bias")

    number, changed = cell(nb, "x[:3]")
    text = changed.outputs[0].data["text/plain"]
    changed.outputs[0].data["text/plain"] = re.sub(
        r"5\.", "5.1", text, count=1
    )

    integer, shape = cell(nb, "y_row.shape")
    shape.outputs[0].data["text/plain"] = "(1, 201)"

    stripped, bare = cell(nb, "y_column.shape")
    bare.outputs, bare.execution_count = [], None

    emptied, hollow = cell(nb, "coefficients.shape")
    hollow.outputs = []

    name, misspelt = cell(nb, "noise =")
    misspelt.source = misspelt.source.replace("scale=0.5", "scale=sigma_of_y")

    promise, _ = cell(nb, "np.isclose(y_column[0, 0], y_first)")

    # No fault: another processor may round so.
    _, rounded = cell(nb, 'print(f"at (0, 1)')
    rounded.outputs[0].text = rounded.outputs[0].text.replace("5.2", "5.2004")

    # No fault: NumPy fills up with spaces where a last 0 falls away.
    padded = nbformat.v4.new_code_cell(
        'print("[4.22  4.066]")',
        execution_count=1,
        outputs=[nbformat.v4.new_output("stream", text="[4.219 4.066]\n")],
    )
    nb.cells.append(padded)

    # No fault, and a fault: where a cell is tagged so, floats may differ more.
    for stored in ("62.4 %\n", "63.6 %\n"):
        trained = nbformat.v4.new_code_cell(
            'print("62.5 %")',
            execution_count=1,
            metadata={"tags": ["within-1.0"]},
            outputs=[nbformat.v4.new_output("stream", text=stored)],
        )
        nb.cells.append(trained)
    far = sum(c.cell_type == "code" for c in nb.cells) - 1

    write(short_project, nb)
    failed, output = failures(pytester, f"{short_project}.ipynb")
    planted = {sign, number, integer, stripped, emptied, name, promise, far}
    assert failed == {f"Cell {n}" for n in planted}, output
    assert "NameError" in output
    assert "This cell has no stored execution: do `make run`." in output


def test_every_fault_in_an_exercise_is_caught(short_project, pytester):
    whole = read_ipynb(SESSION)
    _, formula = cell(whole, "x_and_ones =")
    formula.source = "\n".join(formula.source.splitlines()[:2])
    formula.outputs = []
    _, helper = cell(whole, "def as_numbers")
    tags = {"task-1", "answer-1", "check-1"}
    exercise = [
        c for c in whole.cells if tags & set(c.metadata.get("tags", []))
    ]
    check = exercise[-1]
    nb = read_ipynb(short_project)
    nb.cells += [formula, helper, *exercise]
    solutions = short_project.parent / "solutions" / short_project.name
    solved = read_ipynb(solutions)
    sources = [it.source for it in solved.cells]
    solved.cells = solved.cells[: sources.index('exec(tagged["check-1"])') + 1]
    paths = [f"{it}.ipynb" for it in (short_project, solutions)]
    # As it is, all is well.
    write(short_project, nb)
    failed, output = failures(pytester, paths[0])
    assert not failed, output

    _, lacking = cell(solved, "add_constant(x)).fit()")
    lacking.source = lacking.source.replace("sm.add_constant(x)", "x")
    write(solutions, solved)
    for sound, faulty in (
        ('"other digits', '"correct: other digits'),  # lets a mistake pass
        ("got_1.size != 3", "not got_1[2]"),  # breaks
    ):
        assert sound in check.source
        check.source = check.source.replace(sound, faulty)
    write(short_project, nb)
    failed, output = failures(pytester, *paths)
    last = sum(it.cell_type == "code" for it in solved.cells) - 1
    planted = {"Exercise 1, mistake", "Exercise 1, nonsense", f"Cell {last}"}
    assert failed == planted, output
    assert "Exercise 1: two numbers: the intercept is missing" in output


def test_a_hanging_cell_is_ended_with_a_clear_message(short_project, pytester):
    nb = read_ipynb(short_project)
    number, hanging = cell(nb, "import arviz")
    hanging.source = "import time\ntime.sleep(600)"
    write(short_project, nb)
    failed, output = failures(
        pytester, f"{short_project}.ipynb", "--nbval-cell-timeout=3"
    )
    assert f"Cell {number}" in failed, output
    assert "Timeout of 3 seconds exceeded executing cell" in output


def test_an_edited_markdown_half_is_caught(project, pytester):
    md = project.with_suffix(".md")
    text = md.read_text(encoding="utf-8")
    md.write_text(text.replace("bias = 3.1", "bias = 3.2"), encoding="utf-8")
    failed, output = failures(pytester, "tests/test_notebooks.py")
    assert "test_both_halves_of_a_pair_say_the_same" in failed, output
    assert "do `make sync`" in output


def test_every_fault_in_the_files_is_caught(project, pytester):
    nb = read_ipynb(project)
    _, out_of_order = cell(nb, "y_row =")
    out_of_order.execution_count = 99
    _, timed = cell(nb, "y_column =")
    timed.metadata["execution"] = {
        "iopub.execute_input": "2026-01-01T00:00:00Z"
    }
    _, untagged = cell(nb, "y_first =")
    untagged.metadata["tags"] = ["nbval-ignore-output"]
    _, plot = cell(nb, "plot_surface")
    del plot.metadata["alt"]
    _, long = cell(nb, "noise =")
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
    _, untagged = cell(solved, "answer_2 = plane")
    del untagged.metadata["tags"]
    write(solutions, solved)
    for last in nb.cells:
        last.source = last.source.replace("## Exercises", "## Homework")
    write(project, nb)
    nb.metadata.jupytext.formats = "ipynb"
    nb.metadata.jupytext["text_representation"] = {"jupytext_version": "1.0"}
    write_safely(project.with_suffix(".ipynb"), nbformat.writes(nb))

    chosen = f"{project.name} and not solutions"
    arguments = ["--tb=no", "-rA", "-k", chosen]
    _, output = failures(pytester, "tests/test_notebooks.py", *arguments)
    passed = set(re.findall(r"^PASSED \S+?::(\w+)", output, re.M))
    assert passed == {"test_the_files_are_valid_notebooks"}, output
