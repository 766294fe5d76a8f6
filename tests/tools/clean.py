"""The environment of every process that our commands and tests start.

`python -I tests/tools/clean.py ARGUMENTS` runs `python ARGUMENTS` in it, which
is how the Makefile starts our tools. With -I, Python itself ignores the
person's settings until then.
"""

import contextlib
import fnmatch
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# What may pass. Names are compared without regard to case.
ALLOWED = """
    HOME USER LOGNAME USERNAME SHELL PATH TERM COLORTERM
    TMPDIR TEMP TMP XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
    DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_SESSION_TYPE XDG_CURRENT_DESKTOP
    DBUS_SESSION_BUS_ADDRESS BROWSER SSH_CONNECTION

    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE HOMEDRIVE HOMEPATH
    APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES* COMMONPROGRAMFILES*
    NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE

    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    NODE_EXTRA_CA_CERTS

    UV_DEFAULT_INDEX UV_INDEX UV_INDEX_* UV_EXTRA_INDEX_URL UV_FIND_LINKS
    UV_PYTHON_INSTALL_MIRROR UV_PYTHON_INSTALL_DIR UV_PYTHON_BIN_DIR UV_PYTHON
    UV_PYTHON_PREFERENCE UV_ASTRAL_MIRROR_URL UV_CACHE_DIR UV_LINK_MODE
    UV_OFFLINE UV_HTTP_* UV_INSECURE_HOST UV_NATIVE_TLS UV_SYSTEM_CERTS
    UV_KEYRING_PROVIDER
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_PROXY
    PIP_CERT PIP_CLIENT_CERT PIP_CACHE_DIR PIP_CONFIG_FILE PIP_RETRIES
    PIP_TIMEOUT PIP_DEFAULT_TIMEOUT
    NPM_CONFIG_REGISTRY NPM_CONFIG_PROXY NPM_CONFIG_HTTPS_PROXY
    NPM_CONFIG_NOPROXY NPM_CONFIG_CAFILE NPM_CONFIG_CACHE NPM_CONFIG_FETCH_*
    PLAYWRIGHT_DOWNLOAD_HOST PLAYWRIGHT_BROWSERS_PATH

    CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_CACHE_PATH
    NVIDIA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES
    LD_LIBRARY_PATH XLA_PYTHON_CLIENT_*
    JAX_COMPILATION_CACHE_DIR NUMBA_CACHE_DIR PYTHONPYCACHEPREFIX
"""
# These read their package mirrors from the person's configuration folder.
INSTALLERS = ("uv", "pip")


def environment(folder):
    """Return an environment in which a person's own settings have no effect.

    It starts from a list of what may pass, and not from one of what may not.
    Each tool reads dozens of variables, and its next version reads more, so a
    list of the harmful ones would never be complete. The useful ones are few:
    where the machine's things are, how to reach the network and the package
    mirrors, which GPUs to use, and where caches lie. If one of these is
    missing, somebody notices and we add it; if a harmful one passed, results
    would change in silence.

    Configuration files are kept out by sending each tool that looks for them
    to `folder` instead. The home folder stays, because caches lie there and
    because a reader's own code may use it. Passing the result through this
    function again gives the same settings in another folder.

    Takes: `folder`, an existing folder for what the processes configure or
    note down; delete it after they have ended. Returns a dict for the `env`
    argument of subprocess.
    """
    folder = Path(folder).absolute()
    config = folder / "config"
    config.mkdir(exist_ok=True)
    empty = folder / "empty"
    empty.touch()
    link_installers(config)
    passed = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name.upper(), it) for it in ALLOWED.split())
    }
    programs = os.path.dirname(sys.executable)
    return passed | {
        # `!python` in a cell must start the Python that runs the cell.
        "PATH": os.pathsep.join([programs, passed.get("PATH", os.defpath)]),
        # The same messages and the same encoding everywhere.
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        # Many look here: Matplotlib, ArviZ, git, fontconfig, jupytext, ...
        "XDG_CONFIG_HOME": str(config),
        "XDG_CONFIG_DIRS": str(config),
        # Only our folder and that of the environment, neither the person's nor
        # the system's: with PLATFORM_DIRS these come from XDG_CONFIG_DIRS and
        # XDG_DATA_DIRS.
        "JUPYTER_PLATFORM_DIRS": "1",
        "XDG_DATA_DIRS": str(config),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "IPYTHONDIR": str(folder / "ipython"),
        "MATPLOTLIBRC": str(empty),
        "PYTENSORRC": str(empty),
        # Neither settings nor hooks of the person's, and no look at a
        # repository may write its index anew.
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def link_installers(config):
    """Let uv and pip find their mirrors, though not at the person's own path."""
    theirs = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    for name in INSTALLERS:
        path = Path(theirs, name)
        if path.is_dir():
            with contextlib.suppress(OSError):
                (config / name).symlink_to(path.resolve())


def main():
    """Run Python with our arguments in a clean environment; end as it ends."""
    # Ctrl-C reaches the child as well, and the child decides what it means.
    # It would inherit SIG_IGN, but not a function that does nothing.
    signal.signal(signal.SIGINT, lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, *sys.argv[1:]], env=environment(folder)
        )
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(
                    getattr(signal, name), lambda *_: child.terminate()
                )
        status = child.wait()
    # A shell's way to say that a signal has ended a process.
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
