"""R-NAM screening (Eq. 4): which candidate's removal changes the nodule activation map most?

The reference path: every masked copy goes through the whole network, all copies in one jitted call.
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
from wsns.segmentation.batches import blocks, padded, padded_size
from wsns.segmentation.nam import NamFunction

WINDOW_FLOOR = -1000.0
"""HU that the network's input window maps to 0."""

AROUND = 12
"""Pixels around a candidate's box within which its parenchyma is looked for."""


BATCH = 32
"""Masked copies per call of the network, at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Masking:
    """One masked copy to be made: `mask` (S, S) bool of slice `index` is filled with `value` HU.

    `scope` is (S, S) bool, C1, where the change counts.
    """

    index: int
    mask: np.ndarray
    value: float
    scope: np.ndarray


def masked_copy(hu: jax.Array, candidate: jax.Array, value: jax.Array) -> jax.Array:
    """Returns the slice (S, S) in HU, the candidate, grown by a pixel (4-neighbours), filled with `value`."""
    up, down = jnp.pad(candidate[1:], ((0, 1), (0, 0))), jnp.pad(candidate[:-1], ((1, 0), (0, 0)))
    left, right = jnp.pad(candidate[:, 1:], ((0, 0), (0, 1))), jnp.pad(candidate[:, :-1], ((0, 0), (1, 0)))
    return jnp.where(candidate | up | down | left | right, value, hu)


@functools.partial(jax.jit, static_argnums=0)
def changes(
    nam_fn: NamFunction,
    params: Any,
    hu: jax.Array,
    nam: jax.Array,
    candidates: jax.Array,
    values: jax.Array,
    scopes: jax.Array,
) -> jax.Array:
    """Scores P masked copies: the squared change of the NAM, summed in the scope (Eq. 4).

    The copies may come from one slice or from many: each has its own row in every argument.

    Args:
        nam_fn: the network and its NAM, see `wsns.segmentation.nam.nam_function`.
        params: the network's parameters.
        hu: (P, S, S) in HU, the slice of each copy.
        nam: (P, S, S), the NAM of that slice.
        candidates: (P, S, S) bool, what is masked out.
        values: (P,) in HU, what it is filled with.
        scopes: (P, S, S) bool, where the change counts.

    Returns:
        (P,) float32.
    """

    def change(
        image: jax.Array, original: jax.Array, candidate: jax.Array, value: jax.Array, scope: jax.Array
    ) -> jax.Array:
        residual = nam_fn(params, masked_copy(image, candidate, value)[None])[0] - original
        return jnp.sum(jnp.where(scope, residual**2, 0.0))

    return jax.vmap(change)(hu.astype(jnp.float32), nam, candidates, values, scopes)


def screen_many(
    nam_fn: NamFunction,
    params: Any,
    hu: np.ndarray,
    nams: np.ndarray,
    maskings: Sequence[Masking],
    batch: int = BATCH,
) -> np.ndarray:
    """Scores P masked copies of many slices by Eq. 4, in jitted calls of `batch` copies.

    Args:
        nam_fn: see `changes`.
        params: see `changes`.
        hu: (N, S, S) in HU.
        nams: (N, S, S), the NAM of each slice.
        maskings: P candidates to be masked.
        batch: most copies per call: a matter of memory.

    Returns:
        (P,) float32.
    """
    scores = [np.zeros(0, np.float32)]
    for block in blocks(len(maskings), batch):
        chosen = maskings[block]
        of = [m.index for m in chosen]
        values = np.array([m.value for m in chosen], np.float32)
        rows = (
            hu[of],
            nams[of],
            np.stack([m.mask for m in chosen]),
            values,
            np.stack([m.scope for m in chosen]),
        )
        size = padded_size(len(chosen), batch)
        scores.append(np.asarray(changes(nam_fn, params, *(padded(r, size) for r in rows)))[: len(chosen)])
    return np.concatenate(scores)


def screen(
    nam_fn: NamFunction,
    params: Any,
    hu: np.ndarray,
    nam: np.ndarray,
    candidates: np.ndarray,
    valid: np.ndarray,
    values: np.ndarray,
    scope: np.ndarray,
) -> np.ndarray:
    """Scores the candidates of one slice by Eq. 4; what isn't valid (padding) scores minus infinity.

    Args:
        nam_fn: see `changes`.
        params: see `changes`.
        hu: (S, S) in HU.
        nam: (S, S), the slice's NAM.
        candidates: (M, S, S) bool.
        valid: (M,) bool.
        values: (M,) in HU, see `fill_values`.
        scope: (S, S) bool, C1.

    Returns:
        (M,) float32.
    """
    rows = np.flatnonzero(valid)
    scores = np.full(len(valid), -np.inf, np.float32)
    maskings = [Masking(0, candidates[row], float(values[row]), scope) for row in rows]
    scores[rows] = screen_many(nam_fn, params, hu[None], nam[None], maskings)
    return scores


def fill_values(hu: np.ndarray, lungs: np.ndarray, candidates: np.ndarray, fill: str) -> np.ndarray:
    """Returns the HU (M,) that replaces each candidate in its masked copy.

    Args:
        hu: (S, S) in HU.
        lungs: (S, S), not 0 inside the lungs.
        candidates: (M, S, S) bool.
        fill: 'parenchyma' (median of the lung around the candidate; of all the slice's lung where none is
            near), 'floor' (the input window's floor) or 'mean' (the slice's mean).

    Raises:
        InputError: on any other `fill`.
    """
    if fill == "floor":
        return np.full(len(candidates), WINDOW_FLOOR, np.float32)
    if fill == "mean":
        return np.full(len(candidates), hu.mean(), np.float32)
    if fill != "parenchyma":
        raise InputError(f"fill is {fill!r}: use 'parenchyma', 'floor' or 'mean'")
    return np.array([_parenchyma(hu, lungs > 0, candidate) for candidate in candidates], np.float32)


def _parenchyma(hu: np.ndarray, lungs: np.ndarray, candidate: np.ndarray) -> float:
    box = ndimage.find_objects(candidate.astype(np.uint8))[0]
    near = tuple(slice(max(side.start - AROUND, 0), side.stop + AROUND) for side in box)
    around = lungs[near] & ~ndimage.binary_dilation(candidate[near])
    if around.any():
        return float(np.median(hu[near][around]))
    return float(np.median(hu[lungs])) if lungs.any() else WINDOW_FLOOR


def compactness(mask: np.ndarray) -> float:
    """Returns how compact a mask is: 1 for an ellipse, less the more ragged.

    Area / (4 pi sqrt(l1 l2)), l the eigenvalues of the pixels' covariance + 1/12 (a pixel's own extent).
    """
    pixels = np.argwhere(mask)
    spread = np.cov(pixels.T, bias=True) + np.eye(2) / 12
    return float(len(pixels) / (4 * np.pi * np.sqrt(np.linalg.det(spread))))


def same_object(candidates: np.ndarray, index: int) -> np.ndarray:
    """Returns which candidates (M,) share at least half of the smaller one's area with candidate `index`."""
    flat = candidates.reshape(len(candidates), -1)
    area = flat.sum(axis=1)
    common = (flat & flat[index]).sum(axis=1)
    return 2 * common >= np.minimum(area, area[index])


def choose(scores: np.ndarray, candidates: np.ndarray, outline: str = "compact") -> int | None:
    """Picks the object by Eq. 4, then its outline.

    Args:
        scores: (M,), minus infinity where not valid.
        candidates: (M, S, S) bool.
        outline: 'compact' (of the candidates of the winning object the most compact, ties to the larger one)
            or 'eq4' (the winner itself).

    Returns:
        The index, or None where there is no valid candidate.

    Raises:
        InputError: on any other `outline`.
    """
    if outline not in ("compact", "eq4"):
        raise InputError(f"outline is {outline!r}: use 'compact' or 'eq4'")
    if not np.isfinite(scores).any():
        return None
    winner = int(np.argmax(scores))
    if outline == "eq4":
        return winner
    rivals = np.flatnonzero(same_object(candidates, winner) & np.isfinite(scores))
    return int(max(rivals, key=lambda r: (compactness(candidates[r]), candidates[r].sum())))
