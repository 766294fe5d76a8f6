"""Create or update the project's own environment in .venv.

The environment must match uv.lock. This script is for Windows and for other
systems without sh. On all other systems, env.sh does the same, because a
machine that has make may not have Python. If there is nothing to do, the
script writes nothing. If it fails, it says why in one sentence.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
import clean
from clean import ON_WINDOWS
from why import why

ROOT = Path(__file__).absolute().parents[2]
AGAIN = "then run the same command again."
# The lines of uv's configuration file that may name a mirror.
MIRROR = re.compile(
    r"^\s*(\[\[\s*index|index(-url)?\s*=|extra-index-url|find-links|no-index)",
    re.M,
)
OURS = {
    "UV_PROJECT_ENVIRONMENT": ".venv",
    "UV_PYTHON_INSTALL_BIN": "0",
    "PYTHONUTF8": "1",
}
MIRRORS = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    "UV_FIND_LINKS",
)
# With these options, uv uses only uv.lock and ignores the user's mirrors.
LOCKED = ("--locked", "--no-config", "--quiet")


def program(environment, name):
    """Return the path of a program in an environment."""
    if ON_WINDOWS:
        return Path(environment, "Scripts", f"{name}.exe")
    return Path(environment, "bin", name)


def settings():
    """Return the environment variables for uv.

    These are the allowed variables of the user and our own variables.
    """
    passed = clean.allowed()
    if not passed.get("UV_DEFAULT_INDEX") and passed.get("PIP_INDEX_URL"):
        passed["UV_DEFAULT_INDEX"] = passed["PIP_INDEX_URL"]
    return passed | OURS


def call(*command, said=None):
    """Run a program in the project's folder, and return its result.

    `said` is the program's input.
    """
    variables = settings()
    if LOCKED[0] in command:
        variables = {k: v for k, v in variables.items() if k not in MIRRORS}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        input=said,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def done(sentence, *command, said=None):
    """Return what a program prints; if it fails, exit with the cause.

    `sentence` is shown if the cause is unknown. `said` is the program's input.
    """
    try:
        it = call(*command, said=said)
    except OSError as error:
        sys.exit(clean.advice(error) or f"{error}\n{sentence}")
    if it.returncode:
        words = it.stdout + it.stderr
        last = words.strip().splitlines()[-20:]
        sys.exit(why(words) or "\n".join([*last, sentence]))
    return it.stdout


def find_uv():
    """Return the path of a uv that is new enough, on the PATH or in .uv.

    Return None if no such uv is found.
    """
    for path in (shutil.which("uv"), program(ROOT / ".uv", "uv")):
        if not path or not Path(path).exists():
            continue
        if not call(path, "sync", "--check", "--help").returncode:
            return path
    return None


def get_uv():
    """Install uv into .uv, and return its path."""
    say("Installing uv, which sets up the environment (only once) ...")
    sentence = f"uv could not be installed: install it as docs.astral.sh/uv describes, {AGAIN}"
    done(sentence, sys.executable, "-I", "-m", "venv", ".uv")
    pip = (program(ROOT / ".uv", "python"), "-I", "-m", "pip")
    quietly = ("-vv", "--disable-pip-version-check", "--upgrade")
    done(sentence, *pip, "install", *quietly, "uv")
    return program(ROOT / ".uv", "uv")


def find_python(uv):
    """Return the options that tell uv which Python to use.

    We prefer the version in .python-version, but accept any version that is
    new enough. If no such Python is found, the list is empty, and uv downloads
    Python.
    """
    for versions in ({}, {"UV_PYTHON": ">=3.12"}):
        OURS.update(versions)
        found = call(uv, "python", "find", "--no-config")
        if not found.returncode:
            return ["--python", found.stdout.strip()]
    del OURS["UV_PYTHON"]
    return []


def has_mirror():
    """Return whether packages should come from a mirror."""
    if any(settings().get(name) for name in MIRRORS):
        return True
    folder = os.environ.get("APPDATA" if ON_WINDOWS else "XDG_CONFIG_HOME")
    file = Path(folder or Path.home() / ".config", "uv", "uv.toml")
    return file.is_file() and bool(MIRROR.search(file.read_text("utf-8")))


def say(text):
    """Tell the user what is taking so long."""
    print(text, file=sys.stderr, flush=True)


def make():
    """Create the environment if it is missing or differs from uv.lock.

    Return the path of its Python. If the environment can't be created, exit
    with a sentence that says why.
    """
    python = program(ROOT / ".venv", "python")
    uv = find_uv()
    base = find_python(uv) if uv else []
    if uv and python.exists():
        check = ("sync", "--check", "--offline", "--no-cache")
        if not call(uv, *check, *LOCKED).returncode:
            return python
    if not uv:
        uv = get_uv()
        base = find_python(uv)
    sentence = "The environment could not be created; the lines above say why."
    if not python.exists():
        say(
            "Setting up the environment in .venv (only once; this takes a few "
            "minutes) ..."
        )
        # In a relocatable environment, programs still start after its folder
        # has been moved.
        new = ("venv", "--quiet", "--clear", "--relocatable", ".venv")
        done(sentence, uv, *new, *base, "--prompt", "intuitive-ai")
    if has_mirror():
        # uv.lock contains addresses on pypi.org, so `uv sync` would not use
        # the mirror. The checksums are the same for the mirror's files.
        plain = ("--no-emit-project", "--no-header", "--no-annotate")
        packages = done(sentence, uv, "export", *plain, *LOCKED)
        into = ("--quiet", "--python", python, "--require-hashes", "-")
        done(sentence, uv, "pip", "sync", *into, said=packages)
    else:
        done(sentence, uv, "sync", *LOCKED)
    return python


if __name__ == "__main__":
    make()
