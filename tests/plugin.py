"""What nbval lacks: a tolerance for floats, and a refusal of cells not run.

nbval has no setting for either, so its classes are completed here. This is a
plugin, loaded by name in pyproject.toml, and not a conftest.py: that would not
be loaded by `pytest notebooks`, and nothing would say so.
"""

import math
import re

from nbval.plugin import IPyNbCell, IPyNbFile

RELATIVE = 1e-3
# A decimal point or an exponent makes a float; an integer must match exactly.
FLOAT = re.compile(
    r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+"
)


class Text(str):
    """An output that equals another one if they differ in floats by 1e-3 at most."""

    __hash__ = None

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        if FLOAT.split(self) != FLOAT.split(other):
            return False
        return all(
            math.isclose(float(a), float(b), rel_tol=RELATIVE)
            for a, b in zip(
                FLOAT.findall(self), FLOAT.findall(other), strict=True
            )
        )

    def __ne__(self, other):
        return not self == other


sanitize, runtest, collect_init = (
    IPyNbCell.sanitize,
    IPyNbCell.runtest,
    IPyNbFile.__init__,
)


def tolerant(cell, output):
    """Return nbval's text of an output, as one that is compared with tolerance."""
    text = sanitize(cell, output)
    return Text(text) if isinstance(text, str) else text


def only_if_stored(cell):
    """Run and compare a cell; refuse one that was never run, where nbval passes."""
    if cell.cell.source.strip() and cell.cell.execution_count is None:
        cell.raise_cell_error(
            "This cell has no stored execution: do `make run`."
        )
    runtest(cell)


def without_stderr(self, *args, **kwargs):
    """Leave stderr out: warnings carry paths and times of the machine."""
    collect_init(self, *args, **kwargs)
    self.skip_compare += ("stderr",)


IPyNbCell.sanitize = tolerant
IPyNbCell.runtest = only_if_stored
IPyNbFile.__init__ = without_stderr


def pytest_addoption(parser):
    parser.addoption(
        "--seeds",
        type=int,
        default=10,
        help="with how many other seeds each session must hold",
    )


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("seeds")
        metafunc.parametrize("seed", range(1, count + 1))


def pytest_collection_modifyitems(items):
    """Start with the files that take longest, so that both workers end together."""
    first = ["test_live_decks.py", "test_tools.py"]
    items.sort(
        key=lambda it: (
            first.index(it.path.name) if it.path.name in first else len(first)
        )
    )
