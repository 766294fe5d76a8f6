"""Decide which tests run together, and show how long each part took.

The tests run in several processes, one for each core. Tests that share
something that is costly to set up (a kernel, a browser, a deck) form a unit,
and they run one after another in the same process. Long units start first, so
that all processes end at about the same time.
"""

import re
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

# The approximate time, in seconds, for one unit of each test file. Only the
# order matters. The times for notebooks are stored in the notebooks.
SECONDS = {
    "test_setting_up.py": 80,
    "test_other_seeds.py": 60,
    "test_opening.py": 60,
    "test_basic_gpt.py": 50,
    "test_live_decks.py": 40,
    "test_devices.py": 25,
    "test_site.py": 40,
    "test_tools.py": 30,
    "test_faults_are_caught.py": 20,
    "test_static_decks.py": 20,
    "test_windows.py": 10,
    "test_sync.py": 15,
}
BY_SESSION = (
    "test_live_decks.py",
    "test_static_decks.py",
    "test_other_seeds.py",
    "test_site.py",
)
ASKED = pytest.StashKey[str]()


def unit_of(nodeid):
    """Return the name of the unit of work that a test belongs to.

    A unit is a notebook or a test file. The test files in BY_SESSION take a
    long time, so each of them is divided into one unit per session.
    """
    path, _, name = nodeid.partition("::")
    session = re.search(r"\[.*?(\d\d_\w+)", name)
    divided = session and Path(path).name in BY_SESSION
    return f"{path} {session[1]}" if divided else path


def part_of(nodeid):
    """Return the row of the final table to which a test belongs."""
    path = Path(nodeid.partition("::")[0])
    if path.suffix == ".ipynb":
        return "solutions" if path.parent.name == "solutions" else "sessions"
    return path.stem.removeprefix("test_").replace("_", " ")


def seconds_of(path):
    """Estimate how many seconds a unit of this file takes."""
    if path.suffix == ".ipynb":
        said = re.search(r'"running_seconds": (\d+)', path.read_text("utf-8"))
        return int(said[1]) if said else 0
    return SECONDS.get(path.name, 0)


class ByUnit(LoadScopeScheduling):
    """A scheduler that sends whole units to processes in collection order."""

    def _split_scope(self, nodeid):
        return unit_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Make xdist use our scheduler."""
    return ByUnit(config, log)


def pytest_addoption(parser):
    """Add the option that `make test SESSION=2` uses."""
    parser.addoption(
        "--session",
        default="",
        help="run only the tests of the session with this number",
    )


def pytest_configure(config):
    """Find the requested session, and start measuring the time."""
    # These imports can't be at the top, because pytest sets the path to the
    # modules only after it has loaded the plugins.
    from sessions import Problem, find_session

    config.addinivalue_line(
        "markers",
        "session(number): the tests in this file are about one session",
    )
    asked = config.getoption("--session")
    try:
        config.stash[ASKED] = find_session(asked).name if asked else ""
    except Problem as problem:
        raise pytest.UsageError(str(problem)) from None
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config), "table")


def pytest_ignore_collect(collection_path, config):
    """Skip the notebooks of other sessions and a reader's own copies."""
    from sessions import NOTEBOOKS, all_pairs

    inside = NOTEBOOKS.resolve() in collection_path.parents
    if inside and collection_path.suffix == ".ipynb":
        ours = [pair.with_suffix(".ipynb").resolve() for pair in all_pairs()]
        asked = collection_path.stem.startswith(config.stash[ASKED])
        return not (asked and collection_path in ours) or None
    return None


def belongs(item, session):
    """Return whether a test is about the session with this name."""
    marker = item.get_closest_marker("session")
    if marker:
        return session.startswith(f"{int(marker.args[0]):02}_")
    return session in item.nodeid


def pytest_collection_modifyitems(config, items):
    """Keep only the requested tests, and put long units first."""
    if session := config.stash[ASKED]:
        others = [it for it in items if not belongs(it, session)]
        config.hook.pytest_deselected(items=others)
        items[:] = [it for it in items if belongs(it, session)]
    seconds = {it.path: seconds_of(it.path) for it in items}
    # The tests of a unit stay together and keep their order.
    items.sort(key=lambda it: (-seconds[it.path], unit_of(it.nodeid)))


class Table:
    """A record of how long each test took, printed as a table at the end."""

    def __init__(self, config):
        self.began = time.monotonic()
        psutil.cpu_percent()  # starts measuring the load
        self.parts, self.units, self.tests = Counter(), Counter(), Counter()
        self.processes = config.getoption("numprocesses", None) or 1

    def pytest_runtest_logreport(self, report):
        """Add the time that a test's setup, call or teardown took."""
        self.parts[part_of(report.nodeid)] += report.duration
        self.units[unit_of(report.nodeid)] += report.duration
        self.tests[part_of(report.nodeid)] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter):
        """Print each part's time, the longest units, and the CPU load."""
        if not self.tests:
            return
        wall, load = time.monotonic() - self.began, psutil.cpu_percent()
        out = terminalreporter
        out.section("where the time went")
        for part, seconds in self.parts.most_common():
            out.line(f"{seconds:7.1f} s  {self.tests[part]:5} tests  {part}")
        out.line("The longest units:")
        for unit, seconds in self.units.most_common(5):
            out.line(f"{seconds:7.1f} s  {unit}")
        busy = sum(self.parts.values()) / (self.processes * wall)
        out.line(
            f"{wall:.0f} s in total, in {self.processes} process(es). Tests "
            f"ran for {busy:.0%} of this time, and the cores were "
            f"{load:.0f}% busy."
        )
