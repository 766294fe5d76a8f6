"""Start a Jupyter server, for `make slides` and `make lab`."""

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from clean import environment, outer
from sessions import (
    Problem,
    find_session,
    is_whole,
    main,
    parts_of,
    read_ipynb,
)
from settings import LAB_WITHOUT, LIVE, write_settings
from sync import sync

HOST = "127.0.0.1"  # reachable only from this machine
START_SECONDS = 60
FIRST_PORT = 8888
IN_USE = (
    "Port {} is in use by another program: choose another port, or leave out "
    "PORT to get a free one."
)

PAGES = {"slides": "nbclassic/notebooks", "lab": "lab/tree"}
# These extensions look for updates or request things that our server does not
# offer.
WITHOUT = (
    *LAB_WITHOUT,
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/terminal-extension",
)


def port_asked_for(text):
    """Return the port that the user asked for, or None for any free port.

    `text` is what the user typed. Raise Problem if the text is not a valid
    port.
    """
    if not text:
        return None
    if not (text.isdecimal() and 1024 <= int(text) <= 65535):
        raise Problem(
            f"PORT={text} is not a port: choose a number from 1024 to 65535."
        )
    return int(text)


def part_asked_for(text, session):
    """Return the query that opens a deck at a part, or "" for the first part.

    `text` is what the user typed, and `session` is the session's path without
    its suffix. Raise Problem if the session has no such part.
    """
    if text in ("", "1"):
        return ""
    parts = len(parts_of(read_ipynb(session).cells))
    if text not in map(str, range(1, parts + 1)):
        has = f"{parts} parts" if parts > 1 else "only one part"
        raise Problem(
            f"PART={text} does not exist: {session.name} has {has}. Leave out "
            "PART to begin at the first slide."
        )
    return f"&part={text}"


def has_screen():
    """Return whether there is a screen on which a browser could open."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def answers(address):
    """Return whether a server answers at `address`, which contains its token."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(urllib.error.URLError, OSError):
        no_proxy.open(address, timeout=5).close()
        return True
    return False


def address_in(folder):
    """Return the address in a server's file, or "" if there is no file."""
    for file in folder.glob("jpserver-*.json"):
        with contextlib.suppress(json.JSONDecodeError):  # only half-written
            said = json.loads(file.read_text("utf-8"))
            return f"http://{HOST}:{said['port']}"
    return ""


def start(port, token, folder):
    """Start a Jupyter server on a port, and wait until it answers.

    `port` is a number, or 0 for any free port. The server's log and runtime
    files are written to `folder`. Return the process and its address, which is
    "" if the port is in use. If the server does not start for another reason,
    raise Problem.
    """
    # Autosave is off, so that whatever a presenter tries out changes a file
    # only if they save it.
    write_settings(
        folder / "jupyter",
        folder / "data",
        autosave=False,
        lab_without=WITHOUT,
    )
    command = [
        *(sys.executable, LIVE / "server.py", f"--ServerApp.port={port}"),
        "--NotebookApp.show_banner=False",
    ]
    log = folder / "log"
    with log.open("w", encoding="utf-8", newline="\n") as file:
        server = subprocess.Popen(
            command,
            # Pass the token in the environment, because all users can read
            # command lines.
            env=environment(folder) | {"JUPYTER_TOKEN": token},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            base = address_in(folder / "runtime")
            if base and answers(f"{base}/api/status?token={token}"):
                return server, base
            time.sleep(0.1)
        said = log.read_text("utf-8", "replace")
        if "already in use" in said:
            return server, ""
        raise Problem(
            f"{said}\nThe Jupyter server did not start; "
            "the last lines above say why."
        )
    except BaseException:
        server.terminate()
        raise


def open_browser(address):
    """Open a page in the user's browser; return whether that was possible."""
    code = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
    # Give the browser the user's own settings. Without these settings, it
    # would look newly installed.
    return not subprocess.run(
        [sys.executable, "-I", "-c", code, address], env=outer()
    ).returncode


def serve(path, query, port, folder):
    """Serve the project until Ctrl-C; open a page, or print its address.

    `path` is the page's path on the server, and `query` follows the token in
    the address. `port` is a number, or None for port 8888 or, if that is in
    use, any free port. The server's files are written to `folder`. Raise
    Problem if the server does not start.
    """
    token = secrets.token_hex(16)
    server, base = start(port or FIRST_PORT, token, folder)
    if not base and not port:
        print(f"Port {FIRST_PORT} is in use, so the server uses another port.")
        server, base = start(0, token, folder)
    if not base:
        raise Problem(IN_USE.format(port))
    try:
        address = f"{base}/{path}?token={token}{query}"
        if has_screen() and open_browser(address):
            print(f"Opened in the browser: {address}")
        else:
            print(f"Open this address in a browser: {address}")
        print("Press Ctrl-C here to stop the server.", flush=True)
        server.wait()
    finally:
        server.terminate()
        server.wait()


def prepare(session):
    """Update a session's .ipynb before a reader opens it.

    `session` is the session's path without its suffix. Print what was done, or
    why nothing could be done. Even if the .md and the .ipynb are in conflict,
    a reader can open the .ipynb. Raise Problem if the .ipynb can't be opened
    at all.
    """
    try:
        done = sync(session, reading=True)
    except Problem as problem:
        ipynb = session.with_suffix(".ipynb")
        if not is_whole(ipynb):
            raise
        done = f"{problem}\nOpening {ipynb} as it is."
    if done:
        print(done)


def own_copy_of(session):
    """Return the reader's own copy of a session, or the session itself.

    If there is a copy, print which file is opened.
    """
    copy = session.with_name(f"my_{session.name}")
    if not copy.with_suffix(".ipynb").exists():
        return session
    if not is_whole(copy.with_suffix(".ipynb")):
        print(
            f"{copy}.ipynb is damaged, so {session}.ipynb is opened instead."
        )
        return session
    print(f"Opening your own copy, {copy}.ipynb.")
    return copy


def page_of(session, page):
    """Return the path of a session's page on the server.

    `session` is the session's path without suffix, and `page` is one of PAGES.
    """
    return f"{PAGES[page]}/{quote(session.as_posix())}.ipynb"


def tool():
    """Serve a live deck or JupyterLab on the loopback address."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("page", choices=[*PAGES])
    parser.add_argument("--session", default="2")
    parser.add_argument("--part", default="")
    parser.add_argument("--port", default="")
    asked = parser.parse_args()
    session = find_session(asked.session)
    port = port_asked_for(asked.port)
    opened = own_copy_of(session) if asked.page == "lab" else session
    if opened == session:
        prepare(session)
    query = part_asked_for(asked.part, opened)
    # The server must also stop when the terminal is closed.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        serve(page_of(opened, asked.page), query, port, Path(name))


if __name__ == "__main__":
    main(tool)
