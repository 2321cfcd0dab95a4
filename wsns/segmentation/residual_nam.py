"""R-NAM screening (Eq. 4): which candidate's removal changes the nodule activation map most?

The reference: every masked copy goes through the whole network.
`wsns.segmentation.residual_nam_windows` gives the same scores in less time.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from wsns.errors import InputError
from wsns.ops.morphology import box
from wsns.segmentation.batches import blocks, chunk_size, in_chunks, padded
from wsns.segmentation.nam import ReadFunction, Reading

FLOOR = -32768.0
"""HU below any window: the network sees the floor of its own."""

AROUND = 12
"""Pixels around a candidate's box within which its parenchyma is looked for."""

CAPACITY = 32
"""Masked copies per jitted call, rounded up to whole chunks: their arrays' shapes never change."""


@dataclasses.dataclass(frozen=True, eq=False)
class Masking:
    """One masked copy to be made: `mask` (S, S) bool of slice `index` is filled with `value` HU.

    `scope` is (S, S) bool, C1, where the change counts.
    """

    index: int
    mask: np.ndarray
    value: float
    scope: np.ndarray


def masked_copy(hu: Any, candidate: Any, value: Any) -> jax.Array:
    """Returns the slice in HU, the candidate (S, S), grown by a pixel (4-neighbours), filled with `value`.

    Of a slice with those below and above it, (3, S, S), all three are filled: an object that is absent is absent from
    its neighbours too, as far as it reaches under the same pixels. Left there, it would still be seen.
    """
    up, down = jnp.pad(candidate[1:], ((0, 1), (0, 0))), jnp.pad(candidate[:-1], ((1, 0), (0, 0)))
    left, right = jnp.pad(candidate[:, 1:], ((0, 0), (0, 1))), jnp.pad(candidate[:, :-1], ((0, 0), (1, 0)))
    return jnp.where(candidate | up | down | left | right, value, hu)


def squared_change(changed: jax.Array, nam: jax.Array, scope: jax.Array) -> jax.Array:
    """Returns Eq. 4 of one masked copy: the squared change of the NAM (S, S), summed in the scope (S, S)."""
    return jnp.sum(jnp.where(scope, (changed - nam) ** 2, 0.0))


@functools.partial(jax.jit, static_argnums=(0, 1))
def changes(
    read: ReadFunction,
    chunk: int,
    params: Any,
    hu: jax.Array,
    nam: jax.Array,
    rows: tuple[jax.Array, jax.Array, jax.Array, jax.Array],
    count: jax.Array,
) -> jax.Array:
    """Scores P masked copies, which may come from one slice or from many, by Eq. 4.

    Args:
        read: the network, see `wsns.segmentation.nam.read_function`.
        chunk: copies that go through the network at once; P is a multiple of it.
        params: the network's parameters.
        hu: (N, S, S) or (N, 3, S, S) in HU.
        nam: (N, S, S), their NAMs.
        rows: of each copy, which slice it comes from (P,), the mask (P, S, S) bool, the HU (P,) that fill it, and
            the scope (P, S, S) bool, where the change counts.
        count: how many copies there are; the rest of P is padding.

    Returns:
        (P,) float32.
    """

    def change(index: jax.Array, mask: jax.Array, value: jax.Array, scope: jax.Array) -> jax.Array:
        masked = masked_copy(hu[index].astype(jnp.float32), mask, value)
        return squared_change(read(params, masked[None]).nam[0], nam[index], scope)

    return in_chunks(change, rows, count, chunk)


def screen(
    read: ReadFunction,
    params: Any,
    hu: np.ndarray,
    reading: Reading,
    maskings: Sequence[Masking],
    *,
    chunk: int = 0,
) -> np.ndarray:
    """Scores masked copies of slices by Eq. 4.

    Args:
        read: see `changes`.
        params: see `changes`.
        hu: (N, S, S) or (N, 3, S, S) in HU.
        reading: of the N slices, and of padding behind them.
        maskings: P candidates to be masked.
        chunk: copies that go through the network at once, a matter of memory; 0 takes what suits the device.

    Returns:
        (P,) float32.
    """
    scores, chunk = np.zeros(len(maskings), np.float32), chunk_size(chunk)
    size = capacity(chunk)
    slices = padded(hu, len(reading.nam))
    for block in blocks(len(maskings), size):
        chosen = maskings[block]
        rows = (
            np.array([m.index for m in chosen], np.int32),
            np.stack([m.mask for m in chosen]),
            np.array([m.value for m in chosen], np.float32),
            np.stack([m.scope for m in chosen]),
        )
        filled = tuple(padded(row, size) for row in rows)
        found = changes(read, chunk, params, slices, reading.nam, filled, len(chosen))
        scores[block] = found[: len(chosen)]
    return scores


def capacity(chunk: int) -> int:
    """Returns how many copies a jitted call takes: whole chunks, about `CAPACITY`."""
    return -(-CAPACITY // chunk) * chunk


def fill_values(hu: np.ndarray, lungs: np.ndarray, candidates: np.ndarray, fill: str) -> np.ndarray:
    """Returns the HU (M,) that replaces each candidate in its masked copy.

    Args:
        hu: (S, S) in HU.
        lungs: (S, S), not 0 inside the lungs.
        candidates: (M, S, S) bool.
        fill: 'parenchyma' (median of the lung around the candidate; of all the slice's lung where none is
            near), 'floor' (the input window's floor) or 'mean' (the slice's mean, in whole HU).

    Raises:
        InputError: on any other `fill`.
    """
    if fill == "floor":
        return np.full(len(candidates), FLOOR, np.float32)
    if fill == "mean":
        return np.full(len(candidates), np.rint(hu.mean()), np.float32)
    if fill != "parenchyma":
        raise InputError(f"fill is {fill!r}: use 'parenchyma', 'floor' or 'mean'")
    return np.array([_parenchyma(hu, lungs > 0, candidate) for candidate in candidates], np.float32)


def _parenchyma(hu: np.ndarray, lungs: np.ndarray, candidate: np.ndarray) -> float:
    near = box(candidate, AROUND)
    around = lungs[near] & ~ndimage.binary_dilation(candidate[near])
    if around.any():
        return float(np.median(hu[near][around]))
    return float(np.median(hu[lungs])) if lungs.any() else FLOOR
