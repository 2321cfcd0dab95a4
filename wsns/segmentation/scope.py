"""Scopes: the blobs of a nodule activation map in which a nodule is looked for (section 2.2).

A map is smoothed, restricted to the lungs' hull and to what exceeds a share of its maximum, and split into
basins by the watershed, one per local maximum. A basin's prominence is how far one must descend from its
peak to reach a higher one.
"""

import dataclasses

import numpy as np
from scipy import ndimage
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from wsns.ops.morphology import EIGHT, box


@dataclasses.dataclass(frozen=True, eq=False)
class Blob:
    """One basin of a smoothed NAM.

    `mask` is (S, S) bool, `peak` its (row, column), `height` the map's value there and `prominence` the
    height above the highest saddle to a higher basin; where there is none (the highest basin of all, or one
    that nothing connects to it) above the region's minimum.
    """

    mask: np.ndarray
    peak: tuple[int, int]
    height: float
    prominence: float


def smooth(nam: np.ndarray, sigma: float) -> np.ndarray:
    """Returns the NAM (S, S) as float64 after a Gaussian of `sigma` pixels."""
    return ndimage.gaussian_filter(np.asarray(nam, float), sigma, mode="nearest")


def blobs(smoothed: np.ndarray, hull: np.ndarray, tau: float) -> list[Blob]:
    """Splits a map into blobs, the most prominent first, ties by height, then by position.

    Args:
        smoothed: (S, S), see `smooth`.
        hull: (S, S) bool, where a nodule may lie.
        tau: share of the maximum inside the hull that a pixel must exceed.

    Returns:
        The blobs; none where the map is nowhere positive inside the hull.
    """
    top = smoothed[hull].max(initial=0.0)
    region = hull & (smoothed > tau * top)
    if top <= 0 or not region.any():
        return []
    near = box(region)
    basins, count = _basins(smoothed[near], region[near])
    height = np.full(count + 1, -np.inf)
    np.maximum.at(height, basins, smoothed[near])
    height = height[1:]
    prominence = _prominences(smoothed[near], basins, height)
    order = sorted(range(count), key=lambda b: (-prominence[b], -height[b], b))
    boxes = ndimage.find_objects(basins)
    corner = near[0].start, near[1].start
    return [_blob(smoothed, corner, boxes[b], basins[boxes[b]] == b + 1, float(prominence[b])) for b in order]


def first_scopes(
    smoothed: np.ndarray, hull: np.ndarray, tau: float, count: int = 1
) -> tuple[list[np.ndarray], bool]:
    """Returns C1, the scopes of the 1-GAP NAM: its `count` most prominent blobs.

    Args:
        smoothed: (S, S), see `smooth`.
        hull: (S, S) bool.
        tau: see `blobs`.
        count: most scopes, one per nodule.

    Returns:
        At least one scope (S, S) bool, and whether it is the whole hull, because the map is nowhere positive.
    """
    found = blobs(smoothed, hull, tau)
    return ([blob.mask for blob in found[:count]], False) if found else ([hull], True)


def narrowed_scope(
    smoothed: np.ndarray, hull: np.ndarray, first: np.ndarray, tau: float, reach: float
) -> np.ndarray:
    """Returns C_multi, the scope of a multi-GAP NAM inside C1.

    It is the most prominent blob whose peak lies inside C1 and reaches a share of the map's maximum over the
    whole slice, cut by C1; without such a blob it is C1.

    Args:
        smoothed: (S, S), the multi-GAP NAM after `smooth`.
        hull: (S, S) bool.
        first: (S, S) bool, C1.
        tau: see `blobs`.
        reach: the share of the maximum.
    """
    limit = reach * smoothed.max()
    for blob in blobs(smoothed, hull, tau):
        if first[blob.peak] and blob.height >= limit:
            return blob.mask & first
    return first


def _basins(values: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the basins (1, 2, ... by position of the peak, 0 outside the region), int32, and how many."""
    # A peak cut off by the region's edge counts, or what belongs to it would have no basin; padded, because
    # `local_maxima` finds none in a picture of one value.
    inside = np.pad(np.where(region, values, -np.inf), 1, constant_values=-np.inf)
    peaks = local_maxima(inside, connectivity=2)[1:-1, 1:-1] & region
    markers, count = ndimage.label(peaks, EIGHT, output=np.int32)
    return watershed(-values, markers, connectivity=2, mask=region), count


def _prominences(values: np.ndarray, basins: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Returns each basin's height above its highest saddle to a higher one; of equals the first is higher."""
    low = values[basins > 0].min()
    prominence = height - low
    root = list(range(len(height)))

    def find(basin: int) -> int:
        while root[basin] != basin:
            basin = root[basin]
        return basin

    # Joined from the highest saddle down, a group's lower summit ends there; what never joins keeps `low`.
    for saddle, a, b in _saddles(values, basins):
        high, lower = sorted((find(a), find(b)), key=lambda basin: (-height[basin], basin))
        if high != lower:
            prominence[lower] = height[lower] - saddle
            root[lower] = high
    return prominence


def _saddles(values: np.ndarray, basins: np.ndarray) -> list[tuple[float, int, int]]:
    """Returns (height, basin, basin) of the highest saddle between any two basins, from the highest down.

    A flooded pixel is reached from its peak without passing below its own value, so the lower of two
    neighbouring pixels in different basins is on a path between the peaks, and the best of them is the saddle.
    """
    rows, columns = values.shape
    heights, pairs = [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, rows - dy), slice(max(-dx, 0), columns - max(dx, 0)))
        there = (slice(dy, rows), slice(max(dx, 0), columns - max(-dx, 0)))
        a, b = basins[here], basins[there]
        meet = (a > 0) & (b > 0) & (a != b)
        heights.append(np.minimum(values[here][meet], values[there][meet]))
        pairs.append(np.sort(np.stack([a[meet], b[meet]]) - 1, axis=0))
    height, (low, high) = np.concatenate(heights), np.concatenate(pairs, axis=1)
    order = np.lexsort((high, low, -height))
    height, low, high = height[order], low[order], high[order]
    _, first = np.unique(low.astype(np.int64) << 32 | high, return_index=True)
    first.sort()
    return list(zip(height[first].tolist(), low[first].tolist(), high[first].tolist(), strict=True))


def _blob(
    smoothed: np.ndarray,
    corner: tuple[int, int],
    box: tuple[slice, slice],
    inside: np.ndarray,
    prominence: float,
) -> Blob:
    top, left = (start + side.start for start, side in zip(corner, box, strict=True))
    mask = np.zeros(smoothed.shape, bool)
    here = slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1])
    mask[here] = inside
    row, column = np.unravel_index(np.where(inside, smoothed[here], -np.inf).argmax(), inside.shape)
    peak = int(top + row), int(left + column)
    return Blob(mask, peak, float(smoothed[peak]), prominence)
