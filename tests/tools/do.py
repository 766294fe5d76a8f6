"""Run the project's commands on any system that has Python.

`python tests/tools/do.py slides SESSION=3` does the same as `make slides
SESSION=3`. Like make, it first creates or updates the environment in .venv.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
import clean
import env

TOOLS = Path("tests", "tools")
# For each command, the programs that it runs, one after another, and the
# settings that it passes to the last program.
LINT = [TOOLS / "lint.py"]
COMMANDS = {
    "env": ([], ()),
    "slides": ([[TOOLS / "serve.py", "slides"]], ("SESSION", "PART", "PORT")),
    "lab": ([[TOOLS / "serve.py", "lab"]], ("SESSION", "PORT")),
    "decks": ([[TOOLS / "decks.py"]], ("SESSION",)),
    "site": ([[TOOLS / "pages.py"]], ("ADDRESS",)),
    "run": ([[TOOLS / "run.py"]], ("SESSION", "ALL")),
    "sync": ([[TOOLS / "sync.py"]], ("KEEP",)),
    "lint": ([LINT], ()),
    "test": ([LINT, ["-m", "pytest"]], ("SESSION",)),
    "bench": ([[Path("tests", "bench", "bench.py")]], ()),
}


def usage():
    """Return the list of commands, with their descriptions in the Makefile."""
    text = Path("Makefile").read_text("utf-8")
    rows = re.findall(r"^([a-z]+):.*?## *(.*)$", text, re.M)
    return "\n".join(f"  {name:7} {says}" for name, says in rows)


def programs_for(arguments):
    """Return the programs that Python starts for a command, in order.

    `arguments` are the words after `do.py`, such as ["slides", "SESSION=3"].
    If the command or a setting does not exist, exit with a list of those that
    do.
    """
    command, *settings = arguments or ["help"]
    if command == "help":
        print(usage())
        sys.exit()
    if command not in COMMANDS:
        sys.exit(
            f"There is no command {command}. The commands are:\n{usage()}"
        )
    programs, known = COMMANDS[command]
    options = []
    for setting in settings:
        name, _, value = setting.partition("=")
        if name.upper() not in known:
            these = " and ".join(f"{it}=..." for it in known) or "none"
            sys.exit(f"{command} has no setting {name}. It accepts: {these}.")
        if value:  # the Makefile passes all settings
            options.append(f"--{name.lower()}={value}")
    return [
        [*program, *(options if program is programs[-1] else [])]
        for program in programs
    ]


def python():
    """Return the path of our environment's Python; create it if needed."""
    ours = Path(".venv")
    if ours.exists() and os.path.samefile(sys.prefix, ours):
        return sys.executable  # the Makefile has already created it
    if clean.ON_WINDOWS:
        return str(env.make())
    status = subprocess.call(["sh", TOOLS / "env.sh"])
    if status:
        sys.exit(status)
    return str(env.program(ours.absolute(), "python"))


if __name__ == "__main__":
    os.chdir(env.ROOT)
    programs = programs_for(sys.argv[1:])
    clean.main(programs, python())
