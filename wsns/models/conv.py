"""The 3x3 convolution of all networks, with a weight gradient that is fast on a CPU too.

Where the time goes: on a CPU, XLA's forward pass and input gradient run at the rate of its matrix product, the
weight gradient at half of that or less. It is computed as a convolution whose kernel is the whole output gradient,
and three things cost time there: the padding keeps XLA's packing off its fast path, the images of a batch lie
innermost, and the transposed input (channels first, so that the pixels that are summed over lie together) goes
through main memory. So here the input is padded beforehand, and strips of one image at a time, which stay in cache,
are transposed, convolved and added up. That is the same sum in another order.

Not faster, on layers of full width: one product for all nine taps, of copies of input and output gradient shifted by a
row and by a column; the whole batch at once; the input transposed beforehand; the roles swapped; the forward pass in
strips. XLA's sum of the bias gradient takes about three times as long as the same sum in two steps.
Forward pass and input gradient stay XLA's. On accelerators the weight gradient does too.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

LAYOUT = ("NHWC", "HWIO", "NHWC")
STRIP = 9216  # pixels: input and gradient of a strip fill a part of the last cache
MIN_FLOPS = 1e8  # of one image: in smaller layers, as the demo's, the whole step is no faster


FACTOR = "factor"
"""Name of a layer's optional parameter, a number by which its input is multiplied; see `wsns.models.head_scale`."""


class Conv(nn.Module):
    """Is `nn.Conv(filters, (3, 3))`, with the same parameters, and with `FACTOR` where the parameters have one.

    The factor belongs to the weights: it is never created here and never trained.

    Attributes:
        filters: number of filters.
        dtype: of the computation; parameters stay float32.
        kernel_init: first values of the kernel.
    """

    filters: int
    dtype: Any = jnp.float32
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, H, W, C) to (B, H, W, filters)."""
        if self.has_variable("params", FACTOR):
            x = scaled(x, self.get_variable("params", FACTOR))
        kernel = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], self.filters))
        bias = self.param("bias", nn.initializers.zeros, (self.filters,))
        return convolve(*(array.astype(self.dtype) for array in (x, kernel, bias)))


def scaled(x: jax.Array, factor: jax.Array) -> jax.Array:
    """Returns x (B, H, W, C) times a constant (), in x's type; no gradient reaches the constant."""
    return x * lax.stop_gradient(factor).astype(x.dtype)


@jax.custom_vjp
def convolve(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolves x (B, H, W, C), zeros outside, with a kernel (3, 3, C, F) and adds a bias (F,)."""
    return _same(x, kernel) + bias


def kernel_gradient(x: jax.Array, g: jax.Array) -> jax.Array:
    """Returns the gradient (3, 3, C, F) of `convolve`'s kernel; the method goes by shapes and platform.

    Args:
        x: (B, H, W, C), the input.
        g: (B, H, W, F), the gradient of the output.
    """
    _, h, w, channels = x.shape
    rows = max(n for n in range(1, h + 1) if h % n == 0 and (n * w <= STRIP or n == 1))
    small = 18 * channels * g.shape[-1] * h * w < MIN_FLOPS
    if small or rows * 16 < min(h, STRIP // w) or jnp.finfo(x.dtype).bits < 32:
        return plain_gradient(x, g)
    return lax.platform_dependent(
        x, g, cpu=lambda x, g: gradient_by_strips(x, g, rows), default=plain_gradient
    )


def plain_gradient(x: jax.Array, g: jax.Array) -> jax.Array:
    """Is `kernel_gradient` as JAX derives it: of x (B, H, W, C) and g (B, H, W, F) to (3, 3, C, F)."""
    kernel = jax.ShapeDtypeStruct((3, 3, x.shape[-1], g.shape[-1]), x.dtype)
    return jax.linear_transpose(lambda k: _same(x, k), kernel)(g)[0]


def gradient_by_strips(x: jax.Array, g: jax.Array, rows: int) -> jax.Array:
    """Is `kernel_gradient`, summed over strips of `rows` rows, which must divide H: to (3, 3, C, F)."""
    b, h, w, channels = x.shape
    strips, filters = h // rows, g.shape[-1]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def add_strip(total: jax.Array, index: jax.Array) -> tuple[jax.Array, None]:
        image, row = index // strips, index % strips * rows
        part = lax.dynamic_slice(x, (image, row, 0, 0), (1, rows + 2, w + 2, channels))
        by_channel = part.transpose(3, 1, 2, 0)
        kernel = lax.dynamic_slice(g, (image, row, 0, 0), (1, rows, w, filters)).transpose(1, 2, 0, 3)
        product = lax.conv_general_dilated(by_channel, kernel, (1, 1), "VALID", dimension_numbers=LAYOUT)
        return total + product, None

    total, _ = lax.scan(add_strip, jnp.zeros((channels, 3, 3, filters), x.dtype), jnp.arange(b * strips))
    return total.transpose(1, 2, 0, 3)


def bias_gradient(g: jax.Array) -> jax.Array:
    """Sums g (B, H, W, F) to (F,), first over whole rows: XLA's sum over the last but one axis is slow."""
    _, _, w, filters = g.shape
    columns = g.reshape(-1, w * filters).sum(axis=0, dtype=jnp.promote_types(g.dtype, jnp.float32))
    return columns.reshape(w, filters).sum(axis=0).astype(g.dtype)


def _same(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)


Saved = tuple[jax.Array, jax.Array]


def _forward(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, Saved]:
    return convolve(x, kernel, bias), (x, kernel)


def _backward(saved: Saved, g: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, kernel = saved
    (input_gradient,) = jax.linear_transpose(lambda x: _same(x, kernel), x)(g)
    return input_gradient, kernel_gradient(x, g), bias_gradient(g)


convolve.defvjp(_forward, _backward)
