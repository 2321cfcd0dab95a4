"""The lungs' closed hull in a slice: where a nodule may lie, on the pleura too."""

import numpy as np
from scipy import ndimage

from wsns.ops.morphology import dilated, eroded, filled, large_parts


def hull(lungs: np.ndarray, spacing: float, closing: float = 10.0, min_part: float = 100.0) -> np.ndarray:
    """Returns the lungs with pleural nodules and hilar vessels closed in: (S, S) bool.

    Args:
        lungs: (S, S) int, 1 and 2 for the two lungs, 0 elsewhere.
        spacing: mm per pixel.
        closing: radius in mm of the disc.
        min_part: mm2; smaller parts of a lung are left out.
    """
    result = np.zeros(lungs.shape, bool)
    for side, box in enumerate(ndimage.find_objects(lungs), start=1):
        if box is not None:
            result[box] |= _closed(large_parts(lungs[box] == side, min_part / spacing**2), closing / spacing)
    return result


def _closed(mask: np.ndarray, radius: float) -> np.ndarray:
    margin = int(np.ceil(radius)) + 1
    closed = eroded(dilated(np.pad(filled(mask), margin), radius), radius)
    return filled(closed)[margin:-margin, margin:-margin]
