"""Reading the records of one split: whole, or slice by slice when they are asked for."""

import pathlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from wsns.data.records.neighbours import stacked
from wsns.data.records.schema import NAMES, Slices
from wsns.errors import InputError
from wsns.runtime.plain_paths import plain
from wsns.runtime.processes import cores
from wsns.runtime.progress import Progress

KEYS = ("patient", "series", "slice_index")
"""What settles the order of slices, whatever the order on disk."""


def data_source(directory: pathlib.Path, part: str) -> Sequence[dict[str, Any]]:
    """Opens one split's records for random access, without reading them.

    Raises:
        InputError: if `directory` holds no records, or none of this split.
    """
    import tensorflow_datasets as tfds  # only here: slow to import, and only readers of records need it

    built = sorted(plain(pathlib.Path(directory)).glob("lidc_slices/*/*/dataset_info.json"))
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
    """Reads one split whole: about 0.65 MB of memory per slice at 384 pixels, with neighbours 1.2 MB.

    Args:
        directory: the records' directory of a run.
        part: 'train', 'validation' or 'test'.

    Raises:
        InputError: if there are no such records.
    """
    return Slices(**load_arrays(directory, part, NAMES))


def load_arrays(
    directory: pathlib.Path,
    part: str,
    names: Sequence[str],
    progress: Progress = lambda items, _: items,
    *,
    neighbours: bool = False,
) -> dict[str, np.ndarray]:
    """Reads some arrays of one split, in order of patient, series and slice; see `Slices` for shapes and units.

    Args:
        directory: the records' directory of a run.
        part: 'train', 'validation' or 'test'.
        names: of the arrays.
        progress: wraps (rows, description).
        neighbours: `hu` is (N, 3, S, S): the slice below, the slice, the one above.

    Raises:
        InputError: if there are no such records.
    """
    source = _opened(directory, part, neighbours)
    columns: dict[str, Any] = {name: [] for name in {*KEYS, *names}}
    # Decompression lets go of the interpreter's lock.
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(source.__getitem__, range(len(source)))
        for n, record in zip(progress(range(len(source)), f"reading {part}"), found):
            for name, column in columns.items():
                value = record[name]
                if isinstance(value, np.ndarray):
                    if not n:
                        column = columns[name] = np.empty((len(source), *value.shape), value.dtype)
                    column[n] = value
                else:
                    column.append(value)
    arrays = {name: _array(column) for name, column in columns.items()}
    order = np.lexsort([arrays[name] for name in reversed(KEYS)])
    if np.array_equal(order, np.arange(len(source))):
        return {name: arrays[name] for name in names}
    return {name: arrays.pop(name)[order] for name in names}


class Streamed:
    """Slices of one split that stay on disk and are decoded when they are asked for, by all cores.

    `drawn` says in how many of them the consensus has a pixel.
    """

    def __init__(self, source: Sequence[dict[str, Any]], rows: np.ndarray, names: Sequence[str], drawn: int):
        """Takes records, the rows that are to be 0, 1, … here, the names of their arrays, and `drawn`."""
        self._source, self._rows, self._names, self.drawn = source, rows, tuple(names), drawn
        self._pool = ThreadPoolExecutor(cores())

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the slices at `rows` (B,) as arrays (B, …) by name."""
        records = list(self._pool.map(self._source.__getitem__, self._rows[rows].tolist()))
        return {name: _array([record[name] for record in records]) for name in self._names}


def stream(
    directory: pathlib.Path,
    part: str,
    names: Sequence[str],
    *,
    drawn: bool = False,
    neighbours: bool = False,
    progress: Progress = lambda items, _: items,
) -> Streamed:
    """Opens one split to be read in portions, in the order of `load_arrays`; all records are looked at once.

    Args:
        directory: the records' directory of a run.
        part: 'train', 'validation' or 'test'.
        names: of the arrays.
        drawn: only slices in which the consensus has a pixel.
        neighbours: see `load_arrays`.
        progress: wraps (rows, description).

    Raises:
        InputError: if there are no such records.
    """
    source = _opened(directory, part, neighbours)

    def key(n: int) -> tuple[Any, ...]:
        record = source[n]
        return (*(record[name] for name in KEYS), n, bool(record["nodules"].any()))

    with ThreadPoolExecutor(cores()) as pool:
        every = range(len(source))
        keys = sorted(
            found for _, found in zip(progress(every, f"looking through {part}"), pool.map(key, every))
        )
    rows = [n for *_, n, has_nodule in keys if has_nodule or not drawn]
    return Streamed(source, np.array(rows, np.int64), names, sum(key[-1] for key in keys))


class _Stacked(Sequence[dict[str, Any]]):
    """Records whose `hu` has the slices below and above beside it; stacked one by one, or a split were held twice."""

    def __init__(self, source: Sequence[dict[str, Any]]):
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, n: Any) -> Any:
        record = self._source[n]
        return record | {"hu": stacked(record["hu"], record["beside"])}


def _opened(directory: pathlib.Path, part: str, neighbours: bool) -> Sequence[dict[str, Any]]:
    source = data_source(directory, part)
    return _Stacked(source) if neighbours else source


def _array(values: Any) -> np.ndarray:
    """TFDS gives scalars back as Python's own numbers, text as bytes."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values[0], bytes):
        return np.array([value.decode() for value in values])
    return np.array(values, np.int32 if isinstance(values[0], int) else None)
