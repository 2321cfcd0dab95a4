"""Candidates: pieces of the slice's phases inside a scope, each of which may be the nodule.

Opened with two discs, so that vessels and the pleura come off; nested outlines of one object are meant.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsns.data.lungs.morphology import EIGHT, large_parts, opened

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
    box = box_around(inside, 1)
    smallest = max(MIN_PIXELS, min_area / spacing**2)
    found: dict[bytes, np.ndarray] = {}
    for phase in range(1, int(labels[inside].max()) + 1):
        dense = large_parts((labels[box] >= phase) & inside[box], smallest)
        # A disc is 8-connected: opened together, components give what each gives alone.
        for radius in openings:
            for piece in pieces(opened(dense, radius), smallest):
                found.setdefault(np.packbits(piece).tobytes(), piece)
    return largest(list(found.values()), box, scope.shape, limit)


def largest(
    found: Sequence[np.ndarray], box: tuple[slice, slice], shape: tuple[int, ...], limit: int
) -> Candidates:
    """Returns the `limit` largest of some masks of a box, put into the slice of `shape`; ties keep their order."""
    ordered = sorted(found, key=lambda piece: -int(piece.sum()))
    masks = np.zeros((min(len(ordered), limit), *shape), bool)
    for mask, piece in zip(masks, ordered, strict=False):
        mask[box] = piece
    return Candidates(masks, max(len(ordered) - limit, 0))


def pieces(mask: np.ndarray, smallest: float) -> list[np.ndarray]:
    """Returns the 8-connected parts of at least `smallest` pixels, each grown by one pixel."""
    parts, _ = ndimage.label(mask, EIGHT)
    found = []
    for part, box in enumerate(ndimage.find_objects(parts), start=1):
        near = _with_margin(box, 1, mask.shape)
        inside = parts[near] == part
        if inside.sum() >= smallest:
            piece = np.zeros(mask.shape, bool)
            piece[near] = ndimage.binary_dilation(inside)
            found.append(piece)
    return found


def box_around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Returns the box of what is in the mask, which isn't empty, with a margin as far as the slice reaches."""
    return _with_margin(ndimage.find_objects(mask.astype(np.uint8))[0], margin, mask.shape)


def _with_margin(box: tuple[slice, slice], margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    low = [max(side.start - margin, 0) for side in box]
    high = [min(side.stop + margin, length) for side, length in zip(box, shape, strict=True)]
    return slice(low[0], high[0]), slice(low[1], high[1])
