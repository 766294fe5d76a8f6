"""Make JAX round on a CPU as it does on other devices.

A GPU or a TPU keeps fewer bits of the numbers that it multiplies, unless it is
asked for full precision. On such devices, exponentials and sums also differ in
their last bits. On a CPU, JAX ignores `jax_default_matmul_precision`, so we
change the rule by which JAX lowers a product to machine operations.
tests/bench/device.py and a test use this module to run the sessions.
"""

import jax
import jax.numpy as jnp
from jax._src.interpreters import mlir as translations
from jax.extend.core import primitives
from jax.interpreters import mlir

# A product uses this many of the 23 fraction bits of its inputs.
BITS = {"gpu": 10, "tpu": 7}  # TF32 and bfloat16
PRODUCTS = ("dot_general_p", "conv_general_dilated_p")
INEXACT = ("exp_p", "log_p", "tanh_p", "logistic_p", "rsqrt_p", "reduce_sum_p")
FULL = (jax.lax.Precision.HIGHEST,) * 2


def coarse(x, bits):
    """Return x without its last bits if it is a float32 array."""
    if x.dtype != jnp.float32:
        return x
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=bits)


def nudged(x):
    """Return x with the last bit changed in half of its numbers."""
    if x.dtype != jnp.float32:
        return x
    number = jax.lax.bitcast_convert_type(x, jnp.uint32)
    flip = (number * jnp.uint32(2654435761)) >> 31  # pseudorandom
    new = jax.lax.bitcast_convert_type(number ^ flip, jnp.float32)
    return jnp.where(jnp.isfinite(x) & (x != 0), new, x)


def translation_of(primitive):
    """Return the rule by which JAX lowers a primitive on a CPU."""
    on_cpu = translations._platform_specific_lowerings["cpu"]
    return (on_cpu.get(primitive) or translations._lowerings[primitive]).rule


def translated(function, context, avals, values):
    """Lower a function whose outputs have the same types as its inputs."""
    lower = mlir.lower_fun(lambda *them: [function(it) for it in them])
    same = context.replace(
        primitive=None, avals_in=avals, avals_out=avals, tokens_out=None
    )
    return lower(same, *values)


def replace_product(primitive, bits):
    """Make a product use only this many fraction bits of its inputs."""
    translate = translation_of(primitive)

    def rule(context, *inputs, precision, **params):
        if precision != FULL:
            inputs = translated(
                lambda x: coarse(x, bits), context, context.avals_in, inputs
            )
        return translate(context, *inputs, precision=precision, **params)

    mlir.register_lowering(primitive, rule, platform="cpu")


def replace_function(primitive):
    """Change the last bits of a function's results."""
    translate = translation_of(primitive)

    def rule(context, *inputs, **params):
        results = translate(context, *inputs, **params)
        return translated(nudged, context, context.avals_out, results)

    mlir.register_lowering(primitive, rule, platform="cpu")


def round_like(device):
    """From now on, make this process round like a "gpu" or a "tpu".

    From then on, `jax.default_backend()` also returns `device`.
    """
    for name in PRODUCTS:
        replace_product(getattr(primitives, name), BITS[device])
    for name in INEXACT:
        replace_function(getattr(primitives, name))
    jax.clear_caches()
    jax.default_backend = lambda: device
