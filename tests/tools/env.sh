#!/bin/sh
# Makes the project's own environment, .venv, or brings it up to uv.lock.
# Every target of the Makefile calls it first; it takes a moment where nothing
# is to do. It says one sentence and ends non-zero where it cannot.
set -u
cd "$(dirname "$0")/../.." || exit 1

say() { printf '%s\n' "$*" >&2; }

no_network='|dns error|error sending request|Failed to fetch|Connection(Refused|Error)|NewConnectionError|No matching distribution|Could not connect|Temporary failure'

# An active environment of another project must not be changed.
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
export UV_PROJECT_ENVIRONMENT=.venv
mkdir -p .uv && log=.uv/log || exit 1

# uv: the one on the PATH, or one of our own in .uv/.
if command -v uv >/dev/null 2>&1; then
    uv=uv
elif [ -x .uv/bin/uv ] && .uv/bin/uv --version >/dev/null 2>&1; then
    uv=.uv/bin/uv
else
    base=
    for name in python3 python3.14 python3.13 python3.12 python; do
        # With .python-version in this folder, pyenv may refuse to start
        # some of them: take the first that really starts.
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
            base=$name
            break
        fi
    done
    if [ -z "$base" ]; then
        say "No Python was found: install Python 3.12 or newer from python.org (or uv from docs.astral.sh/uv), then run the same command again."
        exit 1
    fi
    say "Getting uv, which makes the environment (once) ..."
    if ! "$base" -m venv --clear .uv >"$log" 2>&1; then
        mkdir -p .uv
        say "$base has no working venv module: install it (on Debian and Ubuntu: apt install python3-venv), or install uv from docs.astral.sh/uv, then run the same command again."
        exit 1
    fi
    if ! .uv/bin/python -m pip install --disable-pip-version-check uv >"$log" 2>&1; then
        say "uv could not be downloaded: check the network connection, then run the same command again; nothing is lost."
        exit 1
    fi
    uv=.uv/bin/uv
fi

# Python: the one that UV_PYTHON or .python-version asks for if it is there, else
# any that is new enough, else uv fetches one.
if ! $uv python find ${UV_PYTHON:+"$UV_PYTHON"} >/dev/null 2>&1; then
    if [ -z "${UV_PYTHON:-}" ] && $uv python find '>=3.12' >/dev/null 2>&1; then
        export UV_PYTHON='>=3.12'
    elif ! $uv python install >"$log" 2>&1; then
        say "Python 3.12 was not found, and could not be downloaded: install Python 3.12 or newer (from python.org, or with 'pyenv install 3.12'), then run the same command again."
        exit 1
    fi
fi

[ -d .venv ] || say "Making the environment in .venv (once, some minutes) ..."
if ! $uv sync --locked --quiet >"$log" 2>&1; then
    if grep -Eq "$no_network" "$log"; then
        say "The packages could not be downloaded: check the network connection, then run the same command again; nothing is lost."
    else
        cat "$log" >&2
        say "The environment could not be made, for the reason above; if pyproject.toml was edited, 'uv lock' writes a new uv.lock."
    fi
    exit 1
fi
