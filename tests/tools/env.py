"""Makes the project's own environment, .venv, or brings it up to uv.lock.

For Windows, and for wherever else there is no sh. env.sh does so elsewhere,
since a machine that has make may have no Python. Where nothing is to do, this
writes nothing; where it cannot do it, it says one sentence.
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
# Where a mirror may be named, in uv's configuration file.
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
# What is in uv.lock, whatever mirrors a person has.
LOCKED = ("--locked", "--no-config", "--quiet")


def program(environment, name):
    """Return the path of a program in an environment, as this system has it."""
    if ON_WINDOWS:
        return Path(environment, "Scripts", f"{name}.exe")
    return Path(environment, "bin", name)


def settings():
    """Return the variables for uv: what may pass, and ours."""
    passed = clean.allowed()
    if not passed.get("UV_DEFAULT_INDEX") and passed.get("PIP_INDEX_URL"):
        passed["UV_DEFAULT_INDEX"] = passed["PIP_INDEX_URL"]
    return passed | OURS


def call(*command, said=None):
    """Run a program in the project's folder; return what became of it.

    Takes: `said`, what it reads.
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
    """Return what a program prints; end with the cause where it fails.

    Takes: `sentence`, for a cause that its words don't name; `said`, what it
    reads.
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
    """Return a uv that is new enough: the one on the PATH, or our own in .uv.

    None where there is neither.
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
    """Return what uv is to take as Python: any that is new enough.

    Rather the one that .python-version asks for. Where there is none, uv
    fetches that one.
    """
    for versions in ({}, {"UV_PYTHON": ">=3.12"}):
        OURS.update(versions)
        found = call(uv, "python", "find", "--no-config")
        if not found.returncode:
            return ["--python", found.stdout.strip()]
    del OURS["UV_PYTHON"]
    return []


def has_mirror():
    """Return whether packages are to come from elsewhere than uv.lock says."""
    if any(settings().get(name) for name in MIRRORS):
        return True
    folder = os.environ.get("APPDATA" if ON_WINDOWS else "XDG_CONFIG_HOME")
    file = Path(folder or Path.home() / ".config", "uv", "uv.toml")
    return file.is_file() and bool(MIRROR.search(file.read_text("utf-8")))


def say(text):
    """Tell the person what takes so long."""
    print(text, file=sys.stderr, flush=True)


def make():
    """Make the environment where it is missing or not what uv.lock says.

    Returns the path of its Python. Ends the process with a sentence where that
    is not possible.
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
    sentence = "The environment could not be made; the lines above say why."
    if not python.exists():
        say(
            "Setting up the environment in .venv (only once; this takes a few minutes) ..."
        )
        # Relocatable: its programs start also where the folder was moved.
        new = ("venv", "--quiet", "--clear", "--relocatable", ".venv")
        done(sentence, uv, *new, *base, "--prompt", "intuitive-ai")
    if has_mirror():
        # uv.lock names the addresses of pypi.org, so uv sync would not look
        # elsewhere. The checksums in it hold for the mirror's files, too.
        plain = ("--no-emit-project", "--no-header", "--no-annotate")
        packages = done(sentence, uv, "export", *plain, *LOCKED)
        into = ("--quiet", "--python", python, "--require-hashes", "-")
        done(sentence, uv, "pip", "sync", *into, said=packages)
    else:
        done(sentence, uv, "sync", *LOCKED)
    return python


if __name__ == "__main__":
    make()
