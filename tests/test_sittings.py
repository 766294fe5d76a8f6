"""Test that each session fits into an evening and shows enough pictures.

`python tests/tools/sittings.py` prints the figures that these tests check.
"""

import json
import subprocess

import nbformat
import pytest
from run import execute
from sessions import NOTEBOOKS, kind_of, parts_of, read_ipynb
from sittings import sittings_of
from slides import SESSIONS

from tests import example

SLIDES, MINUTES = 60, 75  # the most for one sitting
# These sessions show too few pictures but meet all other conventions. Sessions
# may be removed from this list but not added to it.
FEW_PICTURES = {
    "01_models_and_gradients",
    "03_architectures",
    "05_llm_ecosystem",
    "06_shaping_llms",
}
# All parts except the first of each session, as (session, number).
LATER_PARTS = [
    (session, number)
    for session in SESSIONS
    for number in range(2, len(parts_of(read_ipynb(session).cells)) + 1)
]


def faults_of(nb):
    """Return a list of sentences about faults in a session's sittings."""
    faults = []
    for it in sittings_of(nb):
        faults += [
            "Begin these notes with the minutes, as in '> 2 min.', and each "
            f"line with '>', so that the notes are shown as an aside:\n{note}"
            for note in it.loose
        ]
        if it.slides > SLIDES:
            faults.append(
                f"{it.slides} slides are too many: show at most {SLIDES}."
            )
        if it.minutes > MINUTES:
            faults.append(
                f"{it.minutes} minutes are too long: plan at most {MINUTES}."
            )
        if it.minutes != it.announced:
            faults.append(
                f"The notes add up to {it.minutes} minutes, but the opening "
                f"announces {it.announced}."
            )
        if 10 * it.silent > it.slides:
            faults.append(
                f"On {it.silent} of {it.slides} slides, the code shows no "
                "output, but at most one slide in ten may be like that: move "
                "the code into the reading text."
            )
        if 3 * it.pictures < it.slides:
            faults.append(
                f"Only {it.pictures} of {it.slides} slides show a picture: one "
                "in three should."
            )
    return faults


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_each_sitting_fits_into_an_evening_and_shows_pictures(session):
    faults = faults_of(read_ipynb(session))
    few = [fault for fault in faults if "show a picture" in fault]
    if session.name in FEW_PICTURES:
        assert few, (
            f"{session.name} now meets the conventions: remove it from the "
            "list."
        )
        assert faults == few, "\n".join(faults)
    else:
        assert not faults, "\n".join(faults)


@pytest.fixture
def nb():
    """Return a session that meets the conventions."""
    return read_ipynb(
        next(it for it in SESSIONS if it.name not in FEW_PICTURES)
    )


def test_each_way_not_to_fit_is_caught(nb):
    assert not faults_of(nb)
    notes = next(it for it in nb.cells if kind_of(it) == "notes")
    notes.source = notes.source.replace("> ", "> 9", 1)
    (first, second) = faults_of(nb)
    assert "plan at most 75" in first
    assert "the opening announces" in second

    notes.source = notes.source.replace("> 9", "")
    loose, less = faults_of(nb)
    assert "Begin these notes" in loose
    assert "the opening announces" in less

    notes.source = "> " + notes.source
    slide = nbformat.v4.new_markdown_cell("# More")
    slide.metadata["slideshow"] = {"slide_type": "slide"}
    silent = nbformat.v4.new_code_cell("x = 1")
    nb.cells += 40 * [slide, silent]
    slides, shown, pictures = faults_of(nb)
    assert "slides are too many: show at most 60" in slides
    assert "shows no output" in shown
    assert "show a picture" in pictures


def missing_in(nb, number, folder):
    """Return the names that a part uses but that a fresh kernel does not have.

    `number` is the part's number, and `folder` is where the kernel starts. The
    kernel runs only the cell that starts the part.
    """
    code = [
        cell
        for cell in parts_of(nb.cells)[number - 1]
        if cell.cell_type == "code"
    ]
    first = code[0]
    assert f"start-{number}" in first.metadata.get("tags", []), (
        f"The first code cell of part {number} must be tagged start-{number}."
    )
    names = nbformat.v4.new_code_cell("import json\nprint(json.dumps(dir()))")
    fresh = nbformat.v4.new_notebook(
        cells=[nbformat.from_dict(first), names], metadata=nb.metadata
    )
    known = json.loads(execute(fresh, folder).cells[1].outputs[-1].text)
    found = subprocess.run(
        [
            *("ruff", "check", "--isolated", "--select=F821", "--quiet"),
            *("--output-format=concise", f"--config=builtins={known}", "-"),
        ],
        input="\n".join(cell.source for cell in code[1:]),
        capture_output=True,
        text=True,
    )
    assert not found.stderr, found.stderr
    return found.stdout


@pytest.mark.parametrize(("session", "number"), LATER_PARTS, ids=str)
def test_a_part_can_be_started_with_a_fresh_kernel(session, number):
    missing = missing_in(read_ipynb(session), number, str(NOTEBOOKS))
    assert not missing, (
        f"Part {number} of {session.name} needs these names from an earlier "
        "part: give the cells that define them the tag "
        f"for-part-{number}.\n{missing}"
    )


def test_a_part_that_needs_more_than_its_start_is_caught(tmp_path):
    nb = example.session()
    nb.cells.insert(4, example.text("# Part two", "slide", tags=["part-2"]))
    nb.cells.insert(5, example.code("pi = 3.1", None, tags=["start-2"]))
    assert "Undefined name `area`" in missing_in(nb, 2, str(tmp_path))
    nb.cells[5].source += "\narea = lambda radius: pi * radius**2"
    assert missing_in(nb, 2, str(tmp_path)) == ""
    nb.cells[5].metadata.tags = []
    with pytest.raises(AssertionError, match="must be tagged start-2"):
        missing_in(nb, 2, str(tmp_path))
