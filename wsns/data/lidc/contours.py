"""From the lines that a reader drew to a mask, equal to `boolean_mask` of pylidc 0.2.3.

Index order is (k, i, j): slice by ascending z, row, column.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
from matplotlib.path import Path as Polygon

CONTOURS = ("outside", "inside")


@dataclasses.dataclass(frozen=True, eq=False)
class Contour:
    """One closed line of one reader in slice `k`; `points` is (P, 2) int, rows of (i, j) in pixels."""

    k: int
    inclusion: bool
    points: np.ndarray


def rasterise(
    contours: Iterable[Contour],
    origin: tuple[int, int, int],
    shape: tuple[int, ...],
    contour: str = CONTOURS[0],
) -> np.ndarray:
    """Returns one reader's mask of a nodule in a box.

    Args:
        contours: the reader's lines.
        origin: (k, i, j) of the box, which must hold all their points.
        shape: (K, I, J) of the box.
        contour: 'outside': the pixels of a line lie outside the nodule, and exclusion lines subtract; 'inside':
            the pixels of a line belong to it, and exclusion lines are left out.

    Returns:
        (K, I, J) bool.
    """
    mask = np.zeros(shape, bool)
    for line in sorted(contours, key=lambda line: not line.inclusion):
        if contour == "inside" and not line.inclusion:
            continue
        low, high = line.points.min(axis=0), line.points.max(axis=0) + 1
        rows, columns = (slice(a, b) for a, b in zip(low - origin[1:], high - origin[1:]))
        layer = mask[line.k - origin[0], rows, columns]
        layer[_inside(line.points - low, layer.shape)] = line.inclusion
        layer[tuple((line.points - low).T)] = contour == "inside"
    return mask


def _inside(line: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns which pixels (I, J) bool lie inside a closed line (P, 2), by Matplotlib's rule, as pylidc's masks."""
    closed = line if (line[0] == line[-1]).all() else np.vstack([line, line[:1]])
    pixels = np.indices(shape).reshape(2, -1).T
    return Polygon(closed, closed=True).contains_points(pixels).reshape(shape)
