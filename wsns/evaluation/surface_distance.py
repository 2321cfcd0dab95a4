"""Distances between the outlines of two masks, in mm.

A mask's outline is its pixels that touch its outside face to face; the array's edges count as outside. Distances are
between pixel centres, in the slice's plane.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from wsns.ops.morphology import box, shrunk

TOLERANCE_MM = 1.0


@dataclasses.dataclass(frozen=True)
class Surfaces:
    """How far two outlines lie apart.

    `hd95_mm`: the 95th percentile of the distances from one outline to the other, of both directions the larger;
    `assd_mm`: the mean of the distances of both directions; `surface_dice`: the share of both outlines' pixels that
    lie within the tolerance of the other.
    """

    hd95_mm: float
    assd_mm: float
    surface_dice: float


def compare_surfaces(
    result: np.ndarray, reference: np.ndarray, spacing: float, tolerance: float = TOLERANCE_MM
) -> Surfaces | None:
    """Compares two masks (Y, X) bool; None where one is empty, as it has no outline to measure from.

    Args:
        result: one mask.
        reference: the other; exchanging them changes nothing.
        spacing: mm per pixel.
        tolerance: mm, of the surface Dice.
    """
    if not (result.any() and reference.any()):
        return None
    near = box(result | reference)
    outlines = [mask[near] & ~shrunk(np.pad(mask[near], 1))[1:-1, 1:-1] for mask in (result, reference)]
    one, other = (
        ndimage.distance_transform_edt(~there, sampling=spacing)[here]
        for here, there in (outlines, reversed(outlines))
    )
    return Surfaces(
        float(max(np.percentile(one, 95), np.percentile(other, 95))),
        float(np.concatenate([one, other]).mean()),
        float(np.concatenate([one <= tolerance, other <= tolerance]).mean()),
    )
