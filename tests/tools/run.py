"""Execute notebooks in place and in fresh kernels, for `make run`.

A notebook is executed only if its code, or something that the code depends on,
has changed since its outputs were stored. The metadata of the notebook contain
fingerprints of the code and of everything that it depends on.
"""

import argparse
import hashlib
import math
import time
import tomllib
from pathlib import Path

import nbformat
from exercises import for_solutions, session_of
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from sessions import (
    NOTEBOOKS,
    Problem,
    main,
    pairs_of,
    read_ipynb,
)
from sync import sync, write_ipynb
from tqdm import tqdm

CELL_SECONDS = 900  # stops a cell that hangs; no other cell takes this long


def execute(nb, folder, on_cell=lambda cell: None, **settings):
    """Execute a notebook in a fresh kernel, and return it with its outputs.

    `nb` stays unchanged, and `folder` is the kernel's working directory.
    `on_cell` is called with each finished code cell, and `settings` are passed
    to nbclient. Raise Problem at the first cell that fails or hangs, with its
    code and the error.
    """
    nb = nbformat.from_dict(nb)
    client = NotebookClient(
        nb,
        timeout=CELL_SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        kernel_name="python3",
        # Hide the warning that ipykernel prints at every start because its
        # loopback connection is not encrypted.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_executed=lambda cell, **_: on_cell(cell),
        coalesce_streams=True,
        **settings,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise Problem(f"A cell failed: {error}") from None
    return nb


def fingerprint(*parts):
    """Return a short hash of these texts or bytes."""
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        found.update(hashlib.sha256(data).digest())
    return found.hexdigest()[:16]


def in_order(paths):
    """Return the paths in a case-sensitive order, even on Windows."""
    return sorted(paths, key=lambda it: it.parts)


def code_of(pair):
    """Return a fingerprint of a notebook's code and of the files it reads.

    The fingerprint covers the code cells, and the files in notebooks/ that
    they mention by name. For solutions, it also covers the cells of the
    session that they show or run.
    """
    cells = [c for c in read_ipynb(pair).cells if c.cell_type == "code"]
    if session := session_of(pair):
        cells += [c for c in read_ipynb(session).cells if for_solutions(c)]
    code = [cell.source for cell in cells]
    files = [it for it in in_order(NOTEBOOKS.rglob("*.*")) if it.is_file()]
    read = [
        it.read_bytes()
        for it in files
        if it.suffix not in (".ipynb", ".md")
        and any(it.name in source for source in code)
    ]
    return fingerprint(*code, *read)


def environment(lock=Path("uv.lock")):
    """Return a fingerprint of the versions of the notebooks' packages.

    The versions come from `lock`, the lock file. Packages that only the tests
    or only Windows need are left out, so that the result is the same on all
    platforms.
    """
    packages = {}
    for it in tomllib.loads(lock.read_text("utf-8"))["package"]:
        packages.setdefault(it["name"], []).append(it)
    found, asked = set(), ["intuitive-ai"]
    while asked:
        for package in packages[asked.pop()]:
            name = f"{package['name']} {package['version']}"
            if name not in found:
                found.add(name)
                asked += [
                    it["name"]
                    for it in package.get("dependencies", [])
                    if "sys_platform == 'win32'" not in it.get("marker", "")
                ]
    return fingerprint(*sorted(found))


def is_up_to_date(pair):
    """Return whether the stored outputs come from the current code."""
    nb = read_ipynb(pair)
    cells = [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]
    counts = [cell.execution_count for cell in cells]
    return counts == list(range(1, len(cells) + 1)) and nb.metadata.get(
        "executed"
    ) == executed_now(pair)


def executed_now(pair):
    """Return the metadata to be stored together with new outputs."""
    return {"code": code_of(pair), "environment": environment()}


def run(pair):
    """Execute one pair's notebook, and store its outputs.

    If a cell fails, raise Problem and leave the notebook unchanged.
    """
    nb = read_ipynb(pair)
    cells = sum(cell.cell_type == "code" for cell in nb.cells)
    with tqdm(total=cells, desc=pair.name, unit="cell") as bar:
        began = time.perf_counter()
        nb = execute(nb, pair.parent, lambda _: bar.update())
        seconds = time.perf_counter() - began
    # Round the time up to tens of seconds, because otherwise every run would
    # change the file.
    nb.metadata["running_seconds"] = 10 * math.ceil(seconds / 10)
    nb.metadata["executed"] = executed_now(pair)
    write_ipynb(pair, nb)
    sync(pair)


def tool():
    """Execute all notebooks that have changed, and list the others."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--session", default="")
    parser.add_argument("--all", default="", help="execute all notebooks")
    asked = parser.parse_args()
    problems = []
    for pair in pairs_of(asked.session):
        try:
            sync(pair)
            if is_up_to_date(pair) and not asked.all:
                print(
                    f"{pair}: skipped, since neither its code nor its packages "
                    "have changed; `make run ALL=1` runs it anyway."
                )
            else:
                run(pair)
        except Problem as problem:
            problems.append(f"{problem}\n{pair}.ipynb was left as it was.")
    if problems:
        raise Problem("\n".join(problems))


if __name__ == "__main__":
    main(tool)
