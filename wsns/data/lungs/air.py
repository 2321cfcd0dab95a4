"""Which of a chest's air is lung, and which lung."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from wsns.data.lungs.chest import Size, parts
from wsns.errors import InputError
from wsns.ops.morphology import shrunk

GAS_BELOW = -955  # HU, mean of the inner voxels: gas in the bowel, never parenchyma
MIN_LUNG_ML = 100
MIN_SHARE = 0.1  # of the larger lung
MIN_PIECE_ML = 10  # of a piece that is cut off
BASE = 0.15  # of a lung's height: air whose centre lies lower is bowel
CUT_MM = 5.2  # size of the voxels in which lungs that touch are cut apart
BRIDGE_MM = (0, 5, 7, 10, 13, 16, 20)


def lung_air(low: np.ndarray, air: np.ndarray, voxel: Size) -> np.ndarray:
    """Returns the air that is lung: the one or two largest parts that are not bowel, and pieces cut off above.

    Args:
        low: (z, y, x) HU, feet first.
        air: (z, y, x) bool, what the body encloses, without the airway.
        voxel: their voxels' size in mm.

    Raises:
        InputError: if no part is large enough.
    """
    labels, sizes = parts(air)
    ml = sizes * np.prod(voxel) / 1000
    boxes = ndimage.find_objects(labels)
    tissue = [part for part in np.argsort(-ml) if ml[part] >= MIN_PIECE_ML]
    tissue = [part for part in tissue if _inner_mean(low, labels, part, boxes[part - 1]) > GAS_BELOW]
    if not tissue or ml[tissue[0]] < MIN_LUNG_ML:
        raise InputError("no lung found in the scan: is it a chest CT in Hounsfield units?")
    least = max(MIN_LUNG_ML, MIN_SHARE * ml[tissue[0]])
    base, top = boxes[tissue[0] - 1][0].start, boxes[tissue[0] - 1][0].stop
    lung = np.zeros(len(sizes), bool)
    for part in tissue:
        centre = (boxes[part - 1][0].start + boxes[part - 1][0].stop) / 2
        share = BASE if ml[part] >= least and lung.sum() < 2 else 0.5
        lung[part] = centre > base + share * (top - base)
    return lung[labels]


def _inner_mean(low: np.ndarray, labels: np.ndarray, part: int, box: tuple[slice, ...]) -> float:
    """Returns the mean HU of a part without its surface, where gas and parenchyma look alike."""
    inner = shrunk(labels[box] == part)
    return float(low[box][inner].mean()) if inner.any() else GAS_BELOW


def left_and_right(lungs: np.ndarray, middle: float, voxel: Size) -> np.ndarray:
    """Labels the lung at low x 1 and that at high x 2, cut apart at their thinnest bridge.

    Args:
        lungs: (z, y, x) bool.
        middle: column of the body's midline.
        voxel: a voxel's size in mm.

    Returns:
        (z, y, x) uint8.
    """
    labels, sizes = parts(lungs)
    first, second = _two_largest(sizes)
    one, other = labels == first, (labels == second) & (second > 0)
    if not second:
        one, other = _cut_apart(one, voxel)
    result = _ordered(one, other, middle)
    rest = lungs & (result == 0)
    if rest.any():
        between = _column(one) + _column(other) if other.any() else 2 * middle
        low = np.arange(lungs.shape[2]) < between / 2
        result[rest] = np.where(low, np.uint8(1), np.uint8(2))[np.nonzero(rest)[2]]
    return result


def _cut_apart(lungs: np.ndarray, voxel: Size) -> tuple[np.ndarray, np.ndarray]:
    """Cuts one part in two in voxels of about 5 mm; the second mask is empty where it is one lung."""
    factor = [max(1, round(CUT_MM / size)) for size in voxel]
    split = _flooded(_shares(lungs, factor) >= 0.5, [f * size for f, size in zip(factor, voxel)])
    if not (split == 2).any():
        return lungs, np.zeros_like(lungs)
    near = np.where(split, split, ndimage.grey_dilation(split, size=(3, 3, 3)))
    for axis, f in enumerate(factor):
        near = near.repeat(f, axis)
    near = near[tuple(slice(0, n) for n in lungs.shape)]
    return lungs & (near == 1), lungs & (near == 2)


def _flooded(lungs: np.ndarray, voxel: Sequence[float]) -> np.ndarray:
    """Labels 1 and 2 what floods from the two parts that are left when the lungs shrink; 0 where it is one."""
    padded = np.pad(lungs, 1)
    distance = ndimage.distance_transform_edt(padded, voxel)
    for depth in BRIDGE_MM:
        labels, sizes = parts(distance > depth)
        first, second = _two_largest(sizes)
        if second:
            markers = np.select([labels == first, labels == second], [1, 2]).astype(np.int32)
            return watershed(-distance, markers, mask=padded)[1:-1, 1:-1, 1:-1].astype(np.uint8)
    return np.zeros(lungs.shape, np.uint8)


def _two_largest(sizes: np.ndarray) -> tuple[int, int]:
    """Returns the labels of the largest part and of the second, 0 where that is no lung beside the first."""
    first, second = np.argsort(-np.append(sizes, 0))[:2]
    return int(first), int(second) if sizes[second:].any() and sizes[second] > MIN_SHARE * sizes[first] else 0


def _shares(mask: np.ndarray, factor: Sequence[int]) -> np.ndarray:
    """Returns which share of each block of `factor` voxels is in the mask."""
    padded = np.pad(mask, [(0, -n % f) for n, f in zip(mask.shape, factor)])
    counts = padded.astype(np.uint8)
    for axis, f in enumerate(factor):
        along = counts.swapaxes(0, axis)
        counts = sum((along[offset::f] for offset in range(1, f)), along[::f]).swapaxes(0, axis)
    return counts / np.prod(factor)


def _ordered(one: np.ndarray, other: np.ndarray, middle: float) -> np.ndarray:
    """Returns labels 1 for the mask at lower x and 2 for the other; a mask alone goes by the midline."""
    limit = _column(other) if other.any() else middle
    low, high = (one, other) if _column(one) < limit else (other, one)
    return low.astype(np.uint8) + 2 * high.astype(np.uint8)


def _column(mask: np.ndarray) -> float:
    """Returns the mean column of a mask that is not empty."""
    counts = mask.sum(axis=(0, 1))
    return float(counts @ np.arange(len(counts)) / counts.sum())
