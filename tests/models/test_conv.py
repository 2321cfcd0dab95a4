import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from flax import linen as nn

from wsns.models import conv
from wsns.models.conv import Conv

# Batch, height, width, channels, filters; those of 1e8 operations and more go by strips.
LARGE, SMALL = (2, 96, 96, 3, 256), (2, 8, 6, 5, 7)
SHAPES = [LARGE, SMALL, (1, 96, 192, 64, 8), (3, 97, 100, 9, 70), (1, 1, 9300, 20, 32), (1, 96, 1, 80, 800)]


def draw(shape, seed=0):
    b, h, w, channels, filters = shape
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(b, h, w, channels)).astype(np.float32),
        rng.normal(size=(b, h, w, filters)).astype(np.float32),
    )


def by_numpy(x, g):
    """Returns the kernel's gradient tap by tap, in double precision."""
    x, g = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0))), g.astype(np.float64)
    h, w = g.shape[1:3]
    return np.array(
        [[np.einsum("bhwc,bhwf->cf", x[:, i : i + h, j : j + w], g) for j in range(3)] for i in range(3)]
    )


def assert_near(got, want):
    assert np.abs(np.asarray(got) - want).max() < 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_gradient_is_the_sum_of_all_taps(shape):
    x, g = draw(shape)
    assert_near(jax.jit(conv.kernel_gradient)(x, g), by_numpy(x, g))
    assert_near(conv.plain_gradient(x, g), by_numpy(x, g))


@pytest.mark.parametrize("rows", [1, 2, 4, 8])
def test_strips_of_any_height_add_up(rows):
    x, g = draw(SMALL)
    assert_near(conv.gradient_by_strips(x, g, rows), by_numpy(x, g))


def test_on_a_cpu_large_layers_go_by_strips_and_small_ones_do_not():
    def text(shape):
        x, g = draw(shape)
        return jax.jit(conv.kernel_gradient).lower(x, g).as_text()

    assert "while" in text(LARGE)
    assert "while" not in text(SMALL)
    assert "while" not in text((2, 192, 192, 8, 8))


def test_bias_gradient_is_the_sum_over_positions():
    _, g = draw((2, 5, 7, 3, 4))
    np.testing.assert_allclose(conv.bias_gradient(g), g.sum(axis=(0, 1, 2)), rtol=1e-5)


def values_and_gradients(layer, params, x, g):
    def loss(p, x):
        return (layer.apply(p, x).astype(jnp.float32) * g).sum()

    return [
        np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(jax.value_and_grad(loss, (0, 1)))(params, x))
    ]


def error(some, exact):
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(some, exact, strict=True))


@pytest.mark.parametrize("shape", [LARGE, SMALL])
def test_layer_is_flax_own_with_the_same_parameters(shape):
    x, g = draw(shape)
    layers = Conv(shape[-1]), nn.Conv(shape[-1], (3, 3))
    params, theirs = (layer.init(jax.random.key(0), x) for layer in layers)
    jax.tree.map(np.testing.assert_array_equal, params, theirs)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    assert error(*(values_and_gradients(layer, params, x, g) for layer in layers)) < 1e-5


def test_in_half_precision_the_layer_is_as_exact_as_flax_own():
    x, g = draw(SMALL)
    filters = SMALL[-1]
    layers = Conv(filters), Conv(filters, jnp.bfloat16), nn.Conv(filters, (3, 3), dtype=jnp.bfloat16)
    params = jax.tree.map(lambda leaf: leaf + 0.1, layers[0].init(jax.random.key(0), x))
    exact, own, theirs = (values_and_gradients(layer, params, x, g) for layer in layers)
    assert {leaf.dtype for leaf in own} == {np.dtype(np.float32)}
    assert 0 < error(own, exact) < max(0.01, 1.2 * error(theirs, exact))


def test_gradient_goes_through_vmap_and_pmap():
    """Screening maps the network over masked copies; training over devices."""
    x, g = draw((3, 96, 96, 3, 210))
    kernel, bias = np.ones((3, 3, 3, 210), np.float32), np.zeros(210, np.float32)

    def loss(kernel, x, g):
        return (conv.convolve(x, kernel, bias) * g).sum()

    mapped = jax.grad(lambda k: jax.vmap(loss, (None, 0, 0))(k, x[:, None], g[:, None]).sum())(kernel)
    assert_near(mapped, by_numpy(x, g))
    placed = jax.pmap(jax.grad(loss))(kernel[None], x[None], g[None])
    assert_near(placed[0], by_numpy(x, g))


DOUBLE = """
import wsns, jax
jax.config.update("jax_enable_x64", True)
import sys
sys.path[:0] = ["tests", "tests/models", "tests/helpers"]
import numpy as np, test_conv
from wsns.models import conv
x, g = (a.astype(np.float64) for a in test_conv.draw((2, 96, 97, 3, 210)))
got = jax.jit(conv.kernel_gradient)(x, g)
print(np.abs(got - test_conv.by_numpy(x, g)).max() / np.abs(got).max())
"""


def test_double_precision_agrees_to_double_precision():
    """No term is missing or counted twice: single precision might hide one."""
    env = os.environ | {"JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", DOUBLE], cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert float(run.stdout) < 1e-12
