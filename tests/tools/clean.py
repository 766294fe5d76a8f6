"""Provide the clean environment in which our commands and tests run.

`python -I tests/tools/clean.py ARGUMENTS` runs `python ARGUMENTS` in this
environment, and do.py starts everything in it. Until the environment is set
up, the option -I makes Python ignore the user's settings. If our tools or
pytest are started in another way, they set up the environment themselves.
"""

import contextlib
import errno
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ON_WINDOWS = os.name == "nt"
# The environment variables that may reach our processes, in upper or lower
# case. env.sh also reads this list.
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
    UV_PYTHON_INSTALL_MIRROR UV_PYTHON_INSTALL_DIR
    UV_ASTRAL_MIRROR_URL UV_CACHE_DIR UV_LINK_MODE
    UV_OFFLINE UV_HTTP_* UV_INSECURE_HOST UV_NATIVE_TLS UV_SYSTEM_CERTS
    UV_KEYRING_PROVIDER
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_PROXY
    PIP_CERT PIP_CLIENT_CERT PIP_CACHE_DIR PIP_CONFIG_FILE PIP_RETRIES
    PIP_TIMEOUT PIP_DEFAULT_TIMEOUT
    NPM_CONFIG_REGISTRY NPM_CONFIG_PROXY NPM_CONFIG_HTTPS_PROXY
    NPM_CONFIG_NOPROXY NPM_CONFIG_CAFILE NPM_CONFIG_CACHE NPM_CONFIG_FETCH_*
    PLAYWRIGHT_DOWNLOAD_HOST PLAYWRIGHT_BROWSERS_PATH

    CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_CACHE_PATH
    NVIDIA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES TPU_*
    LD_LIBRARY_PATH XLA_PYTHON_CLIENT_*
    JAX_COMPILATION_CACHE_DIR NUMBA_CACHE_DIR PYTHONPYCACHEPREFIX
    TORCH_PYTHON OUTER_*
"""
# These tools read their package mirrors from the user's configuration folder.
INSTALLERS = ("uv", "pip")
# The lines of .npmrc that name the mirror or the cache, or say how to reach the
# mirror. All other lines are ignored.
NPM = re.compile(
    r"(//|(@[^:=]+:)?registry|(https?-)?proxy|noproxy|ca(file|\[\])?|strict-ssl"
    r"|_auth\w*|cache|fetch-)[^=]*="
)
# These variables are restored for the user's own programs, such as the
# browser.
OUTER = (
    *("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS", "LANG"),
    *("APPDATA", "PROGRAMDATA"),
)


def environment(folder, python=sys.executable):
    """Return an environment in which the user's own settings have no effect.

    We list the variables that are passed on instead of those that are blocked.
    Each tool reads dozens of environment variables, and newer versions read
    more, so a list of harmful variables would never be complete. Only a few
    variables are useful. They say where things are on the machine, how to
    reach the network and the package mirrors, which GPUs to use, and where the
    caches are. If a useful variable is missing from our list, somebody will
    notice, and we can add it. But if a harmful variable were passed on,
    results would change silently.

    To keep out the user's configuration files, we make each tool look for such
    files in `folder`. The home folder stays the same, because it holds caches
    and because a reader's own code may use it. If the home folder can't be
    written to, a folder inside `folder` replaces it. A second call inside the
    clean environment returns the same settings for another folder.

    `folder` is an existing folder for the files that the processes write. You
    can delete the folder when the processes have ended. `python` is the path
    of the Python that the processes use. Return a dict for the `env` argument
    of subprocess.
    """
    folder = Path(folder).absolute()
    config = folder / "config"
    config.mkdir(exist_ok=True)
    empty = folder / "empty"
    empty.touch()
    (folder / "arvizrc").touch()
    link_installers(config)
    write_npmrc(folder / "npmrc")
    passed = allowed()
    if not is_writable(passed.get("XDG_CACHE_HOME", folder)):
        del passed["XDG_CACHE_HOME"]
    home = os.path.expanduser("~")
    if os.path.isdir(home) and is_writable(Path(home, ".cache")):
        # Sessions 4 to 6 keep their compiled code here.
        compiled = {
            "JAX_COMPILATION_CACHE_DIR": str(
                Path(home, ".cache", "intuitive_ai")
            )
        }
    else:
        home, compiled = str(folder / "home"), {}
        os.makedirs(home, exist_ok=True)
    programs = os.path.dirname(python)
    # npm uses the same certificates as other programs, but has its own
    # variable for them.
    if "SSL_CERT_FILE" in passed:
        passed.setdefault("NODE_EXTRA_CA_CERTS", passed["SSL_CERT_FILE"])
    here = {*passed.get("NO_PROXY", "").split(","), "127.0.0.1", "localhost"}
    no_proxy = ",".join(sorted(here - {""}))
    return {
        **compiled,
        **passed,
        **{
            f"OUTER_{name}": os.environ.get(
                f"OUTER_{name}", os.environ.get(name, "")
            )
            for name in OUTER
        },
        "HOME": home,
        # If TMPDIR can't be written to, Python chooses another folder.
        "TMPDIR": tempfile.gettempdir(),
        # `!python` in a cell must start the Python that runs the cell.
        "PATH": os.pathsep.join([programs, passed.get("PATH", os.defpath)]),
        # Our own servers must be reached without a proxy.
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        # Use the same language and the same encoding everywhere.
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        # Kernels can then reuse code that other kernels have compiled.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # Many tools look for settings here: Matplotlib, ArviZ, git,
        # fontconfig, jupytext, ...
        "XDG_CONFIG_HOME": str(config),
        "XDG_CONFIG_DIRS": str(config),
        # Jupyter looks only in our folder and in the environment's own folder.
        # With PLATFORM_DIRS, Jupyter takes the system's folders from
        # XDG_CONFIG_DIRS and XDG_DATA_DIRS, which we also set.
        "JUPYTER_PLATFORM_DIRS": "1",
        "XDG_DATA_DIRS": str(config),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "IPYTHONDIR": str(folder / "ipython"),
        "MATPLOTLIBRC": str(empty),
        "PYTENSORRC": str(empty),
        "ARVIZ_DATA": str(folder),
        "DOCUTILSCONFIG": str(empty),
        "RUFF_CACHE_DIR": str(folder / "ruff"),
        "NPM_CONFIG_USERCONFIG": str(folder / "npmrc"),
        "NPM_CONFIG_GLOBALCONFIG": str(empty),
        # Make git ignore the user's settings and hooks. Also prevent git from
        # rewriting a repository's index when a command only reads it.
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        # On Windows, these folders hold settings but no caches.
        **{
            name: str(config)
            for name in ("APPDATA", "PROGRAMDATA")
            if name in passed
        },
    }


def allowed():
    """Return this process's environment variables that are in ALLOWED."""
    return {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name.upper(), it) for it in ALLOWED.split())
    }


def outer():
    """Return the environment for the user's own programs, with all settings.

    The browser needs its settings, because it would otherwise look newly
    installed.
    """
    passed = allowed()
    theirs = {name: passed.pop(f"OUTER_{name}", "") for name in OUTER}
    return passed | {name: value for name, value in theirs.items() if value}


def enter(folder, keep=()):
    """Give this process and all that it starts a clean environment.

    `folder` is passed to `environment`. `keep` contains patterns for the names
    of other environment variables to keep.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, it) for it in keep)
    }
    clean = environment(folder)
    os.environ.clear()
    os.environ.update({**clean, **kept})


def is_writable(path):
    """Return whether a folder can be written to or created."""
    path = Path(path).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return os.access(path, os.W_OK)


def link_installers(config):
    """Make the user's settings for uv and pip available in our folder."""
    theirs = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    if ON_WINDOWS:
        theirs = os.environ.get("APPDATA", theirs)
    for name in INSTALLERS:
        path = Path(theirs, name)
        if path.is_dir() and ON_WINDOWS:
            # On Windows, we copy the settings, because not every user may
            # create links. We copy only the settings, because uv's folder also
            # contains other files.
            (config / name).mkdir(exist_ok=True)
            for file in (*path.glob("*.toml"), *path.glob("*.ini")):
                shutil.copy(file, config / name)
        elif path.is_dir():
            with contextlib.suppress(FileExistsError):
                (config / name).symlink_to(path.resolve())


def write_npmrc(path):
    """Copy the lines of the user's .npmrc that tell npm about a mirror."""
    theirs = {k.upper(): v for k, v in os.environ.items()}.get(
        "NPM_CONFIG_USERCONFIG"
    ) or os.path.expanduser("~/.npmrc")
    lines = []
    with contextlib.suppress(OSError):
        lines = Path(theirs).read_text("utf-8", "replace").splitlines()
    # In .npmrc, a token is often written as ${NAME}.
    kept = [os.path.expandvars(it) for it in lines if NPM.match(it.strip())]
    path.write_text("\n".join(kept) + "\n", "utf-8", newline="\n")


def advice(error):
    """Return advice for the user about an error such as a full disk.

    `error` is an exception. Return "" if there is no advice for this error.
    """
    if error.__cause__ and not isinstance(error, OSError):
        return advice(error.__cause__)
    number = getattr(error, "errno", None)
    place = Path(getattr(error, "filename", None) or ".").absolute()
    # If the file doesn't exist, name its folder, because the name of a
    # temporary file would not help the user.
    place = place if place.exists() else place.parent
    again = "then run the same command again."
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: free some space, {again}"
    if number == errno.EROFS:
        return (
            f"{place} cannot be changed here: copy the project to a place that "
            f"is not read-only, {again}"
        )
    if getattr(error, "winerror", None) == 32:
        return (
            f"{place} is in use: close Jupyter, the editor or the viewer that "
            f"has it open, {again}"
        )
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"Access to {place} was refused: change its owner or its "
            "permissions, or copy the project to a folder that you own, "
            f"{again}"
        )
    if number == errno.ENOENT and "temporary directory" in str(error):
        return (
            "There is no writable folder for temporary files: "
            f"set TMPDIR to a writable folder, {again}"
        )
    return ""


def main(programs, python=sys.executable):
    """Run programs in a clean environment until one of them fails.

    Each program is a list of arguments for Python, and `python` is the path of
    the Python to use. Exit with the status of the last program.
    """
    # Ignore Ctrl-C here, because it also reaches the child process, which
    # decides what to do. Use a function for this, because the child would
    # inherit SIG_IGN.
    signal.signal(signal.SIGINT, lambda *_: None)
    status = 0
    try:
        for arguments in programs:
            status = status or run(arguments, python)
    except OSError as error:
        if words := advice(error):
            sys.exit(words)
        raise
    # If a signal has ended the program, exit with the status that shells use.
    sys.exit(status if status >= 0 else 128 - status)


def run(arguments, python):
    """Run Python with these arguments, and return its exit status."""
    # On Windows, a program that is ending may still have a file open.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # Write a test file first, so that a full disk is reported here and not
        # by a failing program.
        room = Path(folder) / "room"
        room.write_bytes(bytes(2**20))
        room.unlink()
        child = subprocess.Popen(
            [python, *arguments], env=environment(folder, python)
        )
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(
                    getattr(signal, name), lambda *_: child.terminate()
                )
        return child.wait()


if __name__ == "__main__":
    main([sys.argv[1:]])
