"""Binary morphology: discs by distance, parts by size, single steps in any number of dimensions."""

import numpy as np
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)
FAR = np.int32(1 << 20)  # farther than any pixel
FOUR = ndimage.generate_binary_structure(2, 1)


def dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """Returns the mask (Y, X) grown by a disc: all pixels within `radius` pixels of one of it."""
    along = _row_distance(mask)
    result = along <= radius
    for offset in range(1, min(int(radius), len(mask) - 1) + 1):
        near = along <= np.sqrt(radius**2 - offset**2)
        result[offset:] |= near[:-offset]
        result[:-offset] |= near[offset:]
    return result


def eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    """Returns the pixels of a mask (H, W) around which a disc of `radius` pixels fits into it, and into the array."""
    return ~dilated(np.pad(~mask, 1, constant_values=True), radius)[1:-1, 1:-1]


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Returns the union (H, W) of all discs of `radius` pixels that fit into the mask."""
    return dilated(eroded(mask, radius), radius)


def filled(mask: np.ndarray) -> np.ndarray:
    """Returns the mask (Y, X) with its holes, which are what no path of 4-neighbours leads out of."""
    around, _ = ndimage.label(~np.pad(mask, 1))
    return (around != around[0, 0])[1:-1, 1:-1]


def large_parts(mask: np.ndarray, smallest: float, neighbours: np.ndarray = EIGHT) -> np.ndarray:
    """Returns the mask (H, W) without parts of fewer than `smallest` pixels."""
    parts, _ = ndimage.label(mask, neighbours)
    large = np.bincount(parts.ravel()) >= smallest
    large[0] = False
    return large[parts]


def grown(mask: np.ndarray) -> np.ndarray:
    """Returns the mask (..., H, W) with all neighbours, face to face, in any number of dimensions."""
    result = mask.copy()
    for axis in range(mask.ndim):
        old, new = mask.swapaxes(0, axis), result.swapaxes(0, axis)
        new[1:] |= old[:-1]
        new[:-1] |= old[1:]
    return result


def shrunk(mask: np.ndarray) -> np.ndarray:
    """Returns the mask (..., H, W) without what touches its outside, face to face; the edges count as outside."""
    result = mask.copy()
    for axis in range(mask.ndim):
        old, new = mask.swapaxes(0, axis), result.swapaxes(0, axis)
        new[1:] &= old[:-1]
        new[:-1] &= old[1:]
        new[0] = new[-1] = False
    return result


def box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...]:
    """Returns the bounding box of a mask (..., H, W), with a margin as far as there is room; all of an empty one."""
    sides = []
    for axis, length in enumerate(mask.shape):
        along = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        low, high = (int(along[0]), int(along[-1]) + 1) if len(along) else (0, length)
        sides.append(slice(max(low - margin, 0), min(high + margin, length)))
    return tuple(sides)


def _row_distance(mask: np.ndarray) -> np.ndarray:
    """Returns the distance in pixels to the nearest pixel of the mask in the same row."""
    columns = np.arange(mask.shape[1], dtype=np.int32)
    left = np.maximum.accumulate(np.where(mask, columns, -FAR), axis=1)
    right = np.minimum.accumulate(np.where(mask, columns, FAR)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(columns - left, right - columns)
