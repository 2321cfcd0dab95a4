"""The 1-GAP network on windows: what a change inside a box of its input can reach, and nothing else.

A change spreads by one pixel per convolution and is halved by each pooling, so that in every layer a window holds all
that is new; around it lies what an earlier pass of the whole image left. The result is that of the whole pass.

A window is named by the square of cells, positions of conv5's input (stride 16), that it may change. Going back from
there, its sides are whole in each pooling, and the same for every window of so many cells.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from wsns.models.conv import FACTOR, scaled
from wsns.models.vgg_gap import BLOCKS, HEAD_BLOCKS, Output, max_pool

CELL = 2 ** (len(BLOCKS) - 1)
"""Pixels of the input per cell."""

HEAD = f"gap{HEAD_BLOCKS[0]}"
LAYOUT = ("NHWC", "HWIO", "NHWC")


def layers() -> Iterator[tuple[str, bool]]:
    """Yields the name of each convolution from image to head, and whether it stands behind a pooling."""
    for block, (_, depth) in enumerate(BLOCKS, start=1):
        for layer in range(1, depth + 1):
            yield f"conv{block}_{layer}", block > 1 and layer == 1
    yield HEAD, False


BORDER = sum(depth * 2**block for block, (_, depth) in enumerate(BLOCKS[:-1]))
"""By how many pixels of the input the cells that a pixel changes lie beyond it."""

MARGIN = 9
"""Zeros around what is kept of each layer: no window looks further."""


def reach(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which cells a change changes.

    Args:
        low: (..., 2) first row and column of the change, in pixels of the input.
        high: (..., 2) the row and column behind its last.

    Returns:
        The first cell (..., 2), which may lie outside the image, and how many cells (...) the longer side has.
    """
    first = (low - BORDER) // CELL
    return first, (-((-high - BORDER) // CELL) - first).max(axis=-1)


def side(cells: int) -> int:
    """Returns the pixels along the edge of the input that a window of so many cells renews; at most 0: none."""
    return CELL * cells - 2 * BORDER


def corner(first: Any) -> Any:
    """Returns row and column of the input where a window begins that begins with cell `first` (..., 2)."""
    return CELL * first + BORDER


def keep(output: Output, images: jax.Array) -> dict[str, jax.Array]:
    """Returns what windows need of a whole pass: by layer its input (B, h + 2 MARGIN, w + 2 MARGIN, C).

    Args:
        output: of the 1-GAP network.
        images: (B, H, W, 3), its input.
    """
    kept, x = {}, images.astype(output.maps[0].dtype)
    for name, pooled in layers():
        if pooled:
            x = max_pool(x)
        kept[name] = with_margin(x)
        x = output.activations[name]
    return kept


def with_margin(x: jax.Array) -> jax.Array:
    """Returns a layer (B, h, w, C) with `MARGIN` zeros on each side."""
    return jnp.pad(x, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))


def recompute(
    params: Any, kept: dict[str, jax.Array], index: jax.Array, first: jax.Array, image: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Runs the network on one window; `jax.vmap` it for many.

    Args:
        params: of the 1-GAP network.
        kept: see `keep`, of B images.
        index: which of them is changed.
        first: (2,) int, the window's first cell; none of its pixels may be more than 3 cells outside the image.
        image: (side, side, 3), the new pixels, see `side` and `corner`; those outside the image don't count.

    Returns:
        The head's activations (m, m, F) where they may have changed, and the row and column where they lie.
    """
    x, at = image, corner(first)
    size = kept["conv1_1"].shape[1] - 2 * MARGIN
    x = _inside(x.astype(kept["conv1_1"].dtype), at, size)
    for name, pooled in layers():
        if pooled:
            x, at, size = max_pool(x[None])[0], at // 2, size // 2
        x, at = _convolve(params[name], _within(kept[name], index, at, x)), at - 1
        x = _inside(x, at, size)
    return x, at


def _within(kept: jax.Array, index: jax.Array, at: jax.Array, x: jax.Array) -> jax.Array:
    """Returns a window with the two pixels around it, of which the next layer sees one and computes the other."""
    width, channels = x.shape[0] + 4, x.shape[-1]
    start = (index, *(at - 2 + MARGIN), 0)
    around = lax.dynamic_slice(kept, start, (1, width, width, channels))[0]
    return around.at[2:-2, 2:-2].set(x)


def _convolve(layer: Any, x: jax.Array) -> jax.Array:
    if FACTOR in layer:
        x = scaled(x, layer[FACTOR])
    kernel, bias = layer["kernel"].astype(x.dtype), layer["bias"].astype(x.dtype)
    y = lax.conv_general_dilated(x[None], kernel, (1, 1), "VALID", dimension_numbers=LAYOUT)[0]
    return jax.nn.relu(y + bias)


def _inside(x: jax.Array, at: jax.Array, size: int) -> jax.Array:
    """Sets what lies outside the image to zero, as a convolution's padding is."""
    rows, columns = (start + jnp.arange(x.shape[0]) for start in at)
    inside = ((rows >= 0) & (rows < size))[:, None] & ((columns >= 0) & (columns < size))
    return jnp.where(inside[..., None], x, 0)
