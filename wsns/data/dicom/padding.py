"""Pixels that are no image: what the header says of them, and what lies in a slice's corners all the same."""

import numpy as np
from scipy import ndimage

from wsns.data.dicom.header import SliceFile
from wsns.data.volume import AIR_HU

NEAR_AIR_HU = -900  # what is named as padding below is as good as air
MAX_12_BITS_HU = 3071  # up to here metal saturates: a named value may be an image's as well
NAMED_BLOCK, UNNAMED_BLOCK = 3, 8  # pixels; noise leaves no block of one value, not even in saturated air


def beyond_tissue(file: SliceFile) -> tuple[float, float] | None:
    """Returns the HU (least, greatest) that the header names as padding and no 12-bit scanner gives to tissue."""
    low, high = named(file)
    if not high > MAX_12_BITS_HU:
        return None
    low = low if low > MAX_12_BITS_HU else high  # a range over tissue says nothing of what lies within it
    margin = abs(file.slope) / 4
    return low - margin, high + margin


def unrepresentable(file: SliceFile) -> tuple[int, ...]:
    """Returns the padding's values that the bits in use cannot hold: words to be found before the others are cut."""
    signed = file.stored == "<i2"
    least, most = (-(1 << (file.bits - 1)), 1 << (file.bits - 1)) if signed else (0, 1 << file.bits)
    return tuple(value for value in file.padding if not least <= value < most)


def named(file: SliceFile) -> tuple[float, float]:
    """Returns the header's padding in HU, (least, greatest); NaN where it names none."""
    if not file.padding:
        return np.nan, np.nan
    low, high = sorted(value * file.slope + file.intercept for value in file.padding)
    return low, high


def fill(hu: np.ndarray, file: SliceFile) -> int | None:
    """Makes a slice's padding air, in place.

    Padding is what lies at the edge as an area of one single value: one that the header names, or any that fills a
    corner. A named value amid the image stays: it may be metal's, or soft tissue's.

    Args:
        hu: (Y, X) int16.
        file: its header.

    Returns:
        The HU of padding that the header does not name, None if there was none.
    """
    edge = np.concatenate([hu[0], hu[-1], hu[:, 0], hu[:, -1]])
    if edge.max() <= NEAR_AIR_HU:
        return None
    low, high = named(file)
    corners = {int(hu[y, x]) for y in (0, -1) for x in (0, -1)} - {AIR_HU}
    told = {v for v in corners if low - 0.5 <= v <= high + 0.5}
    if file.padding:
        told |= {round(v) for v in (low, high) if v in edge}
    for value in told:
        if value > NEAR_AIR_HU:
            _clear(hu, value, NAMED_BLOCK)
    found = None
    for value in corners - told:
        if value > NEAR_AIR_HU and _fills_a_corner(hu, value):
            _clear(hu, value, UNNAMED_BLOCK)
            found = value
    return found


def _fills_a_corner(hu: np.ndarray, value: int) -> bool:
    n = UNNAMED_BLOCK
    blocks = (hu[:n, :n], hu[:n, -n:], hu[-n:, :n], hu[-n:, -n:])
    return min(hu.shape) > n and any((block == value).all() for block in blocks)


def _clear(hu: np.ndarray, value: int, block: int) -> None:
    """Makes areas of a value air that reach the edge and hold a square block, or a corner if the block is small."""
    labels, number = ndimage.label(hu == value)
    at_edge = np.zeros(number + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_edge[edge] = True
    solid = np.zeros(number + 1, bool)
    solid[labels[ndimage.binary_erosion(labels > 0, np.ones((block, block)))]] = True
    if block == NAMED_BLOCK:
        solid[labels[[0, 0, -1, -1], [0, -1, 0, -1]]] = True
    chosen = at_edge & solid
    chosen[0] = False
    hu[chosen[labels]] = AIR_HU
