"""A slice as a scanner stores it, for the tests of what befalls it."""

import numpy as np

SIDE = 64
OUTSIDE = np.hypot(*(np.indices((SIDE, SIDE)) - (SIDE - 1) / 2)) > SIDE / 2


def stored(k):
    """A body in air, as a scanner with padding of -2000 outside its circle stores it."""
    numbers = np.random.default_rng(k)
    i, j = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    hu = np.where(np.hypot(i / 26, j / 30) < 1, 40, -1000) + numbers.normal(0, 12, (SIDE, SIDE))
    lung = np.hypot(i / 14, (np.abs(j) - 13) / 9) < 1
    return np.where(OUTSIDE, -2000, np.where(lung, hu - 880, hu) + 1024).astype(np.int16)
