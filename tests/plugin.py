"""Extend nbval with float tolerances, stricter checks, and exercises.

nbval has no settings for these features, so we extend its classes.
pyproject.toml loads this plugin by name, because `pytest notebooks` would
silently ignore a conftest.py in this folder.
"""

import math
import os
import re
from collections import defaultdict

import nbformat
from nbval.plugin import IPyNbCell, IPyNbFile

RELATIVE = 1e-3
# Settings that make JAX, NumPy and OpenBLAS compute as on an older processor.
# NumPy's names refer to the levels of the x86-64 architecture. Level V3, for
# example, includes AVX2 and FMA.
OLDER = {
    "SSE4_2": {
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "AVX2": {
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}
# Numbers with a decimal point or an exponent count as floats, and integers
# must match exactly. The spaces around a float count as part of it, because
# NumPy pads with spaces when it drops a final 0.
FLOAT = re.compile(
    r" *(?:[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+) *"
)


# In a cell with this tag, floats may differ by the amount given in the tag. We
# use the tag for the scores of trained nets, because another processor rounds
# differently and therefore trains a slightly different net.
WITHIN = re.compile(r"within-(\d+(?:\.\d+)?)")


class Text(str):
    """An output text that equals another if their floats are nearly equal.

    The relative difference may be up to 1e-3. If the cell has a tag like
    within-1.0, floats may also differ by that amount (`atol`), in the unit in
    which they are printed.
    """

    __hash__ = None
    atol = 0.0

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        if FLOAT.split(self) != FLOAT.split(other):
            return False
        return all(
            math.isclose(
                float(a), float(b), rel_tol=RELATIVE, abs_tol=self.atol
            )
            for a, b in zip(
                FLOAT.findall(self), FLOAT.findall(other), strict=True
            )
        )

    def __ne__(self, other):
        return not self == other


sanitize, runtest, collect_init, collect = (
    IPyNbCell.sanitize,
    IPyNbCell.runtest,
    IPyNbFile.__init__,
    IPyNbFile.collect,
)


def tolerant(cell, output):
    """Return an output as a Text, which is compared with a tolerance."""
    text = sanitize(cell, output)
    if isinstance(text, str):
        text = Text(text)
        for tag in cell.cell.metadata.get("tags", []):
            if match := WITHIN.fullmatch(tag):
                text.atol = float(match[1])
    return text


def only_if_stored(cell):
    """Run a cell and compare its output; fail if it was never executed."""
    if cell.cell.source.strip() and cell.cell.execution_count is None:
        cell.raise_cell_error(
            "This cell has never been executed: run `make run`."
        )
    runtest(cell)


def without_stderr(self, *args, **kwargs):
    """Don't compare stderr, because warnings contain paths and times."""
    collect_init(self, *args, **kwargs)
    self.skip_compare += ("stderr",)


class Proof(IPyNbCell):
    """Code that runs after a notebook and fails if an exercise is wrong."""

    def reportinfo(self):
        """Return the item's location, with its name but no cell number."""
        return self.path, 0, f"{self.path.name}::{self.name}"

    def repr_failure(self, excinfo):
        """Return the error, without the code that only calls the check."""
        trace = getattr(excinfo.value, "inner_traceback", str(excinfo.value))
        return f"{self.name}: the check gave an unexpected answer.\n{trace}"


def then_prove_exercises(self):
    """Collect a notebook's cells, followed by the tests of its exercises.

    Both run in the same kernel, so that each notebook is executed only once.
    """
    # This import can't be at the top, because pytest sets the path to the
    # module only after it has loaded the plugins.
    from exercises import WRONG_ANSWERS, refused, solved

    yield from collect(self)
    pair = self.path.with_suffix("")
    folder = self.config.rootpath / WRONG_ANSWERS
    for name, code in (
        *solved(self.nb, pair),
        *refused(self.nb, pair, folder),
    ):
        cell = nbformat.v4.new_code_cell(code, execution_count=1)
        yield Proof.from_parent(
            self,
            name=name,
            cell_num=0,
            cell=cell,
            options=defaultdict(bool, check=True),
        )


IPyNbCell.sanitize = tolerant
IPyNbCell.runtest = only_if_stored
IPyNbFile.__init__ = without_stderr
IPyNbFile.collect = then_prove_exercises


def pytest_addoption(parser):
    parser.addoption(
        "--seeds",
        type=int,
        help="how many other seeds to try for each session (default: a few "
        "for the quick sessions, none for the slow ones)",
    )
    parser.addoption(
        "--live",
        default="2",
        help="which session's live deck to run in a browser (default: 2)",
    )
    parser.addoption(
        "--isa",
        choices=OLDER,
        help="use only the instructions of an older processor",
    )


def pytest_configure(config):
    """Make this process and the kernels compute like an older processor."""
    os.environ.update(OLDER.get(config.getoption("--isa"), {}))
