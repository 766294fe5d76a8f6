"""Provide fixtures for the tests of live decks and of static decks."""

import contextlib
import shutil
from pathlib import Path

import pytest
from chromium import chromium
from decks import PACKAGES, packages
from sessions import Problem

ROOT = Path.cwd()


@pytest.fixture(scope="session")
def browser():
    """Start Chromium once per process, and install it if it is missing."""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(chromium())
        except Problem as problem:
            pytest.fail(str(problem))
        yield started


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Return a copy of the project that live decks are allowed to change."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("tests", "notebooks", "img"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    packages()
    (folder / PACKAGES).symlink_to(ROOT / PACKAGES)
    return folder
