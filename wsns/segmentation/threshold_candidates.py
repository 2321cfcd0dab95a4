"""Candidates without phases: thresholds of the HU and of the smoothed HU, each opened with discs of its own.

More outlines of one object than the phases give, at about twice the number.
"""

import itertools

import numpy as np
from scipy import ndimage

from wsns.ops.morphology import box, large_parts, opened
from wsns.segmentation.candidates import MIN_PIXELS, Candidates, largest, pieces

WINDOW = (-1000.0, 200.0)
SMOOTHED = (-800.0, (2.0,)), (-700.0, (1.5, 3.0))
PLAIN = tuple((level, (1.5, 3.0)) for level in (-700.0, -550.0, -350.0))
WITHOUT_HULL = ((-550.0, (5.0,)),)
"""Levels in HU with the radii in pixels of their openings, in the order in which they count."""
SIGMA = 1.0
REACH = 4
ALIKE = 0.9


def level_candidates(
    hu: np.ndarray,
    scope: np.ndarray,
    hull: np.ndarray,
    spacing: float,
    *,
    min_area: float = 4.0,
    limit: int = 16,
) -> Candidates:
    """Returns the candidates of a scope by thresholds.

    Every 8-connected piece of an opened threshold set, grown by one pixel (4-neighbours), is a candidate; one
    that overlaps an earlier one by an IoU of more than 0.9 is not. Inside scope and hull: the HU smoothed by a
    Gaussian of 1 pixel (clipped to the window, pixels outside the hull left out) and the HU themselves; in the
    whole scope: the densest cores, for nodules that the hull cuts.

    Args:
        hu: (S, S) in HU.
        scope: (S, S) bool, where to look.
        hull: (S, S) bool, the lungs closed with 20 mm, see `wsns.data.lungs.hull`.
        spacing: mm per pixel.
        min_area: mm2 of a piece before it is grown; it has at least 3 pixels in any case.
        limit: most candidates; the largest stay.
    """
    if not scope.any():
        return Candidates(np.zeros((0, *scope.shape), bool), 0)
    near = box(scope, REACH + 1)
    smoothed = smooth_inside(hu[near], hull[near])
    inside = scope[near] & hull[near]
    smallest = max(MIN_PIXELS, min_area / spacing**2)
    sets = itertools.chain(
        (((smoothed >= level) & inside, radii) for level, radii in SMOOTHED),
        (((hu[near] >= level) & inside, radii) for level, radii in PLAIN),
        (((hu[near] >= level) & scope[near], radii) for level, radii in WITHOUT_HULL),
    )
    found: list[np.ndarray] = []
    for dense, radii in sets:
        parts = large_parts(dense, smallest)
        for radius in radii:
            for piece in pieces(opened(parts, radius), smallest):
                if not any(overlap(piece, other) > ALIKE for other in found):
                    found.append(piece)
    return largest(found, near, scope.shape, limit)


def smooth_inside(hu: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Returns HU (Y, X) clipped to the window after a Gaussian over the pixels `inside` only, float64.

    Far from these it is the window's lower end.
    """
    # Relative to that end, so that the pixels left out count nothing above and below the line.
    above = np.clip(hu.astype(float), *WINDOW) - WINDOW[0]
    weight = _gaussian(inside.astype(float))
    blurred = _gaussian(np.where(inside, above, 0.0))
    return WINDOW[0] + np.divide(blurred, weight, out=np.zeros_like(weight), where=weight > 0)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Returns |A ∩ B| / |A ∪ B| of two masks (S, S) that aren't both empty."""
    return int((a & b).sum()) / int((a | b).sum())


def _gaussian(image: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(image, SIGMA, mode="constant", truncate=REACH / SIGMA)
