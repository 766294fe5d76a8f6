"""A session fits into an evening, and the room has something to look at.

`python tests/tools/sittings.py` prints the figures that are tested here.
"""

import nbformat
import pytest
from sessions import read_ipynb
from sittings import kind_of, sittings_of
from slides import SESSIONS

SLIDES, MINUTES = 60, 75  # at most, in one sitting
# These have not been brought to the conventions yet. The list may only shrink.
NOT_YET = {
    "01_models_and_gradients",
    "03_architectures",
    "04_basic_gpt",
    "05_llm_ecosystem",
    "06_shaping_llms",
}


def faults_of(nb):
    """Return what keeps a session from fitting into its evenings, as sentences."""
    faults = []
    for it in sittings_of(nb):
        if it.slides > SLIDES:
            faults.append(f"{it.slides} slides: an evening has {SLIDES}.")
        if it.minutes > MINUTES:
            faults.append(f"{it.minutes} minutes: an evening has {MINUTES}.")
        if it.minutes != it.announced:
            faults.append(
                f"Its notes add up to {it.minutes} minutes, but its opening "
                f"announces {it.announced}."
            )
        if 10 * it.silent > it.slides:
            faults.append(
                f"The code on {it.silent} of {it.slides} slides shows nothing: "
                "one in ten may. Move it into the reading text."
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
    if session.name in NOT_YET:
        assert faults, (
            f"{session.name} meets the conventions now: take it off the list."
        )
    else:
        assert not faults, "\n".join(faults)


@pytest.fixture
def nb():
    """Return a session that meets the conventions."""
    return read_ipynb(next(it for it in SESSIONS if it.name not in NOT_YET))


def test_each_way_not_to_fit_is_caught(nb):
    assert not faults_of(nb)
    notes = next(it for it in nb.cells if kind_of(it) == "notes")
    notes.source = "9" + notes.source
    (first, second) = faults_of(nb)
    assert "an evening has 75" in first
    assert "its opening announces" in second

    notes.source = notes.source[1:]
    slide = nbformat.v4.new_markdown_cell("# More")
    slide.metadata["slideshow"] = {"slide_type": "slide"}
    silent = nbformat.v4.new_code_cell("x = 1")
    nb.cells += 40 * [slide, silent]
    slides, shown, pictures = faults_of(nb)
    assert "slides: an evening has 60" in slides
    assert "shows nothing" in shown
    assert "show a picture" in pictures
