"""Round masks."""

import numpy as np


def disc(row, column, radius, size=64):
    """All pixels of (size, size) within `radius` of a place."""
    y, x = np.mgrid[:size, :size]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def footprint(radius):
    """The disc as a structuring element."""
    reach = int(radius)
    return disc(reach, reach, radius, 2 * reach + 1)
