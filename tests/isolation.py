"""Run pytest and everything that the tests start in a clean environment.

The Makefile already sets up this environment, but an editor or a git hook does
not. pyproject.toml lists this plugin first, because the other plugins read the
environment as soon as they are imported.
"""

import os
import shlex
import tempfile

import pytest
from clean import enter

# pytest's own processes and editors communicate through these environment
# variables.
KEPT = ("PYTEST_XDIST_*", "TEST_RUN_PIPE", "VSCODE_*", "PYCHARM*", "_JB_*")
THEIR_OPTIONS = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
FOLDER = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
enter(FOLDER.name, keep=KEPT)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config, parser, args):
    """Remove the options that a user has set in PYTEST_ADDOPTS."""
    # pytest puts the user's options between ours and those from the command
    # line.
    start = len(early_config.getini("addopts"))
    end = start + len(THEIR_OPTIONS)
    if args[start:end] == THEIR_OPTIONS:
        del args[start:end]
        early_config.known_args_namespace = parser.parse_known_args(args)


def pytest_unconfigure():
    """Delete the temporary folder of the clean environment."""
    FOLDER.cleanup()
