"""The records of one split, in memory, as networks and segmentation take them."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from wsns.errors import InputError

VERSION = "1.0.0"
"""Of the records' content; records of another version are built anew."""

OVERVIEW = 256
OVERVIEW_STEP = 2
OVERVIEW_WINDOW = (-1000, 400)


@dataclasses.dataclass(frozen=True, eq=False)
class Slices:
    """N slices of one split, in order of patient, series and z.

    hu: (N, S, S) int16 Hounsfield units.
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
    agreement: (N, max_nodules) uint8, how many readers drew each instance in the slice.
    outside_crop: (N,) int32, pixels of the consensus that the crop leaves out.
    """

    hu: np.ndarray
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
    agreement: np.ndarray
    outside_crop: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self, indices: Sequence[int] | np.ndarray) -> "Slices":
        """Returns the slices at `indices` (integers or a boolean mask), in that order."""
        return Slices(*(getattr(self, field.name)[indices] for field in dataclasses.fields(self)))


def data_source(directory: pathlib.Path, part: str) -> Sequence[dict[str, Any]]:
    """Opens one split's records for random access, without reading them.

    Raises:
        InputError: if `directory` holds no records, or none of this split.
    """
    import tensorflow_datasets as tfds  # only here: slow to import, and only readers of records need it

    built = sorted(pathlib.Path(directory).glob("lidc_slices/*/*/dataset_info.json"))
    if not built:
        raise InputError(f"{directory} holds no records: build them first (--config.task=records)")
    builder = tfds.builder_from_directory(built[-1].parent)
    if part not in builder.info.splits:
        raise InputError(
            f"the records in {directory} have no {part} split: none of its patients has a nodule slice; "
            "take more scans (config.data.max_scans)"
        )
    return builder.as_data_source(split=part)


def load(directory: pathlib.Path, part: str) -> Slices:
    """Reads one split whole: about 0.6 MB of memory per slice at 384 pixels.

    Args:
        directory: the records' directory of a run.
        part: 'train', 'validation' or 'test'.

    Raises:
        InputError: if there are no such records.
    """
    source = data_source(directory, part)
    # zlib lets go of the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        records = list(pool.map(source.__getitem__, range(len(source))))
    records.sort(key=lambda record: (record["patient"], record["series"], record["slice_index"]))
    return Slices(**{field.name: _stack(records, field.name) for field in dataclasses.fields(Slices)})


def _stack(records: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    values = [record.pop(name) for record in records]
    if isinstance(values[0], bytes):
        return np.array([value.decode() for value in values])
    # TFDS gives scalars back as Python's own numbers.
    return np.array(values, np.int32 if isinstance(values[0], int) else None)
