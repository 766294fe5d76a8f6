"""Run every session on the device that JAX finds here, cell by cell.

usage: .venv/bin/python tests/bench/device.py [--session 2] [--like gpu]

Prints each cell that fails, with its error, and how long each session takes.
Nothing is stored. The README says how JAX finds a GPU. With `--like gpu` or
`--like tpu`, a CPU rounds like such a device.
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


def failures_of(nb):
    """Return (number of the code cell, error, code) of each cell that failed."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    return [
        (number, f"{it.ename}: {it.evalue}"[:300], cell.source)
        for number, cell in enumerate(code)
        for it in cell.outputs
        if it.output_type == "error"
    ]


def run_here(pair, like=""):
    """Run a session or its solutions, cell by cell, and go on if a cell fails.

    Takes: `pair`; `like`, the device whose rounding is imitated. Returns a
    notebook with two additional cells: the first one sets the rounding, and
    the last one prints the device. JAX is not asked for the device any
    earlier, because Session 4 could then no longer ask for a second one.
    """
    nb = read_ipynb(pair)
    first = LIKE.replace("DEVICE", like) if like else "pass"
    nb.cells.insert(0, new_code_cell(first))
    nb.cells.append(new_code_cell(DEVICE))
    return execute(nb, pair.parent, allow_errors=True)


def tool():
    """Run the sessions and their solutions here, and print what fails."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--session", default="")
    parser.add_argument("--like", default="", choices=["gpu", "tpu"])
    asked = parser.parse_args()
    failed = 0
    for pair in pairs_of(asked.session):
        began = time.perf_counter()
        nb = run_here(pair, asked.like)
        seconds = time.perf_counter() - began
        found = failures_of(nb)
        told = nb.cells[-1].outputs
        device = "".join(it.get("text", "") for it in told).strip()
        print(f"{pair}: {seconds:.0f} s on {device}, {len(found)} cells fail")
        for number, error, source in found:
            # Our own cell is number 0.
            print(f"  code cell {number - 1}: {error}\n    {source[:200]!r}")
        failed += len(found)
    if failed:
        raise Problem(f"{failed} cells fail on this device.")


if __name__ == "__main__":
    main(tool)
