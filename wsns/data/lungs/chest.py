"""The chest at about 2.5 mm: block means of a scan, and the body with all the air that it encloses."""

import numpy as np
from scipy import ndimage

from wsns.data.volume import AIR_HU, Volume
from wsns.ops.morphology import grown, shrunk

COARSE_MM = 2.6
AIR_BELOW = -400  # HU, halfway between parenchyma and soft tissue
TABLE_MM = 12.0  # what is thinner from front to back is table or cloth
HEAL_MM = 10.0  # along z; a shorter gap in the body is a leak
PURE_AIR_BELOW = -950  # HU
MAX_PURE_AIR = 0.2  # share in a lung that the field of view cuts; around the body it is more
MIN_CUT_LUNG_MM2 = 1000.0  # in a slice
SPARSE = 4  # voxels from one that is looked at to the next
TISSUE_TAIL = 0.1  # share of a slice's tissue that lies in front of what is amid it, and behind

Size = tuple[float, float, float]
"""A voxel's size in mm: z, y, x."""

IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def coarsen(volume: Volume) -> tuple[np.ndarray, tuple[int, int, int], Size]:
    """Returns block means (z, y, x) float32 in HU, and a block's size in voxels and in mm.

    The last row and column are repeated to whole blocks; the last block of slices may have fewer.
    """
    step = float(np.median(np.diff(volume.z)))
    pixels, slices = (max(1, round(COARSE_MM / size)) for size in (volume.spacing, step))
    depth, rows, columns = volume.hu.shape
    padded = np.empty((rows + -rows % pixels, columns + -columns % pixels), np.int16)
    sums = np.zeros((-(-depth // slices), padded.shape[0] // pixels, padded.shape[1] // pixels), np.int32)
    for k, hu in enumerate(volume.hu):
        padded[:rows, :columns] = hu
        padded[:rows, columns:] = hu[:, -1:]
        padded[rows:] = padded[rows - 1]
        tall = padded[::pixels].astype(np.int32)
        for offset in range(1, pixels):
            tall += padded[offset::pixels]
        for offset in range(pixels):
            sums[k // slices] += tall[:, offset::pixels]
    voxels = np.full((len(sums), 1, 1), slices * pixels**2, np.float32)
    voxels[-1] = (depth - (len(sums) - 1) * slices) * pixels**2
    size = volume.spacing * pixels
    return sums.astype(np.float32) / voxels, (slices, pixels, pixels), (step * slices, size, size)


def beyond_field(low: np.ndarray) -> np.ndarray:
    """Returns the columns of voxels (y, x) bool that no X-ray saw: empty in every slice, and their rim."""
    empty = np.all(low <= AIR_HU, axis=0)
    return grown(empty) if empty.any() else empty


def body(low: np.ndarray, beyond: np.ndarray, voxel: Size) -> np.ndarray:
    """Returns the body with all air in it, without the table.

    Air is outside if it reaches the edge of the field of view, unless it has a lung's density: a lung that the
    field cuts. Where the windpipe opens through the neck, or streaks break a thin wall, this floods a lung in a
    few slices: such gaps are healed along z.

    Args:
        low: (z, y, x) HU.
        beyond: (y, x) bool, see `beyond_field`.
        voxel: the voxels' size in mm.

    Returns:
        (z, y, x) bool.
    """
    tissue = _opened(low > AIR_BELOW, round(TABLE_MM / voxel[1]))
    air, count = ndimage.label(~(tissue | beyond), IN_PLANE)
    enclosed = np.ones(count + 1, bool)
    enclosed[np.unique(air[:, at_edge(beyond)])] = False
    enclosed |= _like_lung(low, tissue, air, voxel[1])
    enclosed[0] = True
    return _healed(_largest(enclosed[air] & ~beyond), max(1, round(HEAL_MM / 2 / voxel[0])))


def at_edge(beyond: np.ndarray) -> np.ndarray:
    """Returns the voxels (y, x) bool inside the field of view that touch its edge."""
    return ~beyond & ~shrunk(~beyond)


def _like_lung(low: np.ndarray, tissue: np.ndarray, air: np.ndarray, pixel: float) -> np.ndarray:
    """Says of each label of `air` whether size, density and place in the slice are those of a lung that is cut.

    A lung's middle lies amid the tissue of its slice; a table's foam, which is as dense, lies behind it.
    """
    labels = air[:, ::SPARSE, ::SPARSE]
    planes, rows = np.arange(air.shape[0])[:, None, None], np.arange(0, air.shape[1], SPARSE)[None, :, None]
    number, pure, plane, row = (
        np.bincount(labels.ravel(), np.broadcast_to(weight, labels.shape).ravel(), air.max() + 1)
        for weight in (1, low[:, ::SPARSE, ::SPARSE] < PURE_AIR_BELOW, planes, rows)
    )
    plane, row = (np.rint(value / np.maximum(number, 1)).astype(int) for value in (plane, row))
    share = np.cumsum(tissue.sum(axis=2), axis=1)[plane, row] / np.maximum(tissue.sum(axis=(1, 2)), 1)[plane]
    amid = (share > TISSUE_TAIL) & (share < 1 - TISSUE_TAIL)
    return amid & (number * (SPARSE * pixel) ** 2 > MIN_CUT_LUNG_MM2) & (pure < MAX_PURE_AIR * number)


def parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels the parts of a mask (z, y, x), face to face: int32 from 1 up, and the voxels of each label."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return labels, sizes


def _largest(mask: np.ndarray) -> np.ndarray:
    """Returns the largest part of a mask, found on every fourth voxel: its rim may be ragged by one."""
    labels, sizes = parts(mask[:, ::2, ::2])
    near = (labels == max(sizes.argmax(), 1)).repeat(2, axis=1).repeat(2, axis=2)
    return mask & near[:, : mask.shape[1], : mask.shape[2]]


def _opened(mask: np.ndarray, length: int) -> np.ndarray:
    """Opens by a line of `length` voxels from front to back; the array's edges count as outside."""
    rows = mask.shape[1] - length + 1
    if rows < 1:
        return np.zeros_like(mask)
    whole = mask[:, :rows].copy()
    for offset in range(1, length):
        whole &= mask[:, offset : offset + rows]
    result = np.zeros_like(mask)
    for offset in range(length):
        result[:, offset : offset + rows] |= whole
    return result


def _healed(mask: np.ndarray, reach: int) -> np.ndarray:
    """Closes gaps along z of at most 2 `reach` planes."""
    padded = np.pad(mask, ((reach, reach), (0, 0), (0, 0)))
    wide = padded.copy()
    for offset in range(1, reach + 1):
        wide[offset:] |= padded[:-offset]
        wide[:-offset] |= padded[offset:]
    closed = wide.copy()
    for offset in range(1, reach + 1):
        closed[offset:] &= wide[:-offset]
        closed[:-offset] &= wide[offset:]
    return closed[reach:-reach]
