"""How noisy clean lung is in a slice, and how far its noise reaches from pixel to pixel."""

import dataclasses

import numpy as np
from scipy import ndimage

WINDOW = 7
"""Pixels along the edge of the windows in which noise is measured."""
LAGS = (1, 2, 3)
_CLEAN_BELOW = -800  # HU, after smoothing by a pixel: no vessel crosses a window of such pixels
_STEP = 3  # pixels from one window to the next
_FEWEST = 20  # windows that a slice must have


@dataclasses.dataclass(frozen=True)
class Noise:
    """`sd` in HU and the correlation at each of `LAGS` pixels, along rows and columns.

    NaN where no lung is clean. The lung's own fine texture counts as noise, and correlates over more pixels.
    """

    sd: float
    lags: tuple[float, ...]


def noise(hu: np.ndarray, lungs: np.ndarray) -> Noise:
    """Measures noise in the windows of 7 × 7 pixels that hold lung and nothing denser.

    A plane is taken out of each window; `sd` is the median of the windows' standard deviations. The plane takes out a
    little of the noise too, for which all figures are corrected as for white noise, whose correlations are 0; noise
    that reaches over two pixels loses more, up to a sixth of its SD.

    Args:
        hu: (S, S) Hounsfield units.
        lungs: (S, S), not 0 inside the lungs.
    """
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), 1.0)
    clean = ndimage.minimum_filter(((lungs > 0) & (smooth < _CLEAN_BELOW)).astype(np.uint8), WINDOW) > 0
    half = WINDOW // 2
    # Only windows that the slice holds whole, and of them one in each direction of every three.
    inner = clean[half:-half:_STEP, half:-half:_STEP]
    windows = np.lib.stride_tricks.sliding_window_view(hu, (WINDOW, WINDOW))[::_STEP, ::_STEP][inner]
    if len(windows) < _FEWEST:
        return Noise(float("nan"), (float("nan"),) * len(LAGS))
    projection = _without_plane()
    rest = (windows.reshape(len(windows), -1) @ projection).reshape(windows.shape)
    freedom = np.trace(projection)
    variance = (rest**2).sum(axis=(1, 2)) / freedom
    mean = float(variance.mean()) or float("nan")
    lags = tuple(_product(rest, lag) / mean - _bias(projection, lag) for lag in LAGS)
    return Noise(float(np.median(np.sqrt(variance))), lags)


def _without_plane() -> np.ndarray:
    """Returns the matrix that takes the plane of best fit out of a window's pixels."""
    y, x = np.mgrid[:WINDOW, :WINDOW].reshape(2, -1) - WINDOW // 2
    basis, _ = np.linalg.qr(np.stack([np.ones(WINDOW**2), y, x], axis=1))
    return np.eye(WINDOW**2) - basis @ basis.T


def _product(rest: np.ndarray, lag: int) -> float:
    """Returns the mean product of two pixels that lie `lag` apart, over rows and columns."""
    down = (rest[:, lag:] * rest[:, :-lag]).mean()
    right = (rest[:, :, lag:] * rest[:, :, :-lag]).mean()
    return float(down + right) / 2


def _bias(projection: np.ndarray, lag: int) -> float:
    """Returns the correlation that taking out the plane gives to white noise."""
    place = np.arange(WINDOW**2).reshape(WINDOW, WINDOW)
    down = projection[place[lag:].ravel(), place[:-lag].ravel()]
    right = projection[place[:, lag:].ravel(), place[:, :-lag].ravel()]
    return float(down.mean() + right.mean()) / 2
