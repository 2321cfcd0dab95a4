"""Small crops of lung, and what each looks like in some twenty figures."""

import numpy as np
from scipy import ndimage
from skimage.feature import structure_tensor
from skimage.measure import regionprops

from wsns.data.records.schema import Slices
from wsns.ops.morphology import EIGHT

SIDE = 32
"""Pixels along a crop's edge. The pixels are the scan's own: resampling would change noise."""
LEAST_LUNG = 0.9
"""Share of a crop that must be lung, with vessels and nodules in it."""
LEAST_AIRY = 0.5
"""Share that must be less dense than −650 HU: where lung surrounds the diaphragm's dome, its mask holds the dome."""
FEATURES = (
    "5 %",
    "50 %",
    "95 %",
    "highest, smoothed",
    "SD",
    "skewness",
    "gradient",
    "detail under 1 px",
    "detail of 1–2 px",
    "detail of 2–4 px",
    "lag 1 in x",
    "lag 1 in y",
    "lag 2 in x",
    "lag 2 in y",
    "share above −650 HU",
    "share above −400 HU",
    "dense parts",
    "roundness of the largest",
    "coherence",
    "local minima",
)
"""Names of what `features` returns; HU and pixels are the units."""
_DENSE, _DENSER = -650, -400
_LEAST_PIXELS = 3
_FLAT = 1e-6  # HU², so that nothing is divided by 0 where a crop is flat


def draw(slices: Slices, count: int, rng: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """Draws crops that are lung at random: (N, side, side) int16, fewer than `count` where there are no more.

    Args:
        slices: of one scan.
        count: how many.
        rng: draws them, each place once.
        side: pixels along a crop's edge.
    """
    lung, airy = (_shares(mask, side) for mask in (slices.lungs > 0, slices.hu < _DENSE))
    places = np.argwhere((lung >= LEAST_LUNG) & (airy >= LEAST_AIRY))
    chosen = places[rng.permutation(len(places))[:count]]
    crops = [slices.hu[n, i : i + side, j : j + side] for n, i, j in chosen]
    return np.array(crops, np.int16).reshape(-1, side, side)


def features(crops: np.ndarray) -> np.ndarray:
    """Returns what crops look like: (N, 20) float, in the order of `FEATURES`.

    Args:
        crops: (N, 32, 32) HU.
    """
    hu = crops.astype(np.float32)
    smooth = {sigma: ndimage.gaussian_filter(hu, (0, sigma, sigma), mode="nearest") for sigma in (1, 2, 3, 4)}
    across = (1, 2)
    low, middle, high = np.percentile(hu, (5, 50, 95), axis=across)
    dense = [_dense(crop) for crop in crops]
    columns = [
        low,
        middle,
        high,
        smooth[1].max(axis=across),
        hu.std(axis=across),
        _skewness(hu),
        np.hypot(*np.gradient(smooth[1], axis=across)).mean(axis=across),
        (hu - smooth[1]).std(axis=across),
        (smooth[1] - smooth[2]).std(axis=across),
        (smooth[2] - smooth[4]).std(axis=across),
        *_correlations(hu - smooth[3]),
        (crops > _DENSE).mean(axis=across),
        (crops > _DENSER).mean(axis=across),
        [number for number, _ in dense],
        [roundness for _, roundness in dense],
        [_coherence(crop) for crop in smooth[1]],
        _minima(smooth[1]),
    ]
    return np.stack([np.asarray(column, float) for column in columns], axis=1)


def _shares(mask: np.ndarray, side: int) -> np.ndarray:
    """Returns the mask's share of the crop at each corner, (N, S - side + 1, S - side + 1)."""
    sums = mask.cumsum(axis=1, dtype=np.int32).cumsum(axis=2, dtype=np.int32)
    sums = np.pad(sums, ((0, 0), (1, 0), (1, 0)))
    inside = sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]
    return inside / side**2


def _skewness(hu: np.ndarray) -> np.ndarray:
    rest = hu - hu.mean(axis=(1, 2), keepdims=True)
    return (rest**3).mean(axis=(1, 2)) / ((rest**2).mean(axis=(1, 2)) + _FLAT) ** 1.5


def _correlations(rest: np.ndarray) -> list[np.ndarray]:
    """Returns the correlation of neighbours at 1 px in x and y, then at 2 px, of crops without slow variation."""
    variance = (rest**2).mean(axis=(1, 2)) + _FLAT
    made = []
    for lag in (1, 2):
        made.append((rest[:, :, lag:] * rest[:, :, :-lag]).mean(axis=(1, 2)) / variance)
        made.append((rest[:, lag:] * rest[:, :-lag]).mean(axis=(1, 2)) / variance)
    return made


def _dense(crop: np.ndarray) -> tuple[int, float]:
    """Returns how many dense parts there are, and the largest one's short axis by its long axis; 0 without one."""
    labels, _ = ndimage.label(crop > _DENSE, EIGHT)
    parts = [part for part in regionprops(labels) if part.area >= _LEAST_PIXELS]
    if not parts:
        return 0, 0.0
    largest = max(parts, key=lambda part: part.area)
    return len(parts), float(largest.axis_minor_length / largest.axis_major_length)


def _coherence(crop: np.ndarray) -> float:
    """Returns how much the edges around a pixel share one direction, from 0 to 1, weighed by their strength."""
    rows, mixed, columns = structure_tensor(crop, sigma=2.0, mode="nearest")
    return float(np.hypot(rows - columns, 2 * mixed).sum() / ((rows + columns).sum() + _FLAT))


def _minima(smooth: np.ndarray) -> np.ndarray:
    lowest = ndimage.minimum_filter(smooth, (1, 3, 3), mode="nearest")
    return (smooth == lowest)[:, 1:-1, 1:-1].sum(axis=(1, 2))
