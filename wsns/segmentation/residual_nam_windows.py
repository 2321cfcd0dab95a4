"""R-NAM screening by windows: only what a candidate's removal can reach goes through the network again.

The scores are those of `wsns.segmentation.residual_nam`, to the bit where the convolutions are.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax

from wsns.models import windows
from wsns.models.vgg_gap import Output
from wsns.ops.morphology import box
from wsns.segmentation import nam as nams
from wsns.segmentation import residual_nam
from wsns.segmentation.batches import blocks, chunk_size, in_chunks, padded
from wsns.segmentation.nam import ReadFunction, Reading, nodule_weights
from wsns.segmentation.residual_nam import Masking, masked_copy, squared_change

CELLS = (7, 8, 10, 14)
"""Sizes of windows: 28, 44, 76 and 140 pixels of the input, at most, are masked out. Each is compiled once."""


class Kept(NamedTuple):
    """What is kept of a pass: `inputs` of the convolutions and the head's `maps`, see `wsns.models.windows`."""

    inputs: dict[str, jax.Array]
    maps: jax.Array


def keep(output: Output, images: jax.Array) -> Kept:
    """Keeps of a pass of the 1-GAP network over images (B, H, W, 3) what `screen` needs; see `nam.read_function`."""
    return Kept(windows.keep(output, images), windows.with_margin(output.maps[0]))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def changes(
    prepare: Callable[..., jax.Array],
    contrast: str,
    chunk: int,
    params: Any,
    kept: Kept,
    nam: jax.Array,
    rows: tuple[jax.Array, ...],
    count: jax.Array,
) -> jax.Array:
    """Scores P masked copies by Eq. 4.

    Args:
        prepare: `prepare(hu (1, W, W), size=w)`, HU to the network's input; or of (1, 3, W, W).
        contrast: see `wsns.segmentation.nam.nodule_weights`.
        chunk: copies at once; P is a multiple of it.
        params: the 1-GAP network's parameters.
        kept: of N slices.
        nam: (N, S, S), their NAMs.
        rows: of each copy, which slice it comes from (P,), its window's first cell (P, 2), what lies there of the
            slice (P, W, W) or (P, 3, W, W) in HU and of the mask (P, W, W) bool, the HU (P,) that fill it, and the
            scope (P, S, S) bool, where the change counts.
        count: how many copies there are; the rest of P is padding.

    Returns:
        (P,) float32.
    """
    weights = nodule_weights(params["classifier"]["kernel"], contrast)
    factor = nam.shape[1] // _side(kept)

    def change(
        index: jax.Array, first: jax.Array, hu: jax.Array, mask: jax.Array, value: jax.Array, scope: jax.Array
    ) -> jax.Array:
        image = prepare(masked_copy(hu, mask, value)[None], size=hu.shape[-1] // factor)[0]
        activations, at = windows.recompute(params, kept.inputs, index, first, image)
        around = lax.dynamic_update_slice(kept.maps[index], activations, (*(at + windows.MARGIN), 0))
        maps = around[windows.MARGIN : -windows.MARGIN, windows.MARGIN : -windows.MARGIN]
        changed = nams.nam((maps[None],), weights, nam.shape[1])
        return squared_change(changed[0], nam[index], scope)

    return in_chunks(change, rows, count, chunk)


def screen(
    read: ReadFunction,
    prepare: Callable[..., jax.Array],
    params: Any,
    hu: np.ndarray,
    reading: Reading,
    maskings: Sequence[Masking],
    *,
    contrast: str = "difference",
    chunk: int = 0,
) -> np.ndarray:
    """Scores masked copies of slices by Eq. 4; those that no window holds go through the whole network.

    Args:
        read: the 1-GAP network, see `wsns.segmentation.nam.read_function`.
        prepare: see `changes`.
        params: the network's parameters.
        hu: (N, S, S) or (N, 3, S, S) in HU.
        reading: of the N slices, and of padding behind them, with `keep`.
        maskings: P candidates to be masked.
        contrast: see `changes`.
        chunk: copies at once, a matter of memory; 0 takes what suits the device.

    Returns:
        (P,) float32.
    """
    chunk = chunk_size(chunk)
    factor = hu.shape[-1] // _side(reading.kept)
    first, cells = place(maskings, hu.shape[-1], factor)
    scores = np.zeros(len(maskings), np.float32)
    size = residual_nam.capacity(chunk)
    for wanted in np.unique(cells):
        own = np.flatnonzero(cells == wanted).tolist()
        if not wanted:
            scores[own] = residual_nam.screen(
                read, params, hu, reading, [maskings[n] for n in own], chunk=chunk
            )
            continue
        for block in blocks(len(own), size):
            numbers = own[block]
            rows = (
                np.array([maskings[n].index for n in numbers], np.int32),
                first[numbers].astype(np.int32),
                np.stack([_within(hu[maskings[n].index], first[n], wanted, factor) for n in numbers]),
                np.stack([_within(maskings[n].mask, first[n], wanted, factor) for n in numbers]),
                np.array([maskings[n].value for n in numbers], np.float32),
                np.stack([maskings[n].scope for n in numbers]),
            )
            filled = tuple(padded(row, size) for row in rows)
            found = changes(prepare, contrast, chunk, params, reading.kept, reading.nam, filled, len(numbers))
            scores[numbers] = found[: len(numbers)]
    return scores


def place(maskings: Sequence[Masking], size: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds each masked copy's window.

    Args:
        maskings: P candidates.
        size: S, pixels along the slice's edge.
        factor: pixels of the slice per pixel of the network's input.

    Returns:
        The first cell (P, 2), and the window's cells (P,) of `CELLS`; 0 where none holds the masked pixels, or
        where the window were larger than the image.
    """
    # A candidate is grown by a pixel before it is filled.
    boxes = np.array([[(s.start, s.stop) for s in box(m.mask, 1)] for m in maskings]).reshape(-1, 2, 2)
    first, needed = windows.reach(boxes[..., 0] // factor, -(-boxes[..., 1] // factor))
    whole = size // factor // windows.CELL
    sizes = np.array([*(c for c in CELLS if c <= whole), 0])
    cells = sizes[np.searchsorted(sizes[:-1], needed)]
    # A larger window than needed stays as far inside the image as one that is not.
    return np.minimum(first, whole + 3 - cells[:, None]), cells


def _within(image: np.ndarray, first: np.ndarray, cells: int, factor: int) -> np.ndarray:
    """Returns what lies of an image (..., S, S) in a window, (..., W, W); outside the image it is 0."""
    width = factor * windows.side(cells)
    corner = factor * windows.corner(first)
    low, high = np.maximum(-corner, 0), np.minimum(image.shape[-2:] - corner, width)
    inside = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    there = tuple(slice(*ends) for ends in zip(corner + low, corner + high, strict=True))
    found = np.zeros((*image.shape[:-2], width, width), image.dtype)
    found[..., inside[0], inside[1]] = image[..., there[0], there[1]]
    return found


def _side(kept: Kept) -> int:
    """Returns the pixels along the edge of the network's input."""
    return kept.inputs["conv1_1"].shape[1] - 2 * windows.MARGIN
