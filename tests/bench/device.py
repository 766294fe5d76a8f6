"""Run every session on the device that JAX finds here, cell by cell.

usage: .venv/bin/python tests/bench/device.py [--session 2] [--precision bfloat16]

Prints each cell that fails, with its error, and how long each session takes.
Nothing is stored. On a machine with a GPU, install JAX for that GPU into .venv
first, as JAX's documentation says. `--precision` asks JAX for that precision of matrix products, with which
a CPU rounds about as a GPU does.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from nbformat.v4 import new_code_cell

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from run import execute
from sessions import Problem, main, pairs_of, read_ipynb

DEVICE = "import jax; d = jax.devices(); print(len(d), 'x', d[0].device_kind)"


def failures_of(nb):
    """Return (number of the code cell, error, code) of each cell that failed."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    return [
        (number, f"{it.ename}: {it.evalue}"[:300], cell.source)
        for number, cell in enumerate(code)
        for it in cell.outputs
        if it.output_type == "error"
    ]


def tool():
    """Run the sessions and their solutions here, and print what fails."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--session", default="")
    parser.add_argument("--precision", default="")
    asked = parser.parse_args()
    if asked.precision:
        os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = asked.precision
    failed = 0
    for pair in pairs_of(asked.session):
        nb = read_ipynb(pair)
        nb.cells.insert(0, new_code_cell(DEVICE))
        began = time.perf_counter()
        nb = execute(nb, pair.parent, allow_errors=True)
        seconds = time.perf_counter() - began
        found = failures_of(nb)
        told = nb.cells[0].outputs
        device = "".join(it.get("text", "") for it in told).strip()
        print(f"{pair}: {seconds:.0f} s on {device}, {len(found)} cells fail")
        for number, error, source in found:
            # The cell of ours that tells the device is number 0.
            print(f"  code cell {number - 1}: {error}\n    {source[:200]!r}")
        failed += len(found)
    if failed:
        raise Problem(f"{failed} cells fail on this device.")


if __name__ == "__main__":
    main(tool)
