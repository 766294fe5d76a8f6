"""Test that opening or presenting a notebook does not edit it.

The server is started by a user whose settings are as hostile as possible.
"""

import contextlib
import copy
import json
import os
import re
import string
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest
from chromium import page_of
from playwright.sync_api import expect
from sessions import as_md, cleaned, find_session, read_ipynb, write_safely
from slides import SECTION, SMALL

expect.set_options(
    timeout=30_000
)  # the default of five seconds is too short on a busy machine
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/\S+\?token=(\S+)")
# The ways to open a notebook: as a deck in classic Jupyter or in JupyterLab,
# or for reading. JupyterLab says that a file "has changed on disk" if Ctrl-S
# and an autosave happen at the same time, so JupyterLab's deck is opened once
# with autosaves and once without.
PLACES = {
    "rise": "nbclassic/notebooks",
    "lab deck": "rise",
    "lab deck that autosaves": "rise",
    "lab that autosaves": "lab/tree",
}
NUMBERS = dict(zip(PLACES, range(90, 100), strict=False))
DECKS = ("rise", "lab deck")
CELLS = ".code_cell, .jp-CodeCell"
EDITOR = ".input_area, .jp-InputArea-editor"
POPUPS = ".jp-Dialog, .modal.in, .Toastify__toast, #newsId"
AUTOSAVE_SECONDS = 1
# Keys that run a cell, leave the deck, save the notebook, or close or print
# the page.
ALLOWED = {
    *("Shift+Enter", "Control+Enter", "Alt+r", "Control+s"),
    *("Control+w", "Control+Shift+w", "Control+p", "Control+Shift+p"),
}
IS_LEFT_TO_BROWSER = """(shiftKey) => document.body.dispatchEvent(
  new KeyboardEvent("keydown",
    { key: "F5", shiftKey, bubbles: true, cancelable: true }))"""
PROBE = """\
import os, sys, matplotlib.pyplot as plt
print(sys.prefix, "theirs" in globals(), os.environ.get("JAX_PLATFORMS"))
print(plt.get_backend(), plt.rcParams["lines.linewidth"])"""

# Settings that a user may have in the home folder and in the environment.
THEIR_KERNEL = {"argv": ["false"], "display_name": "theirs", "language": "R"}
THEIR_FILES = {
    ".jupyter/jupyter_server_config.py": "c.ServerApp.base_url = '/theirs/'",
    ".jupyter/jupyter_config.json": '{"ServerApp": {"port": 1}}',
    ".jupyter/custom/custom.js": "document.body.remove()",
    ".jupyter/custom/custom.css": "body { display: none }",
    ".jupyter/nbconfig/rise.json": '{"autolaunch": false}',
    ".jupyter/lab/user-settings/@jupyterlab/docmanager-extension/"
    "plugin.jupyterlab-settings": '{"autosave": false}',
    ".share/kernels/python3/kernel.json": json.dumps(THEIR_KERNEL),
    ".ipython/profile_default/startup/theirs.py": "theirs = 1",
    ".ipython/profile_default/ipython_config.py": "c.InteractiveShell"
    "App.exec_lines = ['theirs = 1']",
    ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\nbackend: agg",
    "startup.py": "theirs = 1",
}
THEIR_FOLDERS = {
    "HOME": "",
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "JUPYTER_CONFIG_PATH": ".jupyter",
    "JUPYTER_DATA_DIR": ".share",
    "JUPYTER_PATH": ".share",
    "JUPYTERLAB_SETTINGS_DIR": ".jupyter/lab/user-settings",
    "JUPYTERLAB_DIR": "nowhere",
    "IPYTHONDIR": ".ipython",
    "MATPLOTLIBRC": ".config/matplotlib",
    "PYTHONSTARTUP": "startup.py",
    "PYTHONPATH": ".jupyter",
}
THEIR_VALUES = {
    "MPLBACKEND": "agg",
    "JAX_PLATFORMS": "cuda",
    "JUPYTER_TOKEN": "theirs",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
}


def short_notebook():
    """Return a notebook with every kind of cell that a key can change."""
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    printed = [nbformat.v4.new_output("stream", text="stored\n")]
    cells = [
        ("slide", markdown("# One")),
        ("notes", markdown("Say hello.")),
        ("slide", markdown("# Two")),
        ("-", code("print(1 + 1)", execution_count=1, outputs=printed)),
        ("fragment", markdown("An answer")),
        # RISE puts the skipped cell into the fragment, before the notes.
        ("notes", markdown("Wait for it.")),
        ("skip", code("answer = 42", execution_count=2)),
        ("subslide", markdown("# Three")),
        ("slide", markdown("# Four")),
        ("-", code(PROBE, execution_count=3)),
    ]
    for kind, cell in cells:
        if kind != "-":
            cell.metadata["slideshow"] = {"slide_type": kind}
    metadata = read_ipynb(find_session("1")).metadata
    return nbformat.v4.new_notebook(
        cells=[cell for _, cell in cells], metadata=metadata
    )


def write_short(pair):
    """Write the short notebook as an .md and as an .ipynb.

    The .ipynb is written as another editor would save it. Return the content
    that the .ipynb must have after an edit, except for the edited cell.
    """
    nb = cleaned(short_notebook())
    write_safely(pair.with_suffix(".md"), as_md(nb))
    nb.metadata.kernelspec = {"display_name": "R", "name": "ir"}
    wanted = json.loads(nbformat.writes(nb))
    theirs = copy.deepcopy(wanted)
    theirs["cells"][3]["metadata"]["vscode"] = {"languageId": "r"}
    write_safely(pair.with_suffix(".ipynb"), json.dumps(theirs, indent=4))
    return wanted


def without(nb, number):
    """Return a notebook without the source and outputs of one cell."""
    nb = copy.deepcopy(nb)
    for name in ("source", "outputs", "execution_count"):
        del nb["cells"][number][name]
    return nb


def files_in(folder):
    """Return the contents of the files in a folder, except caches."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".cache"} & {*path.parts}
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return the home folder of a user who has changed many settings."""
    folder = tmp_path_factory.mktemp("home")
    for name, text in THEIR_FILES.items():
        write_safely(folder / name, text)
    return folder


@pytest.fixture(scope="module")
def server(project, home):
    """Start `make lab` as the Makefile does; return its address and token."""
    theirs = {name: str(home / path) for name, path in THEIR_FOLDERS.items()}
    process = subprocess.Popen(
        [
            *(sys.executable, "-E", "-s", "-X", "utf8"),
            *("tests/tools/serve.py", "lab", "--session", "1"),
        ],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **theirs, **THEIR_VALUES, "BROWSER": "true"},
    )
    said = ""
    while not (found := ADDRESS.search(said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    base, token = found.groups()
    yield base, token
    process.terminate()
    process.wait(timeout=30)


def ask(base, token, path, content=None):
    """Send a GET request, or a PUT with `content`; return the response."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"{base}/{path}",
        data=json.dumps(content).encode() if content else None,
        method="PUT" if content else "GET",
        headers={"Authorization": f"token {token}"},
    )
    with opener.open(request, timeout=20) as answer:
        return json.loads(answer.read() or "null")


def open_page(browser, server, kind, name):
    """Open a notebook in one of the applications, and wait for its kernel."""
    base, token = server
    seconds = AUTOSAVE_SECONDS if "autosaves" in kind else 120
    settings = "lab/api/settings/@jupyterlab/docmanager-extension:plugin"
    raw = json.dumps({"autosaveInterval": seconds})
    ask(base, token, settings, {"raw": raw})
    page, _ = page_of(browser, viewport=SMALL)
    page.goto(f"{base}/{PLACES[kind]}/{name}.ipynb?reset&token={token}")
    shown = ".jp-Cell" if PLACES[kind] == "lab/tree" else SECTION
    page.locator(shown).first.wait_for()
    for _ in range(300):
        kernels = [
            it["kernel"]
            for it in ask(base, token, "api/sessions")
            if it["path"] == f"{name}.ipynb"
        ]
        if any(
            it["connections"] and it["execution_state"] == "idle"
            for it in kernels
        ):
            return page
        page.wait_for_timeout(100)
    raise AssertionError(f"No kernel was started for {name}.")


@pytest.fixture(scope="module")
def opened(request, browser, server, project):
    """Open the short notebook in an application; yield the open page."""
    kind = request.param
    pair = project / f"notebooks/{NUMBERS[kind]}_short"
    wanted = write_short(pair)
    before = files_in(project)
    page = open_page(browser, server, kind, f"notebooks/{pair.name}")
    yield SimpleNamespace(page=page, pair=pair, before=before, wanted=wanted)
    page.context.close()


everywhere = pytest.mark.parametrize("opened", PLACES, indirect=True)
in_decks = pytest.mark.parametrize("opened", DECKS, indirect=True)


def save(page):
    """Press Ctrl-S, and wait until the notebook is saved."""
    with page.expect_response(
        lambda it: it.request.method == "PUT" and "/api/contents/" in it.url
    ):
        page.keyboard.press("Control+s")
    page.wait_for_timeout(300)


def changed(opened, project):
    """Return the files that have changed since the notebook was opened."""
    now = files_in(project)
    return [
        name
        for name in {*now, *opened.before}
        if now.get(name) != opened.before.get(name)
    ]


@everywhere
def test_opening_looking_and_saving_change_no_file(opened, project):
    opened.page.wait_for_timeout(2000 * AUTOSAVE_SECONDS)
    assert not changed(opened, project), (
        "Opening a notebook has changed a file."
    )
    save(opened.page)
    assert not changed(opened, project), (
        "Saving an unedited notebook has changed a file."
    )


@everywhere
def test_nobody_is_greeted_by_a_popup(opened):
    shown = opened.page.locator(POPUPS).filter(visible=True)
    assert not shown.all_inner_texts()


@pytest.mark.parametrize("opened", ["lab that autosaves"], indirect=True)
def test_a_reader_sees_the_presenters_notes_only_on_request(opened):
    shown = opened.page.locator(".jp-RenderedMarkdown")
    notes = shown.filter(has_text="Say hello.")
    expect(shown.filter(has_text="An answer")).to_be_visible()
    expect(notes).to_be_hidden()
    opened.page.keyboard.press("Alt+n")
    expect(notes).to_be_visible()
    opened.page.keyboard.press("Alt+n")
    expect(notes).to_be_hidden()


def heading(page):
    """Return a locator for the heading of the current slide."""
    return page.locator(f"{SECTION} h1").filter(visible=True)


@in_decks
def test_a_presenters_remote_works_as_in_any_deck(opened):
    page = opened.page
    fragment = page.locator(".fragment")

    def press(key, title):
        page.keyboard.press(key)
        expect(heading(page)).to_contain_text(title)

    press("Home", "One")
    press("PageDown", "Two")
    press("PageDown", "Two")
    expect(fragment).to_have_class(re.compile("visible"))
    for key, title in (
        *(("PageDown", "Three"), ("PageUp", "Two"), ("Space", "Three")),
        *(("Shift+Space", "Two"), ("ArrowDown", "Three"), ("ArrowUp", "Two")),
        *(("ArrowRight", "Four"), ("ArrowLeft", "Two"), ("End", "Four")),
    ):
        press(key, title)
    for key, state in (
        ("b", "paused"),
        (".", "paused"),
        ("Escape", "overview"),
    ):
        for count in (1, 0):
            page.keyboard.press(key)
            expect(page.locator(f".reveal.{state}")).to_have_count(count)
    for key in ("F5", "Shift+F5"):
        press(key, "Four")
        # A headless browser ignores F5, so check whether the page prevents the
        # key's default action.
        assert not page.evaluate(IS_LEFT_TO_BROWSER, "Shift+" in key), (
            "The deck was reloaded, so all results are lost."
        )


@in_decks
def test_no_key_edits_the_notebook(opened, project):
    page = opened.page
    letters = string.ascii_lowercase.replace("t", "")  # T opens a window
    keys = [*letters, *string.digits, "Enter", "Delete", "Backspace", "Tab"]
    modified = [*letters, "ArrowUp", "ArrowDown", "Enter", "Minus", "Insert"]
    for modifier in ("Shift", "Alt", "Control", "Control+Shift"):
        keys += [f"{modifier}+{it}" for it in modified]
    for key in (it for it in keys if it not in ALLOWED):
        # Each key is pressed twice, because Jupyter deletes a cell on "dd".
        page.keyboard.press(key)
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert not page.locator(POPUPS).filter(visible=True).all_inner_texts()
    expect(page.locator(SECTION).first).to_be_visible()
    save(page)
    assert not changed(opened, project), "A key press has edited the notebook."


def go_to_two(page):
    """Show the second slide; return its code."""
    # Key presses reach a deck with a delay. On a busy machine, the deck may
    # still be moving to the slide that the previous test requested.
    for _ in range(5):
        page.keyboard.press("Home")
        expect(heading(page)).to_contain_text("One")
        page.keyboard.press("PageDown")
        with contextlib.suppress(AssertionError):
            expect(heading(page)).to_contain_text("Two", timeout=5000)
            break
    expect(heading(page)).to_contain_text("Two")
    return selected(page)


def selected(page):
    """Wait until RISE has selected a slide's first code cell; return it."""
    cell = page.locator(f"{SECTION} :is({CELLS})").first
    expect(cell).to_have_class(re.compile(r"\b(selected|jp-mod-active)\b"))
    return cell


@in_decks
@pytest.mark.parametrize("key", ["Control+Enter", "Shift+Enter"])
def test_a_run_is_saved_and_every_cell_stays_in_its_place(opened, key):
    cell = go_to_two(opened.page)
    opened.page.keyboard.press(key)
    output = cell.locator(".output_stream, .jp-OutputArea-output")
    expect(output).to_have_text(re.compile(r"^\s*2\s*$"))
    save(opened.page)
    nb = json.loads(opened.pair.with_suffix(".ipynb").read_text())
    assert nb["cells"][3]["outputs"][0]["text"] == ["2\n"]
    assert without(nb, 3) == without(opened.wanted, 3)


@in_decks
def test_one_can_type_into_a_cell(opened):
    page = opened.page
    # The second time, the cell is already selected, so we click in it as soon
    # as its slide appears. RISE selects it again half a second later.
    go_to_two(page)
    cell = go_to_two(page)
    cell.locator(EDITOR).click()
    page.wait_for_timeout(600)
    page.keyboard.press("Control+End")
    page.keyboard.type("  #b. xa")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type(" T")
    # Outside a deck, these keys would split the cell and add a new cell.
    for key in ("Control+Shift+Minus", "Alt+Enter", "Escape"):
        page.keyboard.press(key)
    expect(heading(page)).to_contain_text("Two")
    expect(page.locator(".reveal.overview")).to_have_count(0)
    save(page)
    nb = read_ipynb(opened.pair)
    assert nb.cells[3].source == "print(1 + 1)  #b. x Ta"
    assert len(nb.cells) == len(opened.wanted["cells"])


@in_decks
def test_running_the_last_cell_adds_none(opened):
    page = opened.page
    page.keyboard.press("End")
    expect(heading(page)).to_contain_text("Four")
    cell = selected(page)
    page.keyboard.press("Shift+Enter")
    output = cell.locator(".output_stream, .jp-OutputArea-output")
    expect(output).to_contain_text("inline")
    save(page)
    nb = read_ipynb(opened.pair)
    assert len(nb.cells) == len(opened.wanted["cells"])


@in_decks
def test_a_remote_moves_on_even_while_the_cursor_is_in_a_cell(opened):
    page = opened.page
    cell = go_to_two(page)
    cell.locator(EDITOR).click()
    page.keyboard.press("F5")
    for title in ("Two", "Three", "Four"):
        page.keyboard.press("PageDown")
        expect(heading(page)).to_contain_text(title)
    selected(page)  # so Ctrl-Enter runs the cell on this slide


@pytest.mark.parametrize("opened", ["rise"], indirect=True)
def test_f5_starts_a_deck_that_was_left(opened, project):
    page = opened.page
    before = files_in(project)
    deck = page.locator("body.rise-enabled")
    for key, count in (("Alt+r", 0), ("F5", 1)):
        page.keyboard.press(key)
        expect(deck).to_have_count(count)
        if not count:  # outside the deck, skipped cells are visible, too
            expect(page.get_by_text("answer = 42")).to_be_visible()
        assert not page.locator(POPUPS).filter(visible=True).all_inner_texts()
        save(page)
    assert files_in(project) == before


def test_saving_session_1_in_its_deck_moves_no_cell(browser, server, project):
    session = find_session("1")
    halves = [project / session.with_suffix(it) for it in (".md", ".ipynb")]
    before = [half.read_bytes() for half in halves]
    page = open_page(browser, server, "rise", session)
    save(page)
    page.context.close()
    assert [half.read_bytes() for half in halves] == before


@pytest.mark.parametrize("opened", ["lab that autosaves"], indirect=True)
def test_an_answer_is_saved_and_nothing_else(opened, project):
    page = opened.page
    answer = page.locator(CELLS).nth(1)
    answer.locator(EDITOR).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" + 1; answer")
    page.keyboard.press("Control+Enter")
    expect(answer.locator(".jp-OutputArea-output")).to_have_text("43")
    page.wait_for_timeout(2000 * AUTOSAVE_SECONDS)
    path = opened.pair.with_suffix(".ipynb")
    assert changed(opened, project) == [f"notebooks/{path.name}"]
    nb = json.loads(path.read_text())
    assert nb["cells"][6]["source"] == ["answer = 42 + 1; answer"]
    assert without(nb, 6) == without(opened.wanted, 6)


@pytest.mark.parametrize("opened", ["lab that autosaves"], indirect=True)
def test_the_kernel_is_ours_and_knows_nothing_of_theirs(opened):
    cell = opened.page.locator(CELLS).last
    cell.locator(EDITOR).click()
    opened.page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-OutputArea-output")).to_have_text(
        re.compile(
            rf"^{re.escape(sys.prefix)} False None\s+\S*inline 1\.5\s*$"
        )
    )


def test_a_readers_own_notebook_is_written_as_its_editor_sends_it(
    server, project
):
    path = project / "notebooks" / "my_own.ipynb"
    write_short(path.with_suffix(""))
    before = path.read_bytes()
    nb = json.loads(before)

    def put():
        content = {"type": "notebook", "format": "json", "content": nb}
        ask(*server, f"api/contents/notebooks/{path.name}", content)

    nb["metadata"]["language_info"] = {"name": "python", "version": "3.99"}
    nb["metadata"]["kernelspec"] = {"display_name": "ours", "name": "python3"}
    put()
    assert path.read_bytes() == before, (
        "Saving an unedited notebook wrote a file."
    )
    nb["cells"][0]["source"] = "# Mine"
    put()
    saved = json.loads(path.read_text())
    assert saved["cells"][0]["source"] == ["# Mine"]
    assert saved["cells"][3]["metadata"] == {"vscode": {"languageId": "r"}}
    assert saved["metadata"] == json.loads(before)["metadata"]
    path.write_text("half-written {")
    put()
    assert json.loads(path.read_text())["cells"] == saved["cells"]
    for half in (path, path.with_suffix(".md")):
        half.unlink()


def test_their_home_folder_is_as_it_was(server, home):
    texts = {name: text.encode() for name, text in THEIR_FILES.items()}
    assert files_in(home) == texts
