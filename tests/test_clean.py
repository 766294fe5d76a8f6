"""Test that only the necessary user settings reach our processes."""

import os
import subprocess
import sys

import clean
import pytest

NEEDED = {
    "https_proxy": "http://proxy.example:3128",
    "NO_PROXY": "localhost",
    "UV_DEFAULT_INDEX": "https://mirror.example/simple",
    "UV_INDEX_PRIVATE_PASSWORD": "secret",
    "PIP_INDEX_URL": "https://mirror.example/simple",
    "npm_config_registry": "https://mirror.example/npm",
    "CUDA_VISIBLE_DEVICES": "",  # all GPUs are hidden
    "TPU_VISIBLE_CHIPS": "0",
    "XDG_CACHE_HOME": "/scratch/cache",
    "UV_CACHE_DIR": "/scratch/uv",
}
HARMFUL = {
    "GIT_DIR": "/somewhere/.git",
    "GIT_INDEX_FILE": "/somewhere/.git/index",
    "JAX_PLATFORMS": "cuda",
    "JAX_ENABLE_X64": "1",
    "XLA_FLAGS": "--nonsense",
    "MPLBACKEND": "agg",
    "PYTENSOR_FLAGS": "floatX=float32",
    "PYTHONPATH": "/somewhere",
    "PYTHONWARNINGS": "error",
    "PYTEST_ADDOPTS": "-x",
    "PYENV_VERSION": "2.7.18",
    "VIRTUAL_ENV": "/somewhere",
    "NODE_OPTIONS": "--nonsense",
    "LC_ALL": "de_DE.ISO-8859-1",
    "A_VARIABLE_OF_THE_NEXT_VERSION": "1",
}


@pytest.fixture
def theirs(monkeypatch, tmp_path):
    """Set needed and harmful environment variables; return a home folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {**NEEDED, **HARMFUL, "HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


def test_what_people_need_passes_and_nothing_else(theirs, tmp_path):
    found = clean.environment(tmp_path)
    # Our own servers must be reached without a proxy.
    needed = NEEDED | {"NO_PROXY": "127.0.0.1,localhost"}
    assert {name: found.get(name) for name in needed} == needed
    assert not {*HARMFUL} & {*found}
    assert found["HOME"] == str(theirs)


def test_the_package_mirrors_in_their_configuration_are_found(
    theirs, tmp_path
):
    mirror = theirs / ".config" / "uv" / "uv.toml"
    mirror.parent.mkdir(parents=True)
    mirror.write_text("index-url = 'https://mirror.example/simple'")
    found = clean.environment(tmp_path)["XDG_CONFIG_HOME"]
    assert os.path.samefile(f"{found}/uv/uv.toml", mirror)


def test_git_knows_nothing_of_their_settings(theirs, tmp_path):
    hook = theirs / "template" / "hooks" / "pre-commit"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (theirs / ".gitconfig").write_text(
        f"[init]\ntemplateDir = {theirs}/template\ndefaultBranch = theirs\n"
        f"[core]\nhooksPath = {hook.parent}\nautocrlf = true\n"
        "[commit]\ngpgsign = true\n[user]\nname = theirs\n"
    )
    ignore = theirs / ".config" / "git" / "ignore"
    ignore.parent.mkdir(parents=True)
    ignore.write_text("*\n")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "file").write_bytes(b"a\r\n")

    def git(*arguments):
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *who, *arguments],
            cwd=repository,
            env=clean.environment(tmp_path),
            check=True,
            capture_output=True,
        ).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "start")
    assert git("show", "HEAD:file") == b"a\r\n"
    assert git("rev-parse", "--abbrev-ref", "HEAD") != b"theirs\n"


def test_a_python_of_ours_starts_whatever_is_set(theirs):
    done = subprocess.run(
        [sys.executable, "-I", clean.__file__, "-c", "assert 1 == 2"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONOPTIMIZE": "2", "PYTHONHOME": "/nowhere"},
    )
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
