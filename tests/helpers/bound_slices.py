"""Two small slices with nodules, for the tests of the bound."""

import numpy as np
from discs import disc

from wsns.data.records.schema import NAMES, Slices
from wsns.segmentation.options import Options

SIZE = 64
OPTIONS = Options(hull_closing=4.0, batch=2)


def slices():
    """Two slices of one lung: two nodules, and one that a vessel crosses."""
    lung = disc(32, 32, 30)
    truth = np.zeros((2, SIZE, SIZE), np.uint8)
    truth[0][disc(20, 20, 5)], truth[0][disc(40, 44, 4)], truth[1][disc(30, 30, 6)] = 1, 2, 1
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    hu = np.where(truth > 0, -50, np.where(lung, -870, 40)) + noise
    hu[1, 29:31, 10:55] = -50
    zeros = {name: np.zeros(2, np.int32) for name in NAMES}
    return Slices(
        **zeros
        | {
            "hu": hu.astype(np.int16),
            "beside": np.zeros((2, 0, SIZE, SIZE), np.int16),
            "lungs": np.broadcast_to(lung, hu.shape).astype(np.uint8),
            "nodules": truth,
            "count": np.array([2, 1]),
            "patient": np.array(["P1", "P2"]),
            "series": np.array(["1.1", "1.2"]),
            "spacing": np.full(2, 0.7),
            "z": np.array([-10.0, 5.0]),
            "slice_index": np.array([4, 9]),
            "cluster": np.array([[3, 1], [2, 0]]),
        }
    )
