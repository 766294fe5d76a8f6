"""`make bench`: Session 2 against a naive version of itself, in one run.

Prints times, the two ratios, and the kernel's memory. Each program runs in a
process of its own; "cold" means that every cache of compiled code is empty.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from run import execute
from sessions import find_session, main, read_ipynb

NAIVE = Path(__file__).with_name("naive.py")
CACHES = {
    "PYTHONPYCACHEPREFIX": "python",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "JAX_COMPILATION_CACHE_DIR": "jax",
    "XDG_CACHE_HOME": "other",
}


def with_caches_in(folder):
    """Return an environment whose caches of compiled code lie in `folder`."""
    caches = {name: f"{folder}/{value}" for name, value in CACHES.items()}
    flags = f"base_compiledir={folder}/pytensor"
    return {**os.environ, **caches, "PYTENSOR_FLAGS": flags}


def seconds(arguments, folder):
    """Run Python with caches in `folder`; return its time and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=with_caches_in(folder),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    return time.perf_counter() - began, done.stdout


def execute_session():
    """Execute Session 2, and print its trainings' time and the kernel's memory."""
    session = find_session("2")
    training = 0.0
    began = time.perf_counter()

    def add_training_time(cell):
        nonlocal training, began
        now = time.perf_counter()
        if "10_000)" in cell.source:
            training += now - began
        began = now

    execute(read_ipynb(session), session.parent, add_training_time)
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes or KiB
    print(f"{training:.2f} {kernel / unit:.2f}")


def tool():
    """Measure all three, and print them."""
    if sys.argv[1:] == ["session"]:
        return execute_session()
    print("Measuring, for some minutes ...", flush=True)
    with tempfile.TemporaryDirectory() as first:
        with tempfile.TemporaryDirectory() as second:
            naive, _ = seconds([NAIVE], second)
        cold, _ = seconds([__file__, "session"], first)
        warm, said = seconds([__file__, "session"], first)
    training, memory = said.split()
    print(f"naive, its computations alone:  {naive:6.1f} s")
    print(f"Session 2, every cache cold:    {cold:6.1f} s")
    print(f"Session 2, warm:                {warm:6.1f} s")
    print(f"its three trainings, compiling: {float(training):6.1f} s")
    print(f"its kernel's memory, at most:   {float(memory):6.1f} GiB")
    print(f"naive / cold: {naive / cold:.1f}")
    print(f"naive / warm: {naive / warm:.1f}")


if __name__ == "__main__":
    main(tool)
