"""Test on a CPU whether the sessions' claims hold on other devices."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from run import execute
from sessions import KERNELSPEC, NOTEBOOKS, all_pairs

from tests.bench.device import LIKE, Watch, run_here
from tests.plugin import OLDER, pytest_configure

# tests/bench/device.py runs the other sessions every week.
FAST = [
    pair
    for pair in all_pairs()
    if pair.parent == NOTEBOOKS and pair.name[:2] in ("01", "02")
]
ROUNDS = """import jax
import jax.numpy as jnp
import numpy as np
x, w = jax.random.normal(jax.random.key(0), (2, 64, 64))
step = jax.jit(lambda x, w: jax.grad(lambda w: jnp.tanh(x @ w).sum())(w))
full, exp, gradient = x @ w, jnp.exp(x), step(x, w)"""
COMPARES = """def differ(a, b):
    return float((a != b).mean())

kept_x, kept_w = (jax.lax.reduce_precision(it, 8, 10) for it in (x, w))
with jax.default_matmul_precision("highest"):
    assert differ(x @ w, full) == 0
    expected = kept_x @ kept_w
assert differ(x @ w, expected) == 0 and differ(expected, full) > 0.99
assert differ(step(x, w), gradient) > 0.99
assert 0.4 < differ(jnp.exp(x), exp) < 0.6
assert np.allclose(jnp.exp(x), exp, rtol=2e-7, atol=0)
assert jnp.exp(jnp.zeros(3) - jnp.inf).sum() == 0
assert jax.default_backend() == "gpu\""""


def test_a_cpu_can_round_like_a_gpu():
    nb = new_notebook(metadata={"kernelspec": KERNELSPEC})
    sources = (ROUNDS, LIKE.replace("DEVICE", "gpu"), COMPARES)
    nb.cells = [new_code_cell(it) for it in sources]
    execute(nb, NOTEBOOKS)


@pytest.mark.parametrize("pair", FAST, ids=str)
def test_what_a_session_says_holds_with_the_rounding_of_a_gpu(pair):
    watch = Watch()  # prints the cells that fail
    run_here(pair, "gpu", watch)
    assert len(watch.seconds) > 30
    assert not watch.failed, (
        "Ask for full precision where two results should be equal. In all "
        "other places, allow for TF32, which rounds each factor by about "
        "1/1000."
    )


COMPUTES = """import zlib
import jax, jax.numpy as jnp
from numpy._core._multiarray_umath import __cpu_features__ as has
x, w = jax.random.normal(jax.random.key(0), (2, 99, 99))
print(has["X86_V3"], zlib.crc32(jnp.tanh(x @ w / 10).tobytes()))"""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="needs x86-64"
)
def test_an_older_processor_is_imitated(monkeypatch):
    for name in OLDER["SSE4_2"]:
        monkeypatch.setenv(name, "")  # monkeypatch restores it
    said = {}
    for isa in ("SSE4_2", "AVX2"):
        pytest_configure(SimpleNamespace(getoption=lambda _, isa=isa: isa))
        said[isa] = subprocess.check_output(
            [sys.executable, "-c", COMPUTES], text=True
        ).split()
    assert [it[0] for it in said.values()] == ["False", "True"]
    assert said["SSE4_2"][1] != said["AVX2"][1]
