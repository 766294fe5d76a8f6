"""Benchmark Sessions 2 and 4 against reference programs, for `make bench`.

The reference for Session 2 is a naive version of the session, and the
reference for Session 4 is nanoGPT's recipe for a laptop. The program prints
times, ratios, losses and the memory of the kernels. If a figure has a limit,
the limit is printed beside it. Each program runs in a separate process. "Cold"
means that the caches of compiled code are empty. On the very first start,
Python also has to compile the packages. Only nanogpt.py needs PyTorch. uv
downloads PyTorch, unless TORCH_PYTHON is the path of a Python that already has
it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from env import find_uv
from exercises import tagged
from run import execute
from sessions import NOTEBOOKS, find_session, main, read_ipynb

NAIVE = Path(__file__).with_name("naive.py")
NANOGPT = Path(__file__).with_name("nanogpt.py")
OUR_TEXT = "data/shakespeare.txt"  # relative to NOTEBOOKS
# For each measured session, a piece of code that appears in its training
# cells.
TRAINING = {"2": "10_000)", "4": "steps=400"}
# The limits for Session 4. TINY_SHAKESPEARE is the loss that nanoGPT's recipe
# reached on the tiny Shakespeare text, in nats per character. Our text is a
# different one, so this loss is only a rough reference.
TINY_SHAKESPEARE = 1.886
COLD, WARM = 25, 15  # the time limits for Session 2, in seconds
AS_FAST = 4.5  # we must be this many times as fast as nanoGPT's recipe
SECONDS, TRAINING_SECONDS, GIB, CACHE_FACTOR = 100, 40, 3, 5
CACHES = {
    "PYTHONPYCACHEPREFIX": "python",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "JAX_COMPILATION_CACHE_DIR": "jax",
    "XDG_CACHE_HOME": "other",
}


def with_caches_in(folder):
    """Return an environment in which all caches are kept in `folder`."""
    caches = {name: str(Path(folder, it)) for name, it in CACHES.items()}
    flags = f"base_compiledir={Path(folder, 'pytensor')}"
    return {**os.environ, **caches, "PYTENSOR_FLAGS": flags}


def seconds(arguments, folder):
    """Run Python with caches in `folder`; return its run time and output."""
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


def cache_factor_in(nb):
    """Return how many times faster the KV cache makes text generation."""
    texts = [o.get("text", "") for c in nb.cells for o in c.get("outputs", [])]
    (said,) = re.findall(
        r"256 characters: .* ([\d.]+) times", "\n".join(texts)
    )
    return float(said)


def execute_session(number):
    """Execute a session; print its training time and the kernel's memory.

    For Session 4, also print how many times faster the KV cache makes it.
    """
    session = find_session(number)
    training = 0.0
    began = time.perf_counter()

    def add_training_time(cell):
        nonlocal training, began
        now = time.perf_counter()
        if TRAINING[number] in cell.source:
            training += now - began
        began = now

    nb = execute(read_ipynb(session), session.parent, add_training_time)
    import resource  # imported here because Windows doesn't have it

    kernel = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes or KiB
    factor = cache_factor_in(nb) if number == "4" else ""
    print(f"{training:.2f} {kernel / unit:.2f} {factor}")


def train_our_gpt(corpus):
    """Train Session 4's GPT on a text for 200 steps, including compilation.

    Each batch has 24 windows of 64 characters, which is the length in
    nanoGPT's recipe. Print the time in seconds, and the loss on held-out
    windows of the same length in nats per character.
    """
    import jax  # imported here, because the other processes don't need it

    names = {"__name__": "session"}
    os.chdir(NOTEBOOKS)
    code = tagged(read_ipynb(Path("04_basic_gpt")), "for-solutions")
    assert f'CORPUS = "{OUR_TEXT}"' in code
    exec(code.replace(f'"{OUR_TEXT}"', repr(corpus), 1), names)
    jax.config.update("jax_enable_compilation_cache", False)
    jax.jit(jax.numpy.sin)(1.0)  # load the compiler before the timing starts
    split, gpt = names["nnx"].split, names["GPT"]
    began = time.perf_counter()
    model = gpt(names["Config"](), names["nnx"].Rngs(0))
    model = names["train"](
        model, 0.02, 200, "muon", (24, 64), show=lambda line: None
    )
    jax.block_until_ready(jax.tree.leaves(split(model)[1]))
    taken = time.perf_counter() - began
    print(f"{taken:.1f} {float(names['score'](*split(model), 64)):.4f}")


def nanogpt(corpus):
    """Train nanoGPT's recipe on a text; return its time and its loss."""
    uv = find_uv()
    python = os.environ.get("TORCH_PYTHON")
    command = [python] if python else [uv, "run", "--script"]
    done = subprocess.run(
        [*command, NANOGPT, corpus],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return [float(it) for it in done.stdout.split()]


def write_another_text(path):
    """Write Python's help texts on the language to an ASCII file."""
    text = "\n\n".join(topics.values())
    path.write_bytes(text.encode("ascii", "ignore"))


def compare_on(corpus, folder):
    """Train Session 4's GPT and nanoGPT's recipe on the same text.

    `corpus` is the path of the text, and the caches are kept in `folder`.
    Print both results, and return the loss of our model in nats per character.
    """
    theirs, their_loss = nanogpt(corpus)
    _, said = seconds([__file__, "gpt", str(corpus)], folder)
    ours, our_loss = map(float, said.split())
    print(
        f"nanoGPT's recipe in PyTorch:  {theirs:6.1f} s, {their_loss:.3f} nats"
    )
    print(f"our 200 steps + compilation:  {ours:6.1f} s, {our_loss:.3f} nats")
    line("nanoGPT's time / ours", theirs / ours, "times", least=AS_FAST)
    line("our loss, against nanoGPT's", our_loss, "nats", most=their_loss)
    return our_loss


def measure_gpt():
    """Measure Session 4, compare it with nanoGPT, and print the results."""
    with tempfile.TemporaryDirectory() as folder:
        another = Path(folder, "manual.txt")
        write_another_text(another)
        print("On another text, Python's built-in help:")
        compare_on(another, folder)
        print("On our text:")
        our_loss = compare_on((NOTEBOOKS / OUR_TEXT).absolute(), folder)
        execute_once = [__file__, "session", "4"]
        seconds(execute_once, folder)  # this run fills the caches
        warm, said = seconds(execute_once, folder)
    training, memory, factor = map(float, said.split())
    line("against tiny Shakespeare's", our_loss, "nats", most=TINY_SHAKESPEARE)
    print(
        "  (nanoGPT reached 1.886 on that text, which is not the same as ours)"
    )
    line("cached / not, 256 characters", factor, "times", least=CACHE_FACTOR)
    line("Session 4, warm", warm, "s", most=SECONDS)
    line("its GPT's training", training, "s", most=TRAINING_SECONDS)
    line("its kernel's memory", memory, "GiB", most=GIB)


def line(name, value, unit, least=None, most=None):
    """Print a measurement, its limit, and whether it is within the limit."""
    if most is None:
        limit, reached = f"at least {least:.3g}", value >= least
    else:
        limit, reached = f"at most {most:.4g}", value <= most
    said = "reached" if reached else "NOT reached"
    print(f"{name + ':':29} {value:7.3f} {unit}, {limit}: {said}")


def tool():
    """Run all benchmarks, and print the results."""
    if sys.argv[1:2] == ["session"]:
        return execute_session(sys.argv[2])
    if sys.argv[1:2] == ["gpt"]:
        return train_our_gpt(sys.argv[2])
    print("Measuring takes about a quarter of an hour ...", flush=True)
    if sys.argv[1:] != ["4"]:
        measure_session_2()
    if sys.argv[1:] != ["2"]:
        measure_gpt()


def measure_session_2():
    """Measure Session 2 and its naive version, and print the results."""
    with tempfile.TemporaryDirectory() as first:
        with tempfile.TemporaryDirectory() as second:
            naive, _ = seconds([NAIVE], second)
        session = [__file__, "session", "2"]
        first_start, _ = seconds(session, first)
        for cache in Path(first).iterdir():
            if cache.name != CACHES["PYTHONPYCACHEPREFIX"]:
                shutil.rmtree(cache)
        cold, _ = seconds(session, first)
        warm, said = seconds(session, first)
    training, memory = said.split()
    print(f"naive computations alone:       {naive:6.1f} s")
    print(f"Session 2, very first start:    {first_start:6.1f} s")
    line("Session 2, cold", cold, "s", most=COLD)
    line("Session 2, warm", warm, "s", most=WARM)
    print(f"training, with compilation:     {float(training):6.1f} s")
    print(f"peak memory of the kernel:      {float(memory):6.1f} GiB")
    print(f"naive / first start: {naive / first_start:.1f}")
    print(f"naive / cold: {naive / cold:.1f}")
    print(f"naive / warm: {naive / warm:.1f}")


if __name__ == "__main__":
    main(tool)
