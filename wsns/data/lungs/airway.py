"""Trachea and main bronchi in a coarse chest CT."""

import numpy as np
from scipy import ndimage

from wsns.data.lungs.chest import Size, parts
from wsns.ops.morphology import box

MAX_AIRWAY_ML = 150
AIRWAY_BELOW = (-800, -850, -880, -900, -920, -940, -960, -980)  # HU
TRACHEA_BELOW = -750  # HU
TRACHEA_MM2 = (60.0, 900.0)
TRACHEA_RUN_MM = 20.0
NEAR_MM = 40.0  # largest width, depth and distance from the middle of a section of the trachea


def airway(low: np.ndarray, inside: np.ndarray, voxel: Size) -> np.ndarray:
    """Grows trachea and main bronchi from a seed, at the highest threshold that does not leak into a lung.

    After Mori et al. 1996.

    Args:
        low: (z, y, x) HU, feet first.
        inside: (z, y, x) bool, the air that the body encloses.
        voxel: their voxels' size in mm.

    Returns:
        (z, y, x) bool; empty where there is no trachea or it leaks at every threshold.
    """
    grown = np.zeros(low.shape, bool)
    seed = _trachea(low, inside, voxel)
    if seed is None:
        return grown
    part, where = inside, tuple(slice(0, length) for length in low.shape)
    for threshold in AIRWAY_BELOW:
        # What grows at this threshold lies inside what grew at the one before.
        labels, sizes = parts(part & (low[where] < threshold))
        own = labels[tuple(at - side.start for at, side in zip(seed, where))]
        if own == 0:
            return grown
        part = labels == own
        if sizes[own] * np.prod(voxel) <= MAX_AIRWAY_ML * 1000:
            grown[where] = part
            return grown
        near = box(part)
        part = part[near]
        where = tuple(slice(old.start + new.start, old.start + new.stop) for old, new in zip(where, near))
    return grown


def _trachea(low: np.ndarray, inside: np.ndarray, voxel: Size) -> tuple[int, int, int] | None:
    """Returns a voxel of the trachea: from the top, the first chain of roundish air near the midline."""
    run = max(2, round(TRACHEA_RUN_MM / voxel[0]))
    columns = np.flatnonzero(inside.any(axis=(0, 1)))
    if not len(columns):
        return None
    middle = (columns[0] + columns[-1]) / 2
    previous: list[tuple[np.ndarray, int]] = []
    for k in range(len(low) - 1, -1, -1):
        current = []
        for mask in _sections(inside[k] & (low[k] < TRACHEA_BELOW), middle, voxel):
            length = 1 + max((n for old, n in previous if (old & mask).any()), default=0)
            if length >= run:
                y, x = np.unravel_index(np.where(mask, low[k], np.inf).argmin(), mask.shape)
                return k, int(y), int(x)
            current.append((mask, length))
        previous = current
    return None


def _sections(air: np.ndarray, middle: float, voxel: Size) -> list[np.ndarray]:
    """Returns the parts of one slice's air that may be a section of the trachea, each as (y, x) bool."""
    labels, _ = ndimage.label(air)
    found = []
    for part, near in enumerate(ndimage.find_objects(labels), start=1):
        height, width = ((side.stop - side.start - 1) * voxel[1] for side in near)
        if height >= NEAR_MM or width >= NEAR_MM:
            continue
        mask = labels == part
        area = np.count_nonzero(mask) * voxel[1] ** 2
        off = abs(np.nonzero(mask)[1].mean() - middle) * voxel[2]
        if TRACHEA_MM2[0] <= area <= TRACHEA_MM2[1] and off < NEAR_MM:
            found.append(mask)
    return found
