"""`make slides` and `make lab`: a local Jupyter server, and a page in it."""

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
import webbrowser
from pathlib import Path

from nbformat.sign import NotebookNotary
from sessions import (
    Problem,
    find_session,
    is_whole,
    main,
    read_ipynb,
    write_safely,
)
from sync import sync

HOST = "127.0.0.1"  # nobody but this machine
START_SECONDS = 60
FIRST_PORT = 8888
IN_USE = (
    "Port {} is in use by another program: choose another one, or leave PORT "
    "away for a free one."
)

# RISE reads the deck's settings, and looks whether there are slides, as soon as
# its own script is there. With a cold cache that is before the notebook has
# arrived: no settings, no slides, no deck. So it is not loaded as an extension,
# but by this script, once the notebook is there and its formulas are set.
# Jupyter queues each cell's formulas on their own, and each waits for a tenth
# of a second, a minute for a session: one pass over the page replaces them.
# Autosave is off, so that what is tried out in front of the club changes no
# file, unless somebody saves it.
CUSTOM_JS = """
define(["base/js/namespace", "base/js/events"], function (Jupyter, events) {
  function launch() {
    requirejs(["nbextensions/rise/main"], function (rise) {
      rise.load_ipython_extension();
    });
  }
  function typeset() {
    MathJax.Hub.queue.queue = [];
    MathJax.Hub.Queue(["Typeset", MathJax.Hub, "notebook"], launch);
  }
  function start() {
    Jupyter.notebook.set_autosave_interval(0);
    MathJax.Hub.Register.StartupHook("End", function () {
      setTimeout(typeset, 0);
    });
  }
  if (Jupyter.notebook && Jupyter.notebook._fully_loaded) start();
  else events.one("notebook_loaded.Notebook", start);
});
"""


def port_asked_for(text):
    """Return the port that the user asked for, None for any free one.

    Takes: `text` as it was typed. Raises Problem where it is no port.
    """
    if not text:
        return None
    if not (text.isdecimal() and 1024 <= int(text) <= 65535):
        raise Problem(
            f"PORT={text} is no port: choose one from 1024 to 65535."
        )
    return int(text)


def has_screen():
    """Return whether there is a screen on which a browser could open."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def answers(address):
    """Return whether a server answers at `address`, which holds its token."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(urllib.error.URLError, OSError):
        no_proxy.open(address, timeout=5).close()
        return True
    return False


def address_in(folder):
    """Return the address that a server has written down, "" as long as it has not."""
    for file in folder.glob("jpserver-*.json"):
        with contextlib.suppress(json.JSONDecodeError):  # half-written yet
            return f"http://{HOST}:{json.loads(file.read_text())['port']}"
    return ""


def write_deck_settings(folder):
    """Write the settings of a dependable deck into a new Jupyter config folder."""
    extensions = {"load_extensions": {"rise/main": False}}
    write_safely(folder / "nbconfig" / "notebook.json", json.dumps(extensions))
    # Here and not in the notebook, where it would start a deck in JupyterLab,
    # too, in front of somebody who wants to read.
    autolaunch = {"autolaunch": True}
    write_safely(folder / "nbconfig" / "rise.json", json.dumps(autolaunch))
    write_safely(folder / "custom" / "custom.js", CUSTOM_JS)


def start(port, token, folder):
    """Start a Jupyter server on a port, and wait until it answers.

    Takes: `port`, 0 for any free one; `folder`, for its log and run-time
    files. Returns the process and its address, which is "" where the port is
    in use. Raises Problem where it does not start for another reason.
    """
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={Path.cwd()}",
        "--NotebookApp.show_banner=False",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        # jupytext would open the text of the .md, whichever half was edited,
        # and overwrite both on saving. `make sync` brings them together.
        "--ServerApp.jpserver_extensions={'jupyterlab_jupytext': False}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in a container
    log = folder / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            # In the environment: a command line can be read by every user.
            env={
                **os.environ,
                "JUPYTER_TOKEN": token,
                "JUPYTER_RUNTIME_DIR": str(folder),
            },
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            base = address_in(folder)
            if base and answers(f"{base}/api/status?token={token}"):
                return server, base
            time.sleep(0.1)
        if "already in use" in log.read_text():
            return server, ""
        raise Problem(
            f"{log.read_text()}\nThe Jupyter server did not start; "
            "the last lines above say why."
        )
    except BaseException:
        server.terminate()
        raise


def serve(path, port, folder):
    """Serve the project until Ctrl-C, with `path` opened or its address printed.

    Takes: `path`, the page under the server's address; `port`, a number, or
    None for 8888 or any free one; `folder`, for the server's files. Raises
    Problem where it does not start.
    """
    token = secrets.token_hex(16)
    server, base = start(port or FIRST_PORT, token, folder)
    if not base and not port:
        print(f"Port {FIRST_PORT} is in use, so we take another one.")
        server, base = start(0, token, folder)
    if not base:
        raise Problem(IN_USE.format(port))
    try:
        address = f"{base}/{path}?token={token}"
        if has_screen() and webbrowser.open(address):
            print(f"Opened in the browser: {address}")
        else:
            print(f"Open this address in a browser: {address}")
        print("Ctrl-C here ends it.", flush=True)
        server.wait()
    finally:
        server.terminate()
        server.wait()


def prepare(session):
    """Bring a session's .ipynb up to date, so that it can be opened to read.

    Takes: the session's path without suffix. Prints what was done, or why
    nothing could be: a conflict between the halves is no reason not to read
    one of them. Raises Problem where there is no .ipynb that can be opened.
    """
    try:
        done = sync(session, reading=True)
    except Problem as problem:
        ipynb = session.with_suffix(".ipynb")
        if not is_whole(ipynb):
            raise
        done = f"{problem}\n{ipynb} is opened as it is."
    if done:
        print(done)


def own_copy_of(session):
    """Return the reader's own copy of a session, or the session if there is none.

    Prints which of them is opened where there is a copy.
    """
    copy = session.with_name(f"my_{session.name}")
    if not copy.with_suffix(".ipynb").exists():
        return session
    if not is_whole(copy.with_suffix(".ipynb")):
        print(f"{copy}.ipynb is damaged, so {session}.ipynb is opened.")
        return session
    print(f"{copy}.ipynb, your own copy, is opened.")
    return copy


def tool():
    """Serve a live deck, or JupyterLab, on the loopback address."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("page", choices=["slides", "lab"])
    parser.add_argument("--session", default="2")
    parser.add_argument("--port", default="")
    asked = parser.parse_args()
    session = find_session(asked.session)
    port = port_asked_for(asked.port)
    opened = own_copy_of(session) if asked.page == "lab" else session
    if opened == session:
        prepare(session)
    # Jupyter shows no table of a notebook that nobody has called trustworthy.
    # This one is our own.
    NotebookNotary().sign(read_ipynb(opened))
    # A closed terminal must end the server too.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.page == "slides":
            write_deck_settings(folder)
            # custom.js is read from the one, extensions from the other.
            os.environ["JUPYTER_CONFIG_DIR"] = name
            os.environ["JUPYTER_CONFIG_PATH"] = name
            serve(f"nbclassic/notebooks/{session}.ipynb", port, folder)
        else:
            serve(f"lab/tree/{opened}.ipynb", port, folder)


if __name__ == "__main__":
    main(tool)
