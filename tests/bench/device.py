"""Run every session on the device that JAX finds here, cell by cell.

usage: .venv/bin/python tests/bench/device.py [--session 2] [--precision bfloat16]

Prints each cell that fails, with its error, and how long each session takes.
Nothing is stored. On a machine with a GPU, install JAX for it first: see the
README. `--precision` asks JAX for that precision of matrix products, with which
a CPU rounds about as a GPU does.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from sessions import Problem, main, pairs_of, read_ipynb

DEVICE = "import jax; d = jax.devices(); print(len(d), 'x', d[0].device_kind)"


def failures_of(nb, folder):
    """Run a notebook, and return (number of the code cell, error) of each failure.

    Takes: the notebook, whose outputs are replaced; the folder to run it in.
    """
    client = NotebookClient(
        nb,
        timeout=1800,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
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
        first = nb.cells[0].copy()
        first.update(cell_type="code", source=DEVICE, outputs=[])
        first.execution_count = None
        nb.cells.insert(0, first)
        began = time.perf_counter()
        found = failures_of(nb, pair.parent)
        seconds = time.perf_counter() - began
        device = "".join(it.get("text", "") for it in first.outputs).strip()
        print(f"{pair}: {seconds:.0f} s on {device}, {len(found)} cells fail")
        for number, error, source in found:
            # The cell of ours that tells the device is number 0.
            print(f"  code cell {number - 1}: {error}\n    {source[:200]!r}")
        failed += len(found)
    if failed:
        raise Problem(f"{failed} cells fail on this device.")


if __name__ == "__main__":
    main(tool)
