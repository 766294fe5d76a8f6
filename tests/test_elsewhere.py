"""Test that a notebook opened without its files gets them or says what to do.

The first code cell of each session fetches the files or says what to do.
tests/bench/colab.py tests the same cell with Colab's libraries.
"""

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from exercises import solutions_of
from matplotlib import pyplot, style
from pages import UNKNOWN
from run import execute
from sessions import NOTEBOOKS, Problem, kind_of, parts_of, read_ipynb
from slides import SESSIONS

from tests.own_git import git

ROOT = Path.cwd()
STYLE = "intuitive_ai.mplstyle"
IN_PARTS = [it for it in SESSIONS if len(parts_of(read_ipynb(it).cells)) > 1]
HOSTS = ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE")
# These libraries must keep their versions on Colab, because other libraries
# depend on them.
KEPT = ("numpy", "pandas", "matplotlib", "scikit-learn")


def first_code_of(pair):
    """Return the first code cell of a notebook."""
    cells = read_ipynb(ROOT / pair).cells
    return next(cell for cell in cells if cell.cell_type == "code")


def tagged(pair, tag):
    """Return a notebook's cells with this tag."""
    cells = read_ipynb(ROOT / pair).cells
    return [c for c in cells if tag in c.metadata.get("tags", [])]


@pytest.fixture(scope="module")
def code():
    """Return the code of the cell that is tagged `fetch`."""
    (cell,) = tagged(SESSIONS[0], "fetch")
    return cell.source


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Work in an empty folder; return the commands started, except git."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    real, others = subprocess.run, []

    def run(words, **settings):
        if words[0] == "git":
            return real(words, **settings)
        others.append(words)

    monkeypatch.setattr(subprocess, "run", run)
    return others


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return the address of a repository that has the files but no notebook."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "notebooks" / "data").mkdir(parents=True)
    for name in (STYLE, "explorables.js", "data/README.md"):
        shutil.copy(NOTEBOOKS / name, folder / "notebooks" / name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "start")
    return folder.resolve().as_uri()


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_a_session_begins_with_the_cell_that_fetches(session, code):
    (cell,) = tagged(session, "fetch")
    assert cell.source == code, (
        "The fetch cell must be the same in all sessions."
    )
    assert cell.source.count(UNKNOWN) == 1
    assert cell == first_code_of(session)
    assert kind_of(cell) == "skip"
    assert not cell.outputs
    # A reader without the files may also start at a later part, with a fresh
    # kernel.
    in_part_2 = "for-part-2" in cell.metadata.tags
    assert in_part_2 == (session in IN_PARTS)


@pytest.mark.parametrize("host", ["", *HOSTS])
def test_beside_its_files_the_cell_does_nothing(
    code, started, host, monkeypatch, capfd
):
    for name in ("explorables.js", STYLE):
        Path(name).touch()
    Path("data").mkdir()
    before, known = Path.cwd(), dict(style.library)
    if host:  # the files may exist even if ADDRESS is unknown
        monkeypatch.setenv(host, "x")
    else:
        code = code.replace(UNKNOWN, 'ADDRESS = "https://github.com/a/b"')
    exec(code, {})
    assert capfd.readouterr() == ("", "")
    assert not started
    assert Path.cwd() == before and dict(style.library) == known
    assert not Path.home().exists()


@pytest.mark.parametrize("host", HOSTS)
def test_on_colab_and_kaggle_it_fetches_files_and_libraries(
    code, started, host, repository, monkeypatch
):
    start = Path.cwd()
    monkeypatch.setenv(host, "x")
    code = code.replace(UNKNOWN, f'ADDRESS = "{repository}"')
    for _ in range(2):  # a restarted kernel starts in its original folder
        monkeypatch.chdir(start)
        exec(code, {})
        assert Path(STYLE).exists() and Path("explorables.js").exists()
        assert not list(start.iterdir())
        pip = started.pop()
        assert pip[1:4] == ["-m", "pip", "install"]
        assert {f"{it}=={version(it)}" for it in KEPT} < {*pip}
        assert {"jax>=0.8.1", "bambi", "palmerpenguins"} < {*pip}
    assert not started
    shutil.rmtree(Path.home())
    monkeypatch.chdir(start)
    with pytest.raises(subprocess.CalledProcessError):
        exec(code.replace(repository, f"{repository}/nowhere"), {})
    assert not started


def test_opened_alone_it_says_in_one_sentence_what_is_missing(tmp_path):
    with pytest.raises(Problem) as error:
        execute(read_ipynb(SESSIONS[0]), tmp_path)
    last = re.sub(r"\x1b\[[\d;]*m", "", str(error.value)).strip().split("\n")
    assert re.fullmatch(
        "FileNotFoundError: data and explorables.js must be in "
        rf"{tmp_path}, where .+: get the whole project .+ADDRESS [^.]+\.",
        last[-1],
    )


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_solutions_opened_alone_say_so_in_one_sentence(session):
    cell = first_code_of(solutions_of(session))
    with pytest.raises(
        FileNotFoundError, match=r"is not in .+: get the whole"
    ):
        exec(cell.source, {})


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("session", IN_PARTS, ids=str)
def test_a_part_opened_alone_sends_to_the_first_cell(session):
    (cell,) = tagged(session, "start-2")
    with pytest.raises(FileNotFoundError, match="first code cell, and"):
        exec(cell.source, {})


def test_without_the_style_alone_it_carries_on(code, started, monkeypatch):
    monkeypatch.setattr(style, "library", style.library.copy())
    Path("explorables.js").touch()
    Path("data").mkdir()
    with pytest.raises(OSError, match=STYLE):
        pyplot.style.use(STYLE)
    exec(code, {})
    before = dict(pyplot.rcParams)
    pyplot.style.use(STYLE)
    assert dict(pyplot.rcParams) == before
    assert not Path(STYLE).exists()


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_a_session_uses_the_style_by_the_name_that_may_be_missing(session):
    code = [c for c in read_ipynb(session).cells if c.cell_type == "code"]
    (cell,) = tagged(session, "fetch")
    uses = [c.source for c in code if "mplstyle" in c.source]
    assert len(uses) == 2 and uses[0] == cell.source
    assert f'plt.style.use("{STYLE}")' in uses[1]
