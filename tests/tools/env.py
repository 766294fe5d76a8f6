"""Create or update the project's own environment in .venv.

The environment must match uv.lock. This script is for Windows and for other
systems without sh. On all other systems, env.sh does the same, because a
machine that has make may not have Python. If there is nothing to do, the
script writes nothing. If it fails, it says why in one sentence.
"""

import configparser
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
# uv's settings that say where packages come from or how to fetch them.
KEPT = re.compile(
    r"\s*(index|index-url|extra-index-url|find-links|no-index|index-strategy"
    r"|keyring-provider|allow-insecure-host|native-tls|system-certs"
    r"|python-install-mirror|cache-dir|link-mode|offline|https?-proxy"
    r"|no-proxy)\s*="
)
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
# pip's settings that say where packages come from, and uv's names for them.
PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "cert": "SSL_CERT_FILE",
}
# With these options, uv uses only uv.lock and ignores the user's mirrors.
LOCKED = ("--locked", "--no-config", "--quiet")


def program(environment, name):
    """Return the path of a program in an environment."""
    if ON_WINDOWS:
        return Path(environment, "Scripts", f"{name}.exe")
    return Path(environment, "bin", name)


def settings():
    """Return the environment variables for uv.

    These are the allowed variables of the user and our own variables. Where
    the user has set a variable only for pip, uv gets it under its own name.
    """
    passed = clean.allowed()
    for name, uv_name in PIP.items():
        pip_name = "PIP_" + name.replace("-", "_").upper()
        if passed.get(pip_name) and not passed.get(uv_name):
            passed[uv_name] = " ".join(passed[pip_name].split())
    return passed | OURS


def call(*command, said=None):
    """Run a program in the project's folder, and return its result.

    `said` is the program's input.
    """
    variables = settings()
    if "--no-config" in command:
        ignored = (*MIRRORS, "UV_CONFIG_FILE")
        variables = {k: v for k, v in variables.items() if k not in ignored}
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


def read(path):
    """Return the text of a configuration file, or "" if it can't be read."""
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def kept(text):
    """Return those lines of a uv.toml that match KEPT, and its indexes."""
    lines, keep, is_table = [], False, False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            is_table = True
            keep = bool(re.match(r"\s*\[\[\s*index\s*\]\]", line))
        elif not is_table and re.match(r"\s*[a-z-]+\s*=", line):
            keep = bool(KEPT.match(line))
        lines += [line] * keep
    return "".join(lines)


def use_mirrors():
    """Make uv use the mirrors that the user has set; return whether any are.

    No other setting of uv or pip may change what we install. So we copy the
    lines that name mirrors to .uv/uv.toml, which uv then reads instead of the
    user's file. If uv has no mirror, we use pip's.
    """
    folder = os.environ.get("APPDATA" if ON_WINDOWS else "XDG_CONFIG_HOME")
    folder = Path(folder or Path.home() / ".config")
    ours = ROOT / ".uv" / "uv.toml"
    ours.parent.mkdir(exist_ok=True)
    text = kept(
        read(os.environ.get("UV_CONFIG_FILE") or folder / "uv" / "uv.toml")
    )
    ours.write_text(text, encoding="utf-8", newline="\n")
    OURS["UV_CONFIG_FILE"] = str(ours)
    if MIRROR.search(text) or any(map(settings().get, MIRRORS)):
        return True
    name = "pip.ini" if ON_WINDOWS else "pip.conf"
    pip = configparser.RawConfigParser(strict=False, allow_no_value=True)
    for path in (
        Path.home() / ("pip" if ON_WINDOWS else ".pip") / name,
        folder / "pip" / name,
        os.environ.get("PIP_CONFIG_FILE", os.devnull),
    ):
        try:
            pip.read_string(read(path))
        except configparser.Error as error:
            say(f"{path} is ignored, because it can't be read: {error}")
    for section in pip.sections():
        for key, value in pip.items(section):
            if key in PIP and value:
                OURS[PIP[key]] = " ".join(value.split())
    return any(map(settings().get, MIRRORS))


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
    has_mirror = use_mirrors()
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
    if has_mirror:
        # uv.lock contains addresses on pypi.org, so `uv sync` would not use
        # the mirror. The checksums are the same for the mirror's files.
        plain = ("--no-emit-project", "--no-header", "--no-annotate")
        packages = done(sentence, uv, "export", *plain, *LOCKED)
        into = ("--quiet", "--python", python, "--require-hashes", "-")
        done(sentence, uv, "pip", "sync", *into, said=packages)
    else:
        done(sentence, uv, "sync", "--locked", "--quiet")
    return python


if __name__ == "__main__":
    make()
