"""The live decks fit and run: in classic RISE, and in JupyterLab."""

import os
import re
import subprocess
import sys

import pytest
from chromium import page_of
from decks import slides_of
from sessions import find_session, read_ipynb
from slides import (
    COUNT,
    LARGE,
    SECTION,
    SESSIONS,
    SMALL,
    check_deck,
    kind_of,
    problems_of,
    settle,
    walk,
)

SESSION = find_session("2")  # for what does not depend on the session
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


@pytest.fixture(scope="module")
def server(project):
    """Start what `make slides` starts, and return the address that it prints."""
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
    process.wait(timeout=30)


def open_live(page, server, session):
    """Open a session's live deck as `make slides` does, and wait until it stands."""
    page.goto(server.replace(SESSION.name, session.name), wait_until="commit")
    page.wait_for_function(
        "document.body?.classList.contains('rise-enabled') && window.Reveal"
        " && Reveal.isReady() && Jupyter.notebook.kernel?.is_connected()",
        timeout=60_000,
    )
    settle(page)


def open_lab(page, server, session):
    """Open a session's deck in JupyterLab."""
    base, token = server.split("/nbclassic")[0], server.split("?")[1]
    page.goto(f"{base}/rise/{session}.ipynb?{token}")
    page.wait_for_selector(SECTION, timeout=60_000)
    # It typesets after it shows: wait until no formula is in dollars.
    page.wait_for_function(
        f"{COUNT} > 1 && ![...document.querySelectorAll('.jp-RenderedMarkdown')]"
        ".some((it) => /\\$[^$]+\\$/.test(it.textContent))",
        timeout=60_000,
    )
    settle(page)


@pytest.mark.parametrize("session", SESSIONS, ids=str)
@pytest.mark.parametrize(
    ("opener", "size"),
    [(open_live, SMALL), (open_live, LARGE), (open_lab, SMALL)],
    ids=["rise 1280x720", "rise 1920x1080", "lab 1280x720"],
)
def test_every_slide_fits_with_no_network(
    browser, server, session, opener, size
):
    page, outside = page_of(browser, viewport=size)
    opener(page, server, session)
    check_deck(page, session)
    assert not outside, "A deck asked the network for these; it must not."
    page.context.close()


def test_the_deck_honours_its_settings_on_a_cold_first_load(browser, server):
    settings = read_ipynb(SESSION).metadata.rise
    for _ in range(2):
        page, _ = page_of(browser, viewport=SMALL)
        open_live(page, server, SESSION)
        used = page.evaluate("Reveal.getConfig()")
        for name in ("center", "controls", "slideNumber", "transition"):
            assert used[name] == settings[name]
        assert page.inner_text("#rise-footer") == settings.footer
        assert page.inner_text(f"{SECTION} h1").startswith("Intuitive AI")
        page.context.close()


@pytest.mark.timeout(1200)
def test_the_deck_runs_live(browser, server, pytestconfig):
    session = find_session(pytestconfig.getoption("live"))
    page, outside = page_of(browser, viewport=SMALL)
    open_live(page, server, session)
    outputs = "document.querySelectorAll('.output_area').length"
    stored = page.evaluate(outputs)
    page.evaluate("Jupyter.notebook.clear_all_output()")
    assert page.evaluate(outputs) == 0

    page.evaluate("Jupyter.notebook.execute_all_cells()")
    page.wait_for_function(
        """Jupyter.notebook.get_cells().filter((it) => it.cell_type == "code")
           .every((it) => it.input_prompt_number > 0 || !it.get_text())""",
        timeout=900_000,
    )
    wrong = page.locator(".output_error, .output_stderr").all_inner_texts()
    assert not wrong, "\n".join(wrong)
    assert page.evaluate(outputs) == stored

    # One cell as a presenter runs it, on the first slide with but one, that prints.
    cells = page.locator(f"{SECTION} .code_cell:not(.reveal-skip)")
    printing = cells.filter(has=page.locator(".output_stream"))
    next(it for it in walk(page) if cells.count() == printing.count() == 1)
    while not printing.is_visible():
        page.keyboard.press("Space")  # it stands in a fragment
        page.wait_for_timeout(100)
    selected = page.locator(f"{SECTION} .code_cell.selected")
    selected.wait_for()
    page.evaluate("Jupyter.notebook.get_selected_cell().clear_output()")
    output = selected.locator(".output_stream")
    assert not output.count()
    page.keyboard.press("Control+Enter")
    output.wait_for(timeout=10_000)
    assert not problems_of(page)
    assert not outside
    page.context.close()


def test_the_speaker_window_shows_each_slides_notes(browser, server):
    page, _ = page_of(browser, viewport=SMALL)
    open_live(page, server, SESSION)
    slides = slides_of(read_ipynb(SESSION))
    with page.expect_popup() as popup:
        page.keyboard.press("t")
    speaker = popup.value
    for slide in slides[:4]:
        notes = [c.source for c in slide if kind_of(c) == "notes"]
        shown = speaker.locator(".speaker-controls-notes")
        if notes:
            words = re.sub(r"[*_`$]", "", notes[0])[:40]
            shown.get_by_text(words).first.wait_for(timeout=60_000)
        else:
            shown.wait_for(state="hidden")
        page.evaluate("Reveal.next()")
    page.context.close()


def test_the_deck_in_jupyterlab_is_one_click_away(browser, server):
    page, outside = page_of(browser, viewport=SMALL)
    base, token = server.split("/nbclassic")[0], server.split("?")[1]
    page.goto(f"{base}/lab/tree/{SESSION}.ipynb?{token}")
    page.click('[data-command="RISE:preview"]', timeout=60_000)
    deck = page.frame_locator("iframe").locator(SECTION).first
    deck.get_by_role("heading").first.wait_for(timeout=60_000)
    assert not outside
    page.context.close()
