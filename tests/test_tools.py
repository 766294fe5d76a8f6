"""Test that our commands never lose work and explain what went wrong."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import chromium
import decks
import nbformat
import pytest
import run
import serve
from sessions import Problem, as_md, find_session, main, read_ipynb
from sync import checksum, content

from tests.example import project_in

SESSION = find_session("2")
ROOT = Path.cwd()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Work in a copy of the project with a short Session 2."""
    for name in ("tests", "notebooks"):
        alone = shutil.ignore_patterns("solutions", "0[!2]_*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=alone)
    for name in ("pyproject.toml", "uv.lock", ".python-version", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    nb = read_ipynb(SESSION)
    # Keep only the title, the coefficients and the function, because they need
    # no imports.
    nb.cells = [
        next(cell for cell in nb.cells if text in cell.source)
        for text in ("# Intuitive AI", "coefficients = ", "def plane(")
    ]
    nb.cells[1].metadata.clear()
    nb.cells[1].source = "coefficients, bias = [[1.1, 2.1]], 3.1"
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", text="kept\n")]
    write(nb)
    return tmp_path


def write(nb):
    """Write Session 2 as an .md and an .ipynb with the same content."""
    nb.metadata["checksum"] = checksum(content(nb))
    SESSION.with_suffix(".ipynb").write_text(nbformat.writes(nb) + "\n")
    SESSION.with_suffix(".md").write_text(as_md(nb))


def halves():
    """Return a list of both files' bytes, with None for a missing file."""
    files = [SESSION.with_suffix(suffix) for suffix in (".md", ".ipynb")]
    return [file.read_bytes() if file.exists() else None for file in files]


def edit(suffix, old, new):
    """Replace a text in the .md or the .ipynb of Session 2."""
    path = SESSION.with_suffix(suffix)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def tool(name, *arguments, **environment):
    """Run one of our tools, and return its exit status and its output."""
    done = subprocess.run(
        [sys.executable, f"tests/tools/{name}.py", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def refused(monkeypatch, *arguments):
    """Return the message with which serve.py refuses to start.

    serve.py runs in this process, because importing everything again would
    take too long.
    """
    monkeypatch.setattr(sys, "argv", ["serve.py", "slides", *arguments])
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main(serve.tool)
    assert one_sentence(ended.value.code), ended.value.code
    return ended.value.code


def one_sentence(text):
    """Return whether a message is a sentence for users and not a traceback."""
    return "Traceback" not in text and len(text.strip().splitlines()) == 1


def test_run_stores_a_fresh_execution(project):
    # After rebuilding the .ipynb, `make sync` advises users to run `make run`.
    SESSION.with_suffix(".ipynb").unlink()
    assert "`make run` fills them in" in tool("sync")[1]
    status, said = tool("run")
    assert status == 0, said
    cells = [c for c in read_ipynb(SESSION).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == [1, 2]
    assert not cells[0].outputs
    assert cells[1].outputs[0].text == "at (0, 1): 5.2\nat (1, 0): 4.2\n"
    assert "2/2" in said, "the progress bar counts the cells"
    assert tool("sync")[1].endswith("both halves agree.\n")


@pytest.fixture
def made(project, monkeypatch):
    """Return a function that runs `make run` and returns the executed pairs.

    The execution is only simulated, because a kernel takes seconds to start.
    """
    executed = []

    def execute(nb, folder, on_cell):
        cells = [c for c in nb.cells if c.cell_type == "code"]
        for count, cell in enumerate(cells, start=1):
            cell.execution_count = count
        executed.append(str(folder))
        return nb

    def make_run(*arguments):
        executed.clear()
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        run.tool()
        return list(executed)

    monkeypatch.setattr(run, "execute", execute)
    pair = project_in(project / "example")
    monkeypatch.chdir(project / "example")
    assert make_run() == ["notebooks", "notebooks/solutions"]
    return make_run, pair


def test_run_skips_what_has_not_changed_and_says_so(made, capsys):
    make_run, _ = made
    assert make_run() == []
    said = capsys.readouterr().out.splitlines()
    assert [it.partition(": skipped")[0] for it in said] == [
        "notebooks/01_example",
        "notebooks/solutions/01_example",
    ]
    assert "`make run ALL=1`" in said[0]
    assert make_run("--all", "1") == ["notebooks", "notebooks/solutions"]
    assert make_run("--session", "1", "--all", "1") == [
        "notebooks",
        "notebooks/solutions",
    ]


def replace(path, old, new):
    """Replace a text in a file."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_run_executes_what_has_changed_and_what_stands_on_it(made):
    make_run, pair = made
    md = pair.with_suffix(".md")
    both = ["notebooks", "notebooks/solutions"]
    replace(md, "Welcome", "Welcome to")
    assert make_run() == [], "Words change no output."
    replace(md, "pi = 3.1", "pi = 3.14")
    assert make_run() == both, "The solutions run this cell, too."
    replace(md, "print(len([1, 2, 3]))", "print(len([1, 2]))")
    assert make_run() == ["notebooks"]
    replace(md, "a circle of radius 3", "a circle of radius three")
    assert make_run() == ["notebooks/solutions"], "They show the task."
    data = Path("notebooks/data.csv")
    replace(md, "print(len([1, 2]))", 'print(len("data.csv"))')
    assert make_run() == ["notebooks"]
    data.write_text("1", encoding="utf-8")
    assert make_run() == ["notebooks"], "The code reads this file."
    replace(
        Path("uv.lock"),
        'name = "jax"\nversion = "',
        'name = "jax"\nversion = "9',
    )
    assert make_run() == both
    replace(
        Path("uv.lock"),
        'name = "ruff"\nversion = "',
        'name = "ruff"\nversion = "9',
    )
    assert make_run() == [], "Only the tests need this package."


def test_run_executes_a_notebook_whose_outputs_are_gone(made):
    make_run, pair = made
    nb = read_ipynb(pair)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    pair.with_suffix(".ipynb").write_text(nbformat.writes(nb) + "\n")
    assert make_run() == ["notebooks"]


def test_run_leaves_a_notebook_whose_cell_fails_as_it_was(project):
    edit(".md", "3.1", "undefined_name")
    assert tool("sync")[0] == 0
    before = halves()
    status, said = tool("run")
    assert status != 0
    assert halves() == before
    assert "NameError" in said
    assert "was left as it was" in said


def test_a_command_starts_without_building_parsers_it_does_not_need():
    code = "import run, sys; print('lark' in sys.modules)"
    said = subprocess.check_output(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": "tests/tools"},
        text=True,
    )
    assert said.strip() == "False", (
        "Reading a notebook imports lark, which takes most of a second: keep "
        "rfc3987-syntax out with override-dependencies in pyproject.toml."
    )


def test_a_session_that_does_not_exist_is_named_with_those_that_do(
    project, monkeypatch
):
    for asked in ("9", "two", "-2", ""):
        said = refused(monkeypatch, "--session", asked)
        assert "choose SESSION from 2." in said


def test_another_port_is_taken_where_none_was_asked_for(project):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # the port may already be taken
            taken.bind(("127.0.0.1", serve.FIRST_PORT))
            taken.listen()
        with served("slides") as (_, said):
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1])
            assert port > serve.FIRST_PORT
            assert f"Port {serve.FIRST_PORT} is in use" in said


def test_a_port_in_use_gets_one_sentence(project, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(monkeypatch, "--port", port)
        assert f"Port {port} is in use" in said
    for wrong in ("http", "80", "123456"):
        said = refused(monkeypatch, "--port", wrong)
    for advised in re.findall(r"\d+", said.split("choose a number from")[1]):
        assert serve.port_asked_for(advised) == int(advised)


def test_a_part_that_does_not_exist_gets_one_sentence(project, monkeypatch):
    for wrong in ("2", "0", "two", "-1"):
        said = refused(monkeypatch, "--part", wrong)
        assert f"PART={wrong} does not exist" in said
        assert "has only one part. Leave out PART to begin" in said
    for advised in ("", "1"):
        assert serve.part_asked_for(advised, find_session("2")) == ""

    nb = read_ipynb(find_session("2"))
    nb.cells[-1].metadata["tags"] = ["part-2"]
    nbformat.write(nb, find_session("2").with_suffix(".ipynb"))
    assert serve.part_asked_for("2", find_session("2")) == "&part=2"
    with pytest.raises(Problem, match="has 2 parts"):
        serve.part_asked_for("3", find_session("2"))


def fetch(address):
    """Return the status and the text of a page."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
    )
    try:
        with opener.open(address, timeout=20) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def save(address):
    """Change a notebook's title and save it, as an open page would."""
    model = json.loads(fetch(address)[1])
    model["content"]["cells"][0]["source"] = "# Saved"
    body = json.dumps(model).encode()
    request = urllib.request.Request(address, data=body, method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=20).close()


@contextlib.contextmanager
def served(page, *arguments):
    """Start `make slides` or `make lab` as on a machine without a screen.

    Yield the process and its output, up to the line that says how to stop the
    server.
    """
    hidden = ("DISPLAY", "WAYLAND_DISPLAY")
    server = subprocess.Popen(
        [sys.executable, "tests/tools/serve.py", page, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={k: v for k, v in os.environ.items() if k not in hidden}
        | {"SSH_CONNECTION": "no screen"},
    )
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
        yield server, said
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.parametrize("page", ["slides", "lab"])
def test_the_server_answers_on_loopback_with_a_token_only(project, page):
    with served(page) as (_, said):
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/\S+", said)
        bare, token = address.split("?token=")
        assert len(token) >= 32
        status, text = fetch(address)
        assert status == 200
        assert "02_neural_nets" in text or page == "lab"
        # Without the token, the server shows only a login page.
        base = re.match(r"http://[^/]+", address)[0]
        assert fetch(f"{base}/api/contents/{SESSION}.ipynb")[0] == 403
        assert (
            fetch(f"{base}/api/contents/{SESSION}.ipynb?token={token}")[0]
            == 200
        )
        assert "?next=" in urllib.request.urlopen(bare, timeout=20).url
        # Saving changes only the open .ipynb. The .md may have been edited in
        # the meantime, so it is left for `make sync` to update.
        md = SESSION.with_suffix(".md").read_bytes()
        save(f"{base}/api/contents/{SESSION}.ipynb?token={token}")
        assert read_ipynb(SESSION).cells[0].source == "# Saved"
        assert SESSION.with_suffix(".md").read_bytes() == md
        # 127.0.0.2 is another address of this machine. A server that listened
        # on all addresses would also answer at this one.
        port = int(base.rsplit(":")[-1])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.2)
    pytest.fail("the Jupyter server kept running after `make` ended")


def test_a_server_ends_while_it_still_reads_a_file(project):
    def read(address):
        with contextlib.suppress(OSError):
            while True:
                fetch(address)

    with served("lab") as (_, said):
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/\S+", said)
        address = address.replace("lab/tree", "api/contents")
        for _ in range(8):
            threading.Thread(target=read, args=[address]).start()
        time.sleep(1)


NOWHERE = "http://127.0.0.1:9"  # nothing listens on this port

# The next tests build decks without Chromium, packages or outputs.


@pytest.mark.parametrize(
    ("system", "command"),
    [("debian", "apt-get install"), ("ubuntu", "playwright install chromium")],
)
def test_a_missing_chromium_is_installed_or_gets_one_sentence(
    monkeypatch, system, command
):
    tried = []
    monkeypatch.setattr(chromium, "find", lambda: "")
    monkeypatch.setattr(
        chromium.platform, "freedesktop_os_release", lambda: {"ID": system}
    )
    monkeypatch.setattr(
        chromium.subprocess,
        "run",
        lambda command, **_: tried.append(" ".join(command)),
    )
    with (
        pytest.raises(Problem, match="apt install chromium"),
        chromium.chromium(),
    ):
        pass
    assert command in tried[-1]


def test_a_program_that_does_not_start_is_no_chromium(tmp_path):
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\necho 'install the snap' >&2; exit 1\n")
    stub.chmod(0o755)
    assert not chromium.starts(str(stub))
    assert not chromium.starts(str(tmp_path / "none"))


def test_decks_without_a_network_get_one_sentence(project):
    status, said = tool(
        "decks", npm_config_registry=NOWHERE, npm_config_fetch_retries="0"
    )
    assert status != 0
    assert one_sentence(said), said
    assert "check the network connection" in said


def test_a_download_with_another_checksum_is_not_used(project, monkeypatch):
    package = project / "package" / "package.json"
    package.parent.mkdir()
    package.write_text('{"name": "a", "version": "1.0.0"}')
    archived = project / "a.tgz"
    with tarfile.open(archived, "w:gz") as archive:
        archive.add("package")
    monkeypatch.setattr(decks, "HERE", package.parent)
    wanted = {"name": "decks", "dependencies": {"a": archived.as_uri()}}
    locked = {
        "version": "1.0.0",
        "resolved": archived.as_uri(),
        "integrity": f"sha512-{'A' * 86}==",
    }
    lock = {"name": "decks", "lockfileVersion": 3}
    lock["packages"] = {"": wanted, "node_modules/a": locked}
    package.write_text(json.dumps(wanted))
    (package.parent / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(Problem, match="checksum"):
        decks.packages()
    assert not list(project.glob(".npm*"))


def test_processes_that_need_the_same_packages_do_not_disturb_each_other(
    project, monkeypatch
):
    def meanwhile(folder):
        """Install the same packages, as another process might do just then."""
        Path(".npm").mkdir()
        lock = (decks.HERE / "package-lock.json").read_text("utf-8")
        Path(".npm/installed.json").write_text(lock, encoding="utf-8")
        Path(".npm/in_use").touch()

    monkeypatch.setattr(decks, "download", meanwhile)
    decks.packages()
    assert Path(".npm/in_use").exists()
    assert [it.name for it in project.glob(".npm*")] == [".npm"]


def test_decks_of_a_notebook_that_was_not_run_get_one_sentence(project):
    before = Path("build/index.html")
    before.parent.mkdir()
    before.write_text("what was there", encoding="utf-8")
    edit(".md", "3.1", "3.2")
    assert tool("sync")[0] == 0
    status, said = tool("decks")
    assert status != 0
    assert one_sentence(said), said
    assert "run `make run`" in said
    assert before.read_text(encoding="utf-8") == "what was there"
    assert not list(project.glob(".build.*"))
