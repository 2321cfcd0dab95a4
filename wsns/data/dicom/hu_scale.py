"""Slices whose values cannot be in HU, though their headers say so."""

import collections
from collections.abc import Sequence

import numpy as np

from wsns.data.dicom.header import SliceFile
from wsns.data.volume import AIR_HU

NO_METAL_HU = 30_000


def misscaled(hu: np.ndarray, files: Sequence[SliceFile]) -> list[int]:
    """Finds slices with another rescale slope or intercept than most, whose values would fit the others' by theirs.

    Args:
        hu: (Z, Y, X) int16, by ascending z.
        files: their headers.
    """
    scales = [(file.slope, file.intercept) for file in files]
    usual = collections.Counter(scales).most_common(1)[0][0]
    like = np.array([k for k, scale in enumerate(scales) if scale == usual])
    return [
        k
        for k, scale in enumerate(scales)
        if scale != usual and _fits(hu[k], scale, hu[like[np.abs(like - k).argmin()]], usual)
    ]


def _fits(hu: np.ndarray, scale: tuple[float, float], near: np.ndarray, usual: tuple[float, float]) -> bool:
    """Says whether a slice is more like the one near it by that one's scale than by its own."""
    seen = hu > AIR_HU
    own = hu[seen].astype(float)
    rescaled = np.maximum((own - scale[1]) / scale[0] * usual[0] + usual[1], AIR_HU)
    apart = [float(np.abs(values - near[seen]).sum()) for values in (rescaled, own)]
    return apart[0] < apart[1]
