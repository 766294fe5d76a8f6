"""Test the parts of the JupyterHub benchmark that can be tested quickly.

Simulating the whole room takes minutes, so CI runs tests/bench/room.py only
once a week.
"""

import json
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pages
import pytest
import yaml
from settings import write_settings

BENCH = Path("tests/bench")
POST_BUILD = Path(".binder/postBuild")


@pytest.fixture(scope="module")
def bench():
    """Return the modules of the benchmarks: room.py, hub.py and bench.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        import bench
        import hub
        import room
    return {"room": room, "hub": hub, "bench": bench}


def cell(*kinds, done=True, error=None):
    """Return a code cell in the form that room.py uses."""
    return {"done": done, "error": error, "kinds": list(kinds)}


def test_a_room_sees_errors_and_missing_outputs(bench):
    stored = [cell("stdout"), cell("image/png,text/plain"), cell(), cell()]
    failures = bench["room"].failures
    assert failures(stored, stored) == []
    cells = [
        cell("stdout", error="NameError"),
        cell("text/plain"),
        cell(done=False),
        cell("stdout"),  # an additional output is not a failure
    ]
    said = "\n".join(failures(cells, stored))
    for words in ("NameError", "lacks output: ['image/png", "2 was not run"):
        assert words in said
    assert len(said.splitlines()) == 3


def test_the_measured_room_keeps_its_limits(bench):
    room = json.loads(pages.ROOM.read_text("utf-8"))
    assert room["users"] == 10
    assert room["pss_gib"] <= bench["room"].GIB
    assert pages.SESSION_4_GIB == bench["bench"].GIB


def test_the_page_for_teachers_says_what_was_measured(bench, tmp_path):
    text = pages.teachers()
    room = json.loads(pages.ROOM.read_text("utf-8"))
    (values,) = re.findall(r"```yaml\n(.+?)```", text, re.S)
    user = yaml.safe_load(values)["singleuser"]
    guarantee = int(user["memory"]["guarantee"].removesuffix("M"))
    assert 0 <= guarantee - room["rss_gib"] * 1024 < 100
    # The page assumes 25 cores for a hundred people, or a quarter of a core
    # each.
    assert user["cpu"]["guarantee"] == 25 / 100 == 1 / 4
    assert int(user["memory"]["limit"].removesuffix("G")) > pages.SESSION_4_GIB

    # The link on the page has the same form as the link that room.py opens.
    (link,) = re.findall(r"```text\n(.+?)```", text, re.S)
    theirs = urllib.parse.urlparse("".join(link.split()))
    tried = (
        bench["hub"]
        .Hub(tmp_path, 1, None)
        .link(f"lab/tree/{bench['room'].PAGE}")
    )
    ours = urllib.parse.urlparse(tried)
    assert ours.path.endswith(theirs.path)
    theirs, ours = (
        dict(urllib.parse.parse_qsl(it.query)) for it in (theirs, ours)
    )
    assert theirs | {"repo": ours["repo"]} == ours


def test_binder_gets_the_settings_of_our_decks(tmp_path):
    assert os.access(POST_BUILD, os.X_OK), f"chmod +x {POST_BUILD}"
    said = POST_BUILD.read_text("utf-8")
    assert re.search(r"nbgitpuller==[\d.]+$", said, re.M)
    (program,) = re.findall(r"^python (\S+)$", said, re.M)

    # Use a separate environment, as in a container image.
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True
    )
    (packages,) = tmp_path.glob("lib/python3.*/site-packages")
    outer = os.pathsep.join(it for it in sys.path if "site-packages" in it)
    (packages / "outer.pth").write_text(outer.replace(os.pathsep, "\n"))
    subprocess.run([tmp_path / "bin/python", program], check=True)
    for name in ("nbextensions/classic-deck", "labextensions/deck-keys"):
        folder = tmp_path / "share/jupyter" / name
        for font in Path("notebooks/fonts").iterdir():
            assert (folder / "fonts" / font.name).exists()
    settings = tmp_path / "etc/jupyter/nbconfig/notebook.json"
    read = json.loads(settings.read_text("utf-8"))
    assert read["deck_autosaves"], "Answers on a hub must be saved."
    write_settings(tmp_path, tmp_path, autosave=False)
    read = json.loads((tmp_path / "nbconfig/notebook.json").read_text("utf-8"))
    assert not read["deck_autosaves"], "Presenting must not change a file."
