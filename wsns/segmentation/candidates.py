"""Candidates: pieces of the slice's phases inside a scope, each of which may be the nodule.

Opened with two discs, so that vessels and the pleura come off; nested outlines of one object are meant.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsns.ops.morphology import EIGHT, box, large_parts, opened

MIN_PIXELS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """`masks` is (M, S, S) bool, the largest first; `cut` says how many smaller ones were left out."""

    masks: np.ndarray
    cut: int


def candidates(
    labels: np.ndarray,
    scope: np.ndarray,
    hull: np.ndarray,
    spacing: float,
    *,
    openings: tuple[float, ...] = (1.5, 3.0),
    min_area: float = 4.0,
    limit: int = 32,
) -> Candidates:
    """Returns the candidates of a scope.

    For each phase from 1 up, the pixels of this phase or a denser one inside scope and hull are opened with
    each disc; every 8-connected piece, grown by one pixel (4-neighbours: readers draw outside the edge), is a
    candidate. Equal ones count once.

    Args:
        labels: (S, S) int, phases by ascending density, see `wsns.segmentation.icm`.
        scope: (S, S) bool, where to look.
        hull: (S, S) bool, see `wsns.data.lungs.hull`.
        spacing: mm per pixel.
        openings: radii of the discs in pixels.
        min_area: mm2 of a piece before it is grown; it has at least 3 pixels in any case.
        limit: most candidates; the largest stay.
    """
    inside = scope & hull
    if not inside.any():
        return Candidates(np.zeros((0, *scope.shape), bool), 0)
    near = box(inside, 1)
    smallest = max(MIN_PIXELS, min_area / spacing**2)
    found: dict[bytes, np.ndarray] = {}
    for phase in range(1, int(labels[inside].max()) + 1):
        dense = large_parts((labels[near] >= phase) & inside[near], smallest)
        # A disc is 8-connected: opened together, components give what each gives alone.
        for radius in openings:
            for piece in pieces(opened(dense, radius), smallest):
                found.setdefault(np.packbits(piece).tobytes(), piece)
    return largest(list(found.values()), near, scope.shape, limit)


def largest(
    found: Sequence[np.ndarray], near: tuple[slice, ...], shape: tuple[int, ...], limit: int
) -> Candidates:
    """Returns the `limit` largest of masks (h, w) of the box `near`, in a slice of `shape`; ties keep their order."""
    ordered = sorted(found, key=lambda piece: -int(piece.sum()))
    masks = np.zeros((min(len(ordered), limit), *shape), bool)
    for mask, piece in zip(masks, ordered, strict=False):
        mask[near] = piece
    return Candidates(masks, max(len(ordered) - limit, 0))


def pieces(mask: np.ndarray, smallest: float) -> list[np.ndarray]:
    """Returns the 8-connected parts (H, W) of at least `smallest` pixels, each grown by one pixel."""
    parts, _ = ndimage.label(mask, EIGHT)
    found = []
    for part, place in enumerate(ndimage.find_objects(parts), start=1):
        near = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in place)
        inside = parts[near] == part
        if inside.sum() >= smallest:
            piece = np.zeros(mask.shape, bool)
            piece[near] = ndimage.binary_dilation(inside)
            found.append(piece)
    return found
