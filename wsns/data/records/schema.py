"""The records of the data set: slices as arrays, in memory and by name."""

import dataclasses
from collections.abc import Sequence

import numpy as np

VERSION = "1.3.0"
"""Of the records' content; records of another version are built anew."""

OVERVIEW = 256
OVERVIEW_STEP = 2
OVERVIEW_WINDOW = (-1000, 400)
MAX_READERS = 8
"""Annotations of one nodule, at most: 14 clusters of the database have more than the four readers'."""


@dataclasses.dataclass(frozen=True, eq=False)
class Slices:
    """N slices, in order of patient, series and z; M is the number of nodules that the reading allows in a slice.

    hu: (N, S, S) int16 Hounsfield units.
    beside: (N, 2, S, S) int16 HU, the same crop of the slices below and above, at the distance that the records were
        made with; (N, 0, S, S) in records without.
    lungs: (N, S, S) uint8, 0, 1, 2: none, the lung at low x, the lung at high x.
    nodules: (N, S, S) uint8, the readers' consensus with instance labels 1..n; 0 is none.
    overview: (N, 256, 256) uint8, every second pixel of the whole slice, −1000 to 400 HU as 0 to 255.
    label: (N,) int32, 1 where the slice has a nodule.
    count: (N,) int32, number of nodules.
    patient, series: (N,) str.
    z: (N,) float, mm.
    slice_index: (N,) int32, index in the scan by ascending z.
    spacing, thickness: (N,) float, mm.
    origin: (N, 2) int32, row and column of the crop's corner in the scan's slice; may be negative.
    cluster: (N, M) int32, which nodule of the scan an instance is: 1.. by ascending z; 0 is none.
    agreement: (N, M) uint8, how many readers drew the instance in the slice.
    reader_dice: (N, M, 8) float32, Dice of each reader's outline with the consensus in the slice; 0 for a reader
        who drew the nodule in other slices only, −1 where there is no reader.
    texture: (N, M) float32, median of the readers' scores, 1 (ground glass) to 5 (solid); 0 is none.
    outside_crop: (N,) int32, pixels of the consensus that the crop leaves out.
    outside_hull: (N,) int32, pixels of the consensus in the crop that the lungs' closed hull leaves out.
    """

    hu: np.ndarray
    beside: np.ndarray
    lungs: np.ndarray
    nodules: np.ndarray
    overview: np.ndarray
    label: np.ndarray
    count: np.ndarray
    patient: np.ndarray
    series: np.ndarray
    z: np.ndarray
    slice_index: np.ndarray
    spacing: np.ndarray
    thickness: np.ndarray
    origin: np.ndarray
    cluster: np.ndarray
    agreement: np.ndarray
    reader_dice: np.ndarray
    texture: np.ndarray
    outside_crop: np.ndarray
    outside_hull: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self, indices: Sequence[int] | np.ndarray) -> "Slices":
        """Returns the slices at `indices` (integers or a boolean mask), in that order."""
        return Slices(*(getattr(self, name)[indices] for name in NAMES))

    def row(self, n: int) -> dict[str, np.ndarray]:
        """Returns slice `n` as arrays by name."""
        return {name: getattr(self, name)[n] for name in NAMES}


NAMES = tuple(field.name for field in dataclasses.fields(Slices))
