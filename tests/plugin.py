"""Extends nbval: tolerances for floats, errors for unexecuted cells, exercises.

nbval has no settings for these, so its classes are extended here. This is a
plugin that pyproject.toml loads by name. `pytest notebooks` would not load a
conftest.py, and nobody would notice.
"""

import math
import os
import re
from collections import defaultdict

import nbformat
from nbval.plugin import IPyNbCell, IPyNbFile

RELATIVE = 1e-3
# Settings that make JAX, NumPy and OpenBLAS compute as on an older processor.
# NumPy uses x86-64's names for groups of instructions: v3 has AVX2 and FMA.
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
# A decimal point or an exponent makes a float; an integer must match exactly.
# The spaces around a float belong to it, because NumPy pads with them when a
# final 0 is dropped.
FLOAT = re.compile(
    r" *(?:[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+) *"
)


# In a cell with this tag, floats may differ by this much. It is for the scores
# of trained nets, because another processor's rounding leads to a different
# net.
WITHIN = re.compile(r"within-(\d+(?:\.\d+)?)")


class Text(str):
    """An output that equals another one if their floats differ by 1e-3 at most.

    If the cell has a tag like within-1.0, they may differ by `atol`, in the
    printed unit.
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
    """Return nbval's text of an output, to be compared with a tolerance."""
    text = sanitize(cell, output)
    if isinstance(text, str):
        text = Text(text)
        for tag in cell.cell.metadata.get("tags", []):
            if match := WITHIN.fullmatch(tag):
                text.atol = float(match[1])
    return text


def only_if_stored(cell):
    """Run and compare a cell; unlike nbval, refuse one that was never run."""
    if cell.cell.source.strip() and cell.cell.execution_count is None:
        cell.raise_cell_error(
            "This cell has never been executed: run `make run`."
        )
    runtest(cell)


def without_stderr(self, *args, **kwargs):
    """Leave out stderr, because warnings contain paths and times."""
    collect_init(self, *args, **kwargs)
    self.skip_compare += ("stderr",)


class Proof(IPyNbCell):
    """Code that runs after a notebook and prints nothing if all is well."""

    def reportinfo(self):
        """Return the item's location, by its name instead of a cell number."""
        return self.path, 0, f"{self.path.name}::{self.name}"

    def repr_failure(self, excinfo):
        """Return what failed, without the code that only calls the check."""
        trace = getattr(excinfo.value, "inner_traceback", str(excinfo.value))
        return f"{self.name}: the check said something else.\n{trace}"


def then_prove_exercises(self):
    """Collect the cells of a notebook, then the proofs of its exercises.

    Both run in the same kernel, so that each notebook is executed only once.
    """
    # This must wait, because the path to this module is only set after plugins
    # load.
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
        help="how many other seeds to try for each session "
        "(default: as many as 60 seconds allow, up to ten)",
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
    """Let the kernels and this process compute like an older processor."""
    os.environ.update(OLDER.get(config.getoption("--isa"), {}))
