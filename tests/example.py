"""Build a small example session for the tests that plant faults."""

import shutil
from pathlib import Path

import nbformat
from sessions import as_md, write_safely
from sync import checksum, content

ROOT = Path(__file__).absolute().parents[1]
NAME = "01_example"
FIRST_CELL = f"""import nbformat
from IPython.display import Markdown

session = nbformat.read("../{NAME}.ipynb", as_version=4)
tagged = {{}}
for cell in session.cells:
    tagged |= dict.fromkeys(cell.metadata.get("tags", []), cell.source)
    if "for-solutions" in cell.metadata.get("tags", []):
        exec(cell.source)"""
CHECK = """if answer_1 is None:
    verdict = "not attempted yet"
elif answer_1 == 3.1 * 3**2:
    verdict = "correct: 27.9"
elif answer_1 == 9:
    verdict = "that is the square of the radius alone"
else:
    verdict = "something else"
print("Exercise 1:", verdict)"""
WRONG = "# %% 1: square of the radius\nanswer_1 = 9\n"


def text(source, kind="-", **metadata):
    """Return a Markdown cell with the given slide type."""
    metadata["slideshow"] = {"slide_type": kind}
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def code(source, count, output="", **metadata):
    """Return an executed code cell that printed `output`.

    `count` is the execution count of the cell.
    """
    outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    return nbformat.v4.new_code_cell(
        source, execution_count=count, outputs=outputs, metadata=metadata
    )


def notebook(cells):
    """Return a notebook with these cells and our usual metadata."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "jupytext": {
                "formats": "ipynb,md",
                "cell_metadata_filter": "slideshow,tags,reason,alt,-all",
                "notebook_metadata_filter": "kernelspec,rise,jupytext,-jupytext.text_representation.jupytext_version",
            },
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "rise": {"footer": "An example"},
            "running_seconds": 10,
        },
    )


def session():
    """Return the example session, which computes the areas of circles.

    The session has one exercise.
    """
    return notebook(
        [
            text("# Intuitive AI\n\n## Areas", "slide"),
            text("2 min. Welcome everybody.", "notes"),
            code("pi = 3.1", 1, tags=["for-solutions"]),
            code(
                "def area(radius):\n    return pi * radius**2",
                2,
                tags=["for-solutions"],
            ),
            text("## A circle of radius 2", "slide"),
            code("first = area(2)\nprint(first)", 3, "12.4\n"),
            code("assert first > 0", 4),
            code("print(len([1, 2, 3]))", 5, "3\n"),
            code('print("round")', 6, "round\n"),
            text("### Exercise 1: a circle of radius 3", tags=["task-1"]),
            code("answer_1 = None", 7, tags=["answer-1"]),
            code(
                CHECK, 8, "Exercise 1: not attempted yet\n", tags=["check-1"]
            ),
        ]
    )


def solutions():
    """Return the notebook with the solutions of the example session."""
    shown = nbformat.v4.new_output(
        "execute_result",
        data={
            "text/markdown": "### Exercise 1: a circle of radius 3",
            "text/plain": "<IPython.core.display.Markdown object>",
        },
        execution_count=2,
    )
    task = code('Markdown(tagged["task-1"])', 2)
    task.outputs = [shown]
    return notebook(
        [
            text("# Solutions"),
            code(FIRST_CELL, 1),
            text("## 1. A circle"),
            task,
            code("answer_1 = area(3)", 3, tags=["answer-1"]),
            code('exec(tagged["check-1"])', 4, "Exercise 1: correct: 27.9\n"),
        ]
    )


def write(pair, nb):
    """Write a notebook as .md and as .ipynb, with matching contents."""
    nb.metadata["checksum"] = checksum(content(nb))
    write_safely(pair.with_suffix(".ipynb"), nbformat.writes(nb) + "\n")
    write_safely(pair.with_suffix(".md"), as_md(nb))


def project_in(folder):
    """Copy the project into a folder, with the example as the only session.

    Return the path of the example without its suffix.
    """
    skipped = shutil.ignore_patterns("__pycache__", "wrong_answers")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=skipped)
    files = ("pyproject.toml", "uv.lock", ".python-version")
    for name in (*files, "README.md", "LICENSE", "Makefile"):
        shutil.copy(ROOT / name, folder)
    pair = folder / "notebooks" / NAME
    (pair.parent / "solutions").mkdir(parents=True)
    for name in ("rise.css", "intuitive_ai.mplstyle", "explorables.js"):
        shutil.copy(ROOT / "notebooks" / name, pair.parent)
    shutil.copytree(ROOT / "notebooks" / "fonts", pair.parent / "fonts")
    (folder / "tests" / "wrong_answers").mkdir()
    write_safely(folder / "tests" / "wrong_answers" / f"{NAME}.py", WRONG)
    write(pair, session())
    write(pair.parent / "solutions" / NAME, solutions())
    return pair
