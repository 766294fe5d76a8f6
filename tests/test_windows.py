"""Check on any system whether the project would run on Windows.

Windows has no sh and no make, and its default encoding is not UTF-8. Paths
have backslashes, and the names of two files must not differ only in upper and
lower case.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import chromium
import clean
import decks
import do
import env
import example
import jupytext
import pages
import pytest
import run
import serve
from sessions import all_pairs, read_ipynb

ROOT = Path.cwd()
TOOLS = sorted(Path("tests", "tools").rglob("*.py"))
# Functions and modules that do not exist on Windows.
MISSING = re.compile(
    r"os\.(fork|setsid|getuid|geteuid|killpg|umask|uname|mkfifo|getpgid"
    r"|sched_\w+|getloadavg|chown|exec\w+)\b"
    r"|signal\.(SIGKILL|SIGHUP|SIGALRM|alarm|pause)\b"
    r"|\bimport (fcntl|resource|pwd|grp|termios|pty)\b"
    r"|\b(start_new_session|preexec_fn|symlink_to)\b|shell=True"
    r"|['\"]/(dev|tmp|usr|etc|bin|proc)\b|['\"](ba)?sh['\"]|\.venv/bin"
)
# A function that first checks the operating system may use these names.
ASKS = re.compile(r"os\.name|ON_WINDOWS|hasattr\(|freedesktop_os_release")
# Values that appear next to a slash in web addresses and not in file paths.
NO_PATHS = {"base", "name", "pair.name", "path"}
NO_PATHS |= {"CLASSIC", "EXTENSION", "HOST"}


def functions_of(path):
    """Yield a file's code outside functions, and then each function's code."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = [it for it in tree.body if isinstance(it, ast.FunctionDef)]
    rest = [it for it in tree.body[1:] if it not in functions]
    yield "\n".join(map(ast.unparse, rest))
    for it in functions:
        it.body = it.body[1:]  # without the docstring
        yield ast.unparse(it)


@pytest.mark.parametrize("path", TOOLS, ids=str)
def test_no_tool_uses_what_windows_lacks(path):
    outside, *functions = functions_of(path)
    for code in (outside, *(it for it in functions if not ASKS.search(it))):
        found = MISSING.search(code)
        assert not found, found[0]


def code_of(pair):
    """Return a notebook's code, without IPython's magic and shell commands."""
    cells = jupytext.read(pair.with_suffix(".md")).cells
    text = "\n\n".join(it.source for it in cells if it.cell_type == "code")
    return re.sub(r"^[%!].*$", "", text, flags=re.M)


def test_no_notebook_uses_what_windows_lacks():
    for pair in all_pairs():
        found = MISSING.search(code_of(pair))
        assert not found, f"{pair}: {found[0]}"


def beside_slashes(path):
    """Return the values that f-strings in a file put next to a slash."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        texts = [getattr(it, "value", "") for it in node.values]
        if str(texts[0]).startswith("https://"):
            continue
        for i, it in enumerate(node.values):
            before, after = texts[i - 1] if i else "", [*texts, ""][i + 1]
            if isinstance(it, ast.FormattedValue) and (
                (isinstance(before, str) and before.endswith("/"))
                # A folder's name in a message is not used as a path.
                or (isinstance(after, str) and re.match("/(?![., ])", after))
            ):
                found.append(ast.unparse(it.value))
    return found


@pytest.mark.parametrize("path", TOOLS, ids=str)
def test_no_path_is_joined_by_a_slash_as_text(path):
    for value in beside_slashes(path):
        assert value in NO_PATHS or re.search(
            r"address|match\[|target|as_posix\(\)|PAGES\[|\bsaid\[", value
        ), f"{value}: join paths with Path."


def test_a_path_of_windows_becomes_an_address(monkeypatch):
    session = PureWindowsPath("notebooks", "solutions", "02 nets")
    assert serve.page_of(session, "lab") == (
        "lab/tree/notebooks/solutions/02%20nets.ipynb"
    )
    name = PureWindowsPath(r"notebooks\data\models.csv")
    assert (
        pages.name_in_zip(Path("05_a"), name)
        == "05_a/notebooks/data/models.csv"
    )


def test_files_have_the_same_order_on_windows():
    names = ["b/a.css", "B.css", "a.csv", "b-c.css", "C/a.csv", "b/A.css"]
    ordered = [
        [it.as_posix() for it in run.in_order(map(kind, names))]
        for kind in (PurePosixPath, PureWindowsPath)
    ]
    assert ordered[0] == ordered[1]


def test_browsers_are_found_where_windows_has_them():
    found = chromium.places_on_windows(
        {
            "PROGRAMFILES": r"C:\Program Files",
            "PROGRAMFILES(X86)": r"D:\Program Files (x86)",
            "TEMP": r"C:\Temp",
        }
    )
    chrome = r"C:\Program Files\Google\Chrome\Application\chrome.exe"
    edge = r"D:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe"
    assert found[0] == chrome
    assert found[-1] == edge
    assert chromium.places_on_windows({}) == []


def test_the_environments_programs_are_found_where_windows_has_them(
    monkeypatch,
):
    monkeypatch.setattr(env, "ON_WINDOWS", True)
    monkeypatch.setattr(env, "Path", PureWindowsPath)
    python = env.program(r"C:\My Files\intuitive_ai\.venv", "python")
    assert str(python) == (
        r"C:\My Files\intuitive_ai\.venv\Scripts\python.exe"
    )


def test_settings_on_windows_do_not_pass_but_mirrors_do(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    for name in ("uv/uv.toml", "pip/pip.ini", "uv/data/python"):
        (theirs / name).parent.mkdir(parents=True, exist_ok=True)
        (theirs / name).write_text("theirs", encoding="utf-8")
    for name in ("APPDATA", "PROGRAMDATA"):
        monkeypatch.setenv(name, str(theirs))
        monkeypatch.delenv(f"OUTER_{name}", raising=False)
    config = tmp_path / "config"
    config.mkdir()
    with monkeypatch.context() as patched:
        # Pretend to be on Windows only for this call, because pathlib also
        # checks the system.
        patched.setattr(clean, "ON_WINDOWS", True)
        clean.link_installers(config)
    files = sorted(it.as_posix() for it in config.rglob("*") if it.is_file())
    assert [it.removeprefix(config.as_posix()) for it in files] == [
        "/pip/pip.ini",
        "/uv/uv.toml",
    ]
    ours = clean.environment(tmp_path)
    assert ours["APPDATA"] == ours["PROGRAMDATA"] == str(config)
    monkeypatch.setattr(os, "environ", ours)
    assert clean.outer()["APPDATA"] == str(theirs)


def test_a_file_that_another_program_has_opened_is_a_sentence():
    error = PermissionError(13, "in use", "notebooks/a.pdf")
    error.winerror = 32
    assert "is in use: close Jupyter, the editor" in clean.advice(error)


def test_names_of_files_fit_windows():
    skipped = {"build", "__pycache__", "my"}
    seen = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            it
            for it in folders
            if it not in skipped
            and (not it.startswith(".") or it in (".github", ".ci"))
        ]
        for name in (*folders, *names):
            path = Path(folder, name).relative_to(ROOT).as_posix()
            assert seen.setdefault(path.lower(), path) == path
            assert not re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', name), path
            assert not re.fullmatch(
                r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.I
            ), path
            assert len(path) < 100, f"{path} is too long for Windows."


# The next tests are about do.py, which starts all commands.


def test_make_and_do_offer_the_same():
    text = Path("Makefile").read_text("utf-8")
    offered = {
        command: re.findall(r"(\w+)=", settings)
        for command, settings in re.findall(
            r"^\t@\$\(DO\) (\w+)(.*)$", text, re.M
        )
    }
    known = {name: [*it[1]] for name, it in do.COMMANDS.items()}
    known.pop("env")
    assert offered == known
    described = {line.split()[0] for line in do.usage().splitlines()}
    assert described == {*known, "help"}


def test_do_starts_what_was_asked_for(capsys):
    serve_py = Path("tests", "tools", "serve.py")
    assert do.programs_for(["slides", "session=3", "PART=", "PORT=8889"]) == [
        [serve_py, "slides", "--session=3", "--port=8889"]
    ]
    lint, test = do.programs_for(["test", "SESSION=2"])
    assert lint == [Path("tests", "tools", "lint.py")]
    assert test == ["-m", "pytest", "--session=2"]
    with pytest.raises(SystemExit, match="no command slide"):
        do.programs_for(["slide"])
    with pytest.raises(SystemExit, match="sync has no setting SESSION"):
        do.programs_for(["sync", "SESSION=2"])
    with pytest.raises(SystemExit):
        do.programs_for([])
    assert "slides  open a session as a live deck" in capsys.readouterr().out


# The next test runs with a default encoding other than UTF-8.

COMMANDS = """
import sys
sys.path.insert(0, "tests/tools")
import decks, lint, run, sessions, sync
for it in (sync, run, lint, decks):
    sys.argv = [it.__name__]
    sessions.main(it.tool)
"""


def test_files_are_in_utf_8_whatever_the_system_prefers(tmp_path):
    folder = tmp_path / "Daten für Übungen"
    folder.mkdir()
    pair = example.project_in(folder)
    decks.packages()
    (folder / decks.PACKAGES).symlink_to(ROOT / decks.PACKAGES)
    md = pair.with_suffix(".md")
    text = md.read_text("utf-8").replace("Areas", "Flächen: πr²")
    md.write_text(text.replace('"round"', '"rund: π"'), "utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", COMMANDS],
        cwd=folder,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        encoding="utf-8",
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    ours = [it for it in said.splitlines() if "EncodingWarning" in it]
    assert not [it for it in ours if str(folder) in it], said
    assert "All checks passed!" in said
    (printed,) = [
        it.outputs for it in read_ipynb(pair).cells if "rund" in it.source
    ]
    assert printed[0].text == "rund: π\n"
    deck = folder / "build" / f"{example.NAME}.html"
    assert "Flächen: πr²" in deck.read_text("utf-8")
    for path in (md, pair.with_suffix(".ipynb"), deck):
        assert b"\r" not in path.read_bytes()


def test_what_the_tools_write_has_the_same_line_endings_everywhere():
    for path in TOOLS:
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            modes = [getattr(it, "value", "") for it in call.args]
            if name == "write_text" or (
                name in ("open", "fdopen") and "w" in modes
            ):
                assert "newline" in [it.arg for it in call.keywords], (
                    f"{path}, line {call.lineno}"
                )
