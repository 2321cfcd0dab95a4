"""The slices beside a slice: which of a scan they are, and how the three are stacked for a network."""

import numpy as np

_MM = 3
"""Decimals of a distance in mm that count: two that differ by rounding alone are the same."""


def nearest(z: np.ndarray, k: int, distance: float) -> tuple[int, int]:
    """Returns the slices nearest to `distance` mm below and above slice `k`; of two as near, the one farther from `k`.

    At the scan's ends, and where slices lie farther apart than that, it is the nearest there is: `k` itself, maybe.

    Args:
        z: (K,) mm, ascending.
        k: of which slice.
        distance: in mm, not negative.
    """
    below = np.abs(z - (z[k] - distance)).round(_MM)
    above = np.abs(z - (z[k] + distance)).round(_MM)
    return int(below.argmin()), len(z) - 1 - int(above[::-1].argmin())


def stacked(hu: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Returns slices (..., S, S) between those beside them (..., 2, S, S), as (..., 3, S, S): below, slice, above."""
    return np.stack([beside[..., 0, :, :], hu, beside[..., 1, :, :]], axis=-3)
