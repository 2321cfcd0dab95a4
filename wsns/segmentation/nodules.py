"""From slices to nodules: results of slices that follow each other, joined in 3-D, scored and numbered."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

AROUND = np.ones((3, 3, 3), bool)


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """What was found in a slice: `mask` (h, w) bool with its corner at `corner` (row, column) of slice `k`; `scores`:
    by name, how much it looks like a nodule.
    """

    k: int
    corner: tuple[int, int]
    mask: np.ndarray
    scores: Mapping[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Nodules:
    """The nodules of a scan, the likeliest first.

    `labels`: (Z, Y, X) uint16, 0 or a nodule's number from 1; `scores`: for each nodule by name, the highest of its
    pieces.
    """

    labels: np.ndarray
    scores: tuple[Mapping[str, float], ...]


def join(
    pieces: Sequence[Piece],
    shape: tuple[int, int, int],
    *,
    ranks: str,
    step: float,
    pixel: float,
    least: float = -math.inf,
    smallest: float = 0.0,
) -> Nodules:
    """Joins what was found in a scan's slices to nodules.

    Voxels that touch, by a corner at least, are one nodule; pieces of one slice may overlap. Where a slice between two
    has nothing near what both have in common, it is bridged: it gets what they have in common. A nodule counts if its
    highest score reaches `least` (hysteresis: its other slices need only have been found) and if it is large enough.

    Args:
        pieces: in any order; what lies outside the scan is cut off.
        shape: of the scan (Z, Y, X).
        ranks: which of the scores ranks and counts.
        step: mm between slices.
        pixel: mm.
        least: score from which on a nodule counts.
        smallest: mm, of the diameter of a ball of the nodule's volume.
    """
    results = np.zeros(shape, bool)
    places = [_place(piece, shape) for piece in pieces]
    for (where, mask), piece in zip(places, pieces, strict=True):
        results[piece.k][where] |= mask
    parts, count = ndimage.label(bridged(results), AROUND)
    volumes = np.bincount(parts.ravel(), minlength=count + 1) * step * pixel**2
    best: dict[int, dict[str, float]] = {}
    for (where, mask), piece in zip(places, pieces, strict=True):
        for number in np.unique(parts[piece.k][where][mask]):
            own = best.setdefault(int(number), dict(piece.scores))
            own.update({name: max(own[name], value) for name, value in piece.scores.items()})
    kept = [n for n, own in best.items() if own[ranks] >= least and volumes[n] >= math.pi / 6 * smallest**3]
    kept.sort(key=lambda n: (-best[n][ranks], n))
    renamed = np.zeros(count + 1, np.uint16)
    renamed[kept] = np.arange(1, len(kept) + 1)
    return Nodules(renamed[parts], tuple(best[n] for n in kept))


def _place(piece: Piece, shape: tuple[int, int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Returns where a piece lies in its slice, and its mask, without what lies outside."""
    low = np.maximum(piece.corner, 0)
    high = np.maximum(np.minimum(np.add(piece.corner, piece.mask.shape), shape[1:]), low)
    inside = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, piece.corner, strict=True))
    return (slice(low[0], high[0]), slice(low[1], high[1])), piece.mask[inside]


def bridged(results: np.ndarray) -> np.ndarray:
    """Returns results (Z, Y, X) bool in which a single empty slice between two has what these share.

    It counts as empty there if it has nothing that touches what they share.
    """
    filled = results.copy()
    for k in range(1, len(results) - 1):
        shared = results[k - 1] & results[k + 1]
        if not shared.any():
            continue
        parts = ndimage.label(shared | results[k], AROUND[0])[0]
        known = np.unique(parts[results[k]])
        filled[k] |= shared & ~np.isin(parts, known)
    return filled
