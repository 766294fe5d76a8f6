"""Run every session, cell by cell, on the device that JAX finds.

usage: .venv/bin/python tests/bench/device.py [--session 2] [--like gpu]

The program prints each cell that fails, with its error. For each session, it
prints the running time and the three slowest cells, numbered from 0. Nothing
is stored. The README explains how JAX finds a GPU. With `--like gpu` or
`--like tpu`, the CPU rounds numbers as that device would.
"""

import argparse
import sys
import time
from pathlib import Path

from nbformat.v4 import new_code_cell

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from run import execute
from sessions import Problem, main, pairs_of, read_ipynb

DEVICE = "import jax; d = jax.devices(); print(len(d), 'x', d[0].device_kind)"
TOOLS = str(Path(__file__).resolve().parents[1] / "tools")
LIKE = f"""import sys
sys.path.insert(0, {TOOLS!r})
from rounding import round_like
sys.path.pop(0)
round_like("DEVICE")"""


def error_of(cell):
    """Return the error of a failed cell, or "" if the cell did not fail."""
    return "".join(
        f"{it.ename}: {it.evalue}"[:300]
        for it in cell.get("outputs", [])
        if it.output_type == "error"
    )


def run_here(pair, like="", on_cell=lambda cell: None):
    """Run a session or its solutions to the end, even if cells fail.

    `like` is the device whose rounding is imitated. `on_cell` is called with
    each code cell as soon as it has run. Return the executed notebook with two
    additional cells. The first cell sets the rounding, and the last cell
    prints the device. We must not ask JAX for the device any earlier, because
    Session 4 could then no longer request a second device.
    """
    nb = read_ipynb(pair)
    first = LIKE.replace("DEVICE", like) if like else "pass"
    nb.cells.insert(0, new_code_cell(first))
    nb.cells.append(new_code_cell(DEVICE))
    return execute(nb, pair.parent, on_cell, allow_errors=True)


class Watch:
    """A callback that times all cells and reports failing cells at once."""

    def __init__(self):
        self.began = self.last = time.perf_counter()
        self.failed, self.seconds = 0, []

    def __call__(self, cell):
        """Record the time and the error of a cell that has just finished.

        Cell 0 sets the rounding, so the session's own cells start at 1.
        """
        now = time.perf_counter()
        number = len(self.seconds)
        self.seconds.append(now - self.last)
        self.last = now
        if error := error_of(cell):
            self.failed += 1
            print(f"  code cell {number - 1}: {error}")
            print(f"    {cell.source[:200]!r}", flush=True)

    def slowest(self):
        """Return the three slowest cells, each in the form "cell 7 12 s"."""
        first = sorted(enumerate(self.seconds), key=lambda it: -it[1])[:3]
        return ", ".join(
            f"cell {it - 1} {seconds:.0f} s" for it, seconds in first
        )


def tool():
    """Run sessions and solutions on this machine, and print their errors."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--session", default="")
    parser.add_argument("--like", default="", choices=["gpu", "tpu"])
    asked = parser.parse_args()
    failed = 0
    for pair in pairs_of(asked.session):
        print(f"{pair} ...", flush=True)
        watch = Watch()
        nb = run_here(pair, asked.like, watch)
        told = nb.cells[-1].outputs
        device = "".join(it.get("text", "") for it in told).strip()
        print(
            f"  {watch.last - watch.began:.0f} s on {device}, "
            f"{watch.failed} cells failed; slowest: {watch.slowest()}",
            flush=True,
        )
        failed += watch.failed
    if failed:
        raise Problem(f"{failed} cells failed on this device.")


if __name__ == "__main__":
    main(tool)
