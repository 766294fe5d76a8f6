"""Test that the workflows' commands exist and that they publish the site."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.own_git import git

FILES = sorted(Path(".github", "workflows").glob("*.yml"))
# Values that GitHub fills in.
KNOWN = {
    "github.server_url": "https://github.com",
    "github.repository": "owner/name",
    "matrix.python": "3.13",
    "matrix.prepare || 'uv sync'": "uv sync",
    "matrix.run": "tests/bench/device.py",
}
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


def steps_of(path):
    """Return the steps of all jobs in a workflow.

    If a job runs several times with different commands, all these commands are
    included.
    """
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    cases = [it.get("strategy", {}).get("matrix", {}) for it in jobs]
    return [step for it in jobs for step in it["steps"]] + [
        case for it in cases for case in it.get("include", [])
    ]


def commands_of(path):
    """Return the lines that a workflow runs, with GitHub's values filled in."""
    lines = "\n".join(step.get("run", "") for step in steps_of(path))
    return EXPRESSION.sub(lambda it: KNOWN[it[1]], lines).splitlines()


def missing_in(commands):
    """Return the commands whose make target or file does not exist."""
    missing = []
    for line in commands:
        if line.startswith("make "):
            done = subprocess.run(
                ["sh", "-c", line.replace("make", "make --dry-run", 1)],
                capture_output=True,
            )
            missing += [line] if done.returncode else []
        paths = re.findall(r"(?<!\S)(?:\.ci|\.github|tests)/\S+", line)
        missing += [it for it in paths if not Path(it).exists()]
    return missing


@pytest.mark.parametrize("path", FILES, ids=lambda it: it.stem)
def test_what_a_workflow_runs_is_there(path):
    commands = commands_of(path)
    assert len(commands) > 2
    assert not missing_in(commands)


def test_what_is_not_there_is_seen():
    wrong = ["make sight", "bash .ci/runs", "python tests/bench/collab.py"]
    assert missing_in(wrong) == [
        "make sight",
        ".ci/runs",
        "tests/bench/collab.py",
    ]


def test_the_site_is_built_for_the_repository_that_it_is_in():
    (line,) = [
        it
        for it in commands_of(Path(".github/workflows/site.yml"))
        if it.startswith("make site")
    ]
    done = subprocess.run(
        ["sh", "-c", line.replace("make", "make --dry-run", 1)],
        capture_output=True,
        text=True,
    )
    assert "site ADDRESS=https://github.com/owner/name" in re.sub(
        '"', "", done.stdout
    )


def test_the_site_is_put_on_the_branch_that_the_buttons_open(tmp_path):
    (script,) = [
        it["run"]
        for it in steps_of(Path(".github/workflows/site.yml"))
        if "gh-pages" in it.get("name", "")
    ]
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    (tmp_path / "site").mkdir()
    for number in (1, 2):  # a second push replaces the first push
        (tmp_path / "site" / f"page_{number}.html").touch()
        subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path,
            check=True,
            env={
                **os.environ,
                "TOKEN": "secret",
                "REPOSITORY": "owner/name",
                "GITHUB_SHA": "1234",
                # Push to a folder on this machine instead of GitHub.
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'remote'}.insteadOf",
                "GIT_CONFIG_VALUE_0": "https://x-access-token:secret@github.com/owner/name",
            },
        )
        (tmp_path / "site" / f"page_{number}.html").unlink()
        subprocess.run(["rm", "-rf", tmp_path / "site" / ".git"], check=True)
    files = git(tmp_path / "remote", "ls-tree", "--name-only", "gh-pages")
    assert files.split() == [".nojekyll", "page_2.html"]
