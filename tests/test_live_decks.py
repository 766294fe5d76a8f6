"""Test that the live decks fit the screen and run in both applications."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from chromium import page_of
from decks import slides_of
from sessions import find_session, kind_of, read_ipynb
from slides import (
    SECTION,
    SESSIONS,
    SMALL,
    Deck,
    measure,
    wait_for_lab,
    wait_for_rise,
)

from tests import example

SESSION = find_session("2")  # for tests that do not depend on the session
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


def pytest_generate_tests(metafunc):
    """Test every session, but run the cells of only one to save time."""
    if "session" in metafunc.fixturenames:
        live = find_session(metafunc.config.getoption("live"))
        runs = metafunc.function is test_the_deck_runs_live
        sessions = [live] if runs else SESSIONS
        metafunc.parametrize("session", sessions, ids=str, scope="module")


@pytest.fixture(scope="session")
def server(project):
    """Start the server of `make slides`, and return the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "tests/tools/serve.py", "slides"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "BROWSER": "true", "DISPLAY": ""},
    )
    said = ""
    while not (address := ADDRESS.search(said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    yield address[0]
    process.terminate()
    process.wait(timeout=120)  # the server first stops all kernels


def address_of(server, place, notebook):
    """Return the address at which the server shows a notebook.

    `place` is the application. `reset` prevents JupyterLab from reopening the
    tabs of the previous page.
    """
    address = server.replace("nbclassic/notebooks", place)
    return address.replace(str(SESSION), str(notebook)) + "&reset"


def open_rise(page, server, session):
    """Open a session's live deck as `make slides` does, and wait for it."""
    page.goto(server.replace(str(SESSION), str(session)), wait_until="commit")
    wait_for_rise(page)


def open_lab(page, server, session):
    """Open a session's deck in JupyterLab."""
    page.goto(address_of(server, "rise", session))
    wait_for_lab(page)


@pytest.fixture(scope="module", params=["rise", "lab"])
def deck(request, browser, server, session):
    """Open a session's live deck for the first time, and walk through it.

    The deck in classic RISE is measured at both screen sizes, and the deck in
    JupyterLab only at the smaller size.
    """
    nb = read_ipynb(session)
    page, outside = page_of(browser, viewport=SMALL)
    opener = open_rise if request.param == "rise" else open_lab
    opener(page, server, session)
    deck = Deck(page, outside, slides_of(nb))
    deck.walk()
    if request.param == "rise":
        deck.enlarge()
        deck.walk()
    yield deck
    page.context.close()


in_classic_rise = pytest.mark.parametrize("deck", ["rise"], indirect=True)


def test_the_space_bar_moves_on_through_every_slide(deck):
    deck.assert_complete()


def test_every_slide_fits(deck):
    deck.assert_fitting()


def test_every_formula_is_typeset(deck):
    deck.assert_typeset()


def test_explorables_move_and_their_keys_leave_the_deck_alone(deck):
    deck.assert_explorables_move()


def test_no_deck_asks_the_network(deck):
    assert not deck.outside, "A deck tried to load something from the network."


@in_classic_rise
def test_the_deck_honours_its_settings_on_a_cold_first_load(deck, session):
    settings = read_ipynb(session).metadata.rise
    used = deck.page.evaluate("Reveal.getConfig()")
    for name in ("center", "controls", "slideNumber", "transition"):
        assert used[name] == settings[name]
    assert deck.page.inner_text("#rise-footer") == settings.footer
    assert deck.title.startswith("Intuitive AI")


@in_classic_rise
@pytest.mark.timeout(1200)
def test_the_deck_runs_live(deck):
    page = deck.page
    page.set_viewport_size(SMALL)
    outputs = "document.querySelectorAll('.output_area').length"
    stored = page.evaluate(outputs)
    page.evaluate("Jupyter.notebook.clear_all_output()")
    assert page.evaluate(outputs) == 0

    page.evaluate("Jupyter.notebook.execute_all_cells()")
    # A cell gets its number when its code has been executed, but on a busy
    # machine, its outputs may arrive later. The kernel reports that it is idle
    # only after the last output.
    page.wait_for_function(
        """document.querySelector(".output_error") || !Jupyter.notebook.kernel_busy &&
           Jupyter.notebook.get_cells().filter((it) => it.cell_type == "code")
           .every((it) => it.input_prompt_number > 0 || !it.get_text())""",
        timeout=900_000,
    )
    wrong = page.locator(".output_error, .output_stderr").all_inner_texts()
    assert not wrong, "\n".join(wrong)
    assert page.evaluate(outputs) == stored

    # Run a cell as a presenter would, on the first slide that has just one
    # cell and prints something.
    page.evaluate(
        """const slide =
             [...document.querySelectorAll(".slides section:not(.stack)")]
             .find((it) => {
               const cells = it.querySelectorAll(".code_cell:not(.reveal-skip)");
               return cells.length === 1 && cells[0].querySelector(".output_stream");
             });
           const { h, v } = Reveal.getIndices(slide);
           Reveal.slide(h, v, -1);  // all its fragments hidden"""
    )
    while not page.locator(f"{SECTION} .output_stream").is_visible():
        page.keyboard.press("Space")  # the output appears as a fragment
        page.wait_for_timeout(100)  # give the key time to arrive
    selected = page.locator(f"{SECTION} .code_cell.selected")
    selected.wait_for()
    page.evaluate("Jupyter.notebook.get_selected_cell().clear_output()")
    output = selected.locator(".output_stream")
    assert not output.count()
    page.keyboard.press("Control+Enter")
    output.wait_for(timeout=10_000)
    (problems,) = measure(page, slides=1)
    assert not problems, "\n".join(problems)
    assert not deck.outside
    # Stop the kernel, because it would keep the session's data in memory while
    # the server runs for other tests.
    page.evaluate("Jupyter.notebook.session.delete()")


@pytest.fixture(scope="module")
def short(project):
    """Return the path of a notebook with the first four slides of Session 2."""
    nb = read_ipynb(SESSION)
    fifth = slides_of(nb)[4][0]
    nb.cells = nb.cells[: nb.cells.index(fifth)]
    del nb.metadata["jupytext"]  # this notebook has no .md file
    path = SESSION.with_name("short")
    nbformat.write(nb, project / f"{path}.ipynb")
    return path


def test_the_speaker_window_shows_each_slides_notes(browser, server, short):
    page, _ = page_of(browser, viewport=SMALL)
    open_rise(page, server, short)
    with page.expect_popup() as popup:
        page.keyboard.press("t")
    shown = popup.value.locator(".speaker-controls-notes")
    for slide in slides_of(read_ipynb(SESSION))[:4]:
        notes = [c.source for c in slide if kind_of(c) == "notes"]
        if notes:
            words = re.sub(r"[*_`$>]", "", notes[0]).strip()[:40]
            # The page also contains the cell's source, but it is hidden.
            told = shown.get_by_text(words).filter(visible=True)
            told.first.wait_for(timeout=60_000)
        else:
            shown.wait_for(state="hidden")
        page.evaluate("Reveal.next()")
    page.context.close()


def test_the_deck_in_jupyterlab_is_one_click_away(browser, server, short):
    page, outside = page_of(browser, viewport=SMALL)
    page.goto(address_of(server, "lab/tree", short))
    page.click('[data-command="RISE:preview"]', timeout=60_000)
    deck = page.frame_locator("iframe").locator(SECTION).first
    deck.get_by_role("heading").first.wait_for(timeout=60_000)
    assert not outside
    page.context.close()


IN_A_NOTEBOOK = {
    "lab/tree": ".jp-OutputArea .explorable img",
    "nbclassic/notebooks": ".output_area .explorable img",
}


# Our server trusts the project's notebooks, which it recognises by their
# names.
@pytest.mark.parametrize("name", ["89_explorables", "untrusted"])
@pytest.mark.parametrize("place", IN_A_NOTEBOOK)
def test_a_reader_sees_an_explorable_in_a_notebook(
    browser, server, project, place, name
):
    nb = read_ipynb(SESSION)
    # One explorable is enough, because JupyterLab renders only the cells that
    # are in view.
    nb.cells = [
        next(
            cell
            for cell in nb.cells
            if 'class=\\"explorable\\"' in json.dumps(cell.get("outputs", []))
        )
    ]
    del nb.metadata["jupytext"], nb.metadata["rise"]
    path = SESSION.with_name(name)
    nbformat.write(nb, project / f"{path}.ipynb")
    page, _ = page_of(browser, viewport=SMALL)
    page.goto(address_of(server, place, path))
    page.wait_for_function(
        "(css) => document.querySelector(css)"
        "?.getBoundingClientRect().height > 200",
        arg=IN_A_NOTEBOOK[place],
        timeout=60_000,
    )
    picture = page.locator(IN_A_NOTEBOOK[place])
    assert len(picture.get_attribute("alt")) > 40
    slider = page.locator(".explorable input[type=range]")
    if name == "untrusted":
        assert not slider.count(), (
            "An untrusted notebook was able to run a script."
        )
    else:
        slider.wait_for()
    (project / f"{path}.ipynb").unlink()
    page.context.close()


def test_a_deck_begins_with_the_part_that_was_asked_for(
    browser, server, project
):
    nb = example.notebook(
        [
            example.text("# Part one", "slide"),
            example.text("## Part two", "slide", tags=["part-2"]),
            example.code("here = 6 * 7\nprint(here)", None, tags=["start-2"]),
            example.code("here += 1", None),
        ]
    )
    path = SESSION.with_name("parts")
    nbformat.write(nb, project / f"{path}.ipynb")
    page, _ = page_of(browser, viewport=SMALL)
    open_rise(page, f"{server}&part=2", path)
    assert page.inner_text(f"{SECTION} h2").startswith("Part two")
    page.wait_for_selector(f"{SECTION} .output_stream:has-text('42')")
    ran = "Jupyter.notebook.get_cells().map((it) => it.input_prompt_number)"
    assert page.evaluate(ran)[3] is None, (
        "Only the cell that starts the part should run."
    )
    page.context.close()
