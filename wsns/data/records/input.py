"""Reading the records of one split: slice by slice, or whole."""

import os
import pathlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from wsns.data.records.slices import NAMES, Slices
from wsns.errors import InputError


def data_source(directory: pathlib.Path, part: str) -> Sequence[dict[str, Any]]:
    """Opens one split's records for random access, without reading them.

    Raises:
        InputError: if `directory` holds no records, or none of this split.
    """
    import tensorflow_datasets as tfds  # only here: slow to import, and only readers of records need it

    built = sorted(pathlib.Path(directory).glob("lidc_slices/*/*/dataset_info.json"))
    if not built:
        raise InputError(f"{directory} holds no records: build them first (--config=configs/records.py)")
    builder = tfds.builder_from_directory(built[-1].parent)
    if part not in builder.info.splits:
        raise InputError(
            f"the records in {directory} have no {part} split: none of its patients has a nodule slice; "
            "take more scans (config.data.max_scans)"
        )
    return builder.as_data_source(split=part)


def load(directory: pathlib.Path, part: str) -> Slices:
    """Reads one split whole: about 0.65 MB of memory per slice at 384 pixels.

    Args:
        directory: the records' directory of a run.
        part: 'train', 'validation' or 'test'.

    Raises:
        InputError: if there are no such records.
    """
    source = data_source(directory, part)
    # Decompression lets go of the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        records = list(pool.map(source.__getitem__, range(len(source))))
    records.sort(key=lambda record: (record["patient"], record["series"], record["slice_index"]))
    return Slices(**{name: _stack(records, name) for name in NAMES})


def _stack(records: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    values = [record.pop(name) for record in records]
    if isinstance(values[0], bytes):
        return np.array([value.decode() for value in values])
    # TFDS gives scalars back as Python's own numbers.
    return np.array(values, np.int32 if isinstance(values[0], int) else None)
