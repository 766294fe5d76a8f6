"""`make run`: execute every notebook, fresh, from top to bottom, in place."""

import math
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from sessions import Problem, all_pairs, main, read_ipynb
from sync import sync, write_ipynb
from tqdm import tqdm

CELL_SECONDS = 900  # far more than any cell takes; it ends one that hangs


def execute(nb, folder, on_cell=lambda cell: None):
    """Execute a notebook in a fresh kernel, and return it with its outputs.

    Takes: `nb`, which is left as it was; `folder`, the kernel's working
    directory; `on_cell`, called with each code cell that is done. Raises Problem at the
    first cell that fails or hangs, with its code and the error.
    """
    nb = nbformat.from_dict(nb)
    client = NotebookClient(
        nb,
        timeout=CELL_SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        kernel_name="python3",
        # ipykernel warns on every start that its loopback connection is plain.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_executed=lambda cell, **_: on_cell(cell),
        coalesce_streams=True,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise Problem(f"A cell failed: {error}") from None
    return nb


def tool():
    """Execute all notebooks; one that fails is left as it was."""
    problems = []
    for pair in all_pairs():
        try:
            sync(pair)
            nb = read_ipynb(pair)
            cells = sum(cell.cell_type == "code" for cell in nb.cells)
            with tqdm(total=cells, desc=pair.name, unit="cell") as bar:
                began = time.perf_counter()
                nb = execute(nb, pair.parent, lambda _: bar.update())
                seconds = time.perf_counter() - began
            # In tens, or every run would change the file.
            nb.metadata["running_seconds"] = 10 * math.ceil(seconds / 10)
            write_ipynb(pair, nb)
            sync(pair)
        except Problem as problem:
            problems.append(f"{problem}\n{pair}.ipynb was left as it was.")
    if problems:
        raise Problem("\n".join(problems))


if __name__ == "__main__":
    main(tool)
