"""Whether this machine's convolution adds a pixel's terms in one order wherever the pixel lies, and what follows.

The CPU's matrix product works in blocks whose size depends on its caches. Where a block ends inside a slice, the pixels
left over are added in another order: seen on AMD EPYC (Zen 3), not on Intel's Xeon. No window can then have the bits
that a whole pass has.
"""

import functools

import jax
import numpy as np
from jax import lax

NEARLY = 2e-3
"""How far scores may be apart then, relative to each; those of 1e-4 beside others of 1e4 differ by up to 1.2e-3."""


@jax.jit
def _convolve(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@functools.cache
def in_one_order() -> bool:
    rng = np.random.default_rng(0)
    for channels in (3, 8, 32, 64):
        image = rng.normal(size=(1, 66, 66, channels)).astype(np.float32)
        kernel = rng.normal(size=(3, 3, channels, 8)).astype(np.float32)
        whole = np.asarray(_convolve(image, kernel))
        for side in (4, 12, 24, 32):
            window = np.asarray(_convolve(image[:, : side + 2, : side + 2], kernel))
            if (window != whole[:, :side, :side]).any():
                return False
    return True


def assert_same_scores(found, expected):
    """To the bit where convolutions allow it, else nearly."""
    if in_one_order():
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=NEARLY)
