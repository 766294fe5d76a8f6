"""The commands of the Makefile never lose work, and say what is wrong."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import chromium
import decks
import nbformat
import pytest
import serve
from own_git import git
from sessions import Problem, as_md, find_session, read_ipynb

SESSION = find_session("2")
ROOT = Path.cwd()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a committed copy of the project, with a short Session 2."""
    for name in ("tests", "notebooks"):
        alone = shutil.ignore_patterns("solutions", "0[!2]_*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=alone)
    for name in ("pyproject.toml", "uv.lock", ".python-version", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    nb = read_ipynb(SESSION)
    # The title, the coefficients and the function, which need no imports.
    nb.cells = [
        next(cell for cell in nb.cells if text in cell.source)
        for text in ("# Intuitive AI", "coefficients = ", "def plane(")
    ]
    nb.cells[1].metadata.clear()
    nb.cells[1].source = "coefficients, bias = [[1.1, 2.1]], 3.1"
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", text="kept\n")]
    write(nb)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
        git(tmp_path, *command)
    return tmp_path


def write(nb):
    """Write both halves of Session 2."""
    SESSION.with_suffix(".ipynb").write_text(nbformat.writes(nb) + "\n")
    SESSION.with_suffix(".md").write_text(as_md(nb, SESSION))


def halves():
    """Return the bytes of both halves, None for one that is missing."""
    files = [SESSION.with_suffix(suffix) for suffix in (".md", ".ipynb")]
    return [file.read_bytes() if file.exists() else None for file in files]


def edit(suffix, old, new):
    """Replace text in one half of Session 2."""
    path = SESSION.with_suffix(suffix)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def tool(name, *arguments, **environment):
    """Run one of our tools, and return its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, f"tests/tools/{name}.py", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def one_sentence(text):
    """Return whether a message is a sentence for people, and no traceback."""
    return "Traceback" not in text and len(text.strip().splitlines()) == 1


def test_sync_changes_nothing_where_both_halves_agree(project):
    before = halves()
    status, said = tool("sync")
    assert (status, halves()) == (0, before), said


@pytest.mark.parametrize(
    "order", [(1, 2), (2, 1)], ids=["md older", "md newer"]
)
def test_sync_takes_over_an_edited_md_whatever_the_file_times(project, order):
    edit(".md", "return m_0", "return 2 * m_0")
    for suffix, when in zip((".md", ".ipynb"), order, strict=True):
        os.utime(SESSION.with_suffix(suffix), (when, when))
    md, _ = halves()
    status, said = tool("sync")
    assert status == 0, said
    assert halves()[0] == md
    cells = [c for c in read_ipynb(SESSION).cells if c.cell_type == "code"]
    assert "return 2 * m_0" in cells[1].source
    assert cells[1].execution_count is None
    assert not cells[1].outputs, "an output that the edited code did not make"
    assert cells[0].outputs[0].text == "kept\n", (
        "the output of an unchanged cell"
    )


def test_sync_accepts_metadata_in_any_order(project):
    edit(
        ".md",
        "```python\ncoefficients",
        '```python tags=["b"] alt="a"\ncoefficients',
    )
    assert tool("sync")[0] == 0
    before = halves()
    status, said = tool("sync")
    assert (status, halves()) == (0, before), said
    assert b'```python alt="a" tags=["b"]' in before[0]


def test_sync_takes_over_an_edited_ipynb(project):
    edit(".ipynb", "return m_0", "return 2 * m_0")
    _, ipynb = halves()
    status, said = tool("sync")
    assert status == 0, said
    assert halves()[1] == ipynb
    assert "return 2 * m_0" in SESSION.with_suffix(".md").read_text()


def test_sync_knows_what_was_agreed_since_the_last_commit(project):
    edit(".md", "return m_0", "return 2 * m_0")
    assert tool("sync")[0] == 0
    edit(".ipynb", "return 2 * m_0", "return 3 * m_0")
    status, said = tool("sync")
    assert status == 0, said
    assert "return 3 * m_0" in SESSION.with_suffix(".md").read_text()


def test_sync_refuses_where_both_halves_were_edited_and_loses_nothing(project):
    edit(".md", "return m_0", "return 2 * m_0")
    edit(".ipynb", "# Intuitive AI", "# Intuitive AIs")
    before = halves()
    status, said = tool("sync")
    assert status != 0
    assert halves() == before
    assert one_sentence(said), said
    assert "cell 1 (markdown: '# Intuitive AI')" in said
    assert re.search(r"cell \d \(code: 'm_0, m_1", said)
    assert "KEEP=md" in said
    assert "KEEP=ipynb" in said
    assert tool("run")[0] != 0, "run must not choose either"
    assert halves() == before


@pytest.mark.parametrize("keep", ["md", "ipynb"])
def test_sync_keeps_the_chosen_half_and_puts_the_other_aside(project, keep):
    edit(".md", "return m_0", "return 2 * m_0")
    edit(".ipynb", "# Intuitive AI", "# Intuitive AIs")
    status, said = tool("sync", "--keep", keep)
    assert status == 0, said
    for suffix in (".md", ".ipynb"):
        text = SESSION.with_suffix(suffix).read_text()
        assert ("return 2 * m_0" in text) == (keep == "md")
        assert ("# Intuitive AIs" in text) == (keep == "ipynb")
    (aside,) = re.findall(r"\.sync/\S+\.aside\.md", said)
    lost = "# Intuitive AIs" if keep == "md" else "return 2 * m_0"
    assert lost in Path(aside).read_text()


def test_sync_rebuilds_a_missing_half(project):
    md, _ = halves()
    SESSION.with_suffix(".md").unlink()
    status, said = tool("sync")
    assert (status, halves()[0]) == (0, md)
    assert "was missing" in said
    SESSION.with_suffix(".ipynb").unlink()
    status, said = tool("sync")
    assert status == 0
    assert "`make run` fills them in" in said
    assert as_md(read_ipynb(SESSION), SESSION).encode() == md


@pytest.mark.parametrize("command", ["sync", "run", "serve"])
@pytest.mark.parametrize("suffix", [".ipynb", ".md"])
def test_a_half_written_file_gets_one_sentence_and_stays(
    project, command, suffix
):
    path = SESSION.with_suffix(suffix)
    text = path.read_text()
    path.write_text(text[: len(text) // 2] if suffix == ".ipynb" else "")
    before = halves()
    status, said = tool(command, *(["slides"] if command == "serve" else []))
    assert status != 0
    assert halves() == before
    assert f"{path} is damaged" in said
    assert f"git checkout {path}" in said
    assert "Traceback" not in said


def test_run_stores_a_fresh_execution(project):
    status, said = tool("run")
    assert status == 0, said
    cells = [c for c in read_ipynb(SESSION).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == [1, 2]
    assert not cells[0].outputs
    assert cells[1].outputs[0].text == "at (0, 1): 5.2\nat (1, 0): 4.2\n"
    assert "2/2" in said, "the progress bar counts the cells"
    assert tool("sync")[1].endswith("both halves agree.\n")


def test_run_leaves_a_notebook_whose_cell_fails_as_it_was(project):
    edit(".md", "3.1", "undefined_name")
    assert tool("sync")[0] == 0
    before = halves()
    status, said = tool("run")
    assert status != 0
    assert halves() == before
    assert "NameError" in said
    assert "was left as it was" in said


def test_a_session_that_does_not_exist_is_named_with_those_that_do(project):
    for asked in ("9", "two", "-2", ""):
        status, said = tool("serve", "slides", "--session", asked)
        assert status != 0
        assert one_sentence(said), said
        assert "choose SESSION from 2." in said


def test_another_port_is_taken_where_none_was_asked_for(project):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it already
            taken.bind(("127.0.0.1", serve.FIRST_PORT))
            taken.listen()
        with served("slides") as (_, said):
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1])
            assert port > serve.FIRST_PORT
            assert f"Port {serve.FIRST_PORT} is in use" in said


def test_a_port_in_use_gets_one_sentence(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, said = tool("serve", "slides", "--port", port)
        assert status != 0
        assert one_sentence(said), said
        assert f"Port {port} is in use" in said
    for wrong in ("http", "80", "123456"):
        status, said = tool("serve", "slides", "--port", wrong)
        assert status != 0
        assert one_sentence(said), said


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


@contextlib.contextmanager
def served(page, *arguments):
    """Start what `make slides` or `make lab` starts, on a machine without a screen.

    Gives the process and what it has said, up to the line on how to end it.
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
        # Without the token there is a page to log in, and no content.
        base = re.match(r"http://[^/]+", address)[0]
        assert fetch(f"{base}/api/contents/{SESSION}.ipynb")[0] == 403
        assert (
            fetch(f"{base}/api/contents/{SESSION}.ipynb?token={token}")[0]
            == 200
        )
        assert "?next=" in urllib.request.urlopen(bare, timeout=20).url
        # Another address of this machine: a server that listens on all of
        # them would answer there.
        port = int(base.rsplit(":")[-1])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.2)
    pytest.fail("the Jupyter server outlived `make`")


NOWHERE = "http://127.0.0.1:9"  # a port on which nothing answers

# Decks: without Chromium, packages or outputs.


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
    Path(".npm").mkdir()
    with tarfile.open(".npm/a.tgz", "w:gz") as archive:
        archive.add("package")
    monkeypatch.setattr(decks, "HERE", package.parent)
    wanted = {"name": "decks", "dependencies": {"a": "file:a.tgz"}}
    locked = {
        "version": "1.0.0",
        "resolved": "file:a.tgz",
        "integrity": f"sha512-{'A' * 86}==",
    }
    lock = {"name": "decks", "lockfileVersion": 3}
    lock["packages"] = {"": wanted, "node_modules/a": locked}
    package.write_text(json.dumps(wanted))
    (package.parent / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(Problem, match="checksum"):
        decks.packages()
    assert not (project / ".npm" / "installed.json").exists()


def test_decks_of_a_notebook_that_was_not_run_get_one_sentence(project):
    before = Path("build/index.html")
    before.parent.mkdir()
    before.write_text("what was there")
    edit(".md", "3.1", "3.2")
    assert tool("sync")[0] == 0
    status, said = tool("decks")
    assert status != 0
    assert one_sentence(said), said
    assert "do `make run`" in said
    assert before.read_text() == "what was there"
    assert not list(project.glob(".build.*"))
