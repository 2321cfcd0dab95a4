"""Batches for the devices: from examples that lie in their memory, or decoded in the background."""

import itertools
from collections.abc import Iterator
from typing import Protocol

import jax
import numpy as np

from wsns.runtime.background import ahead
from wsns.training import step as steps

Arrays = dict[str, np.ndarray]
AHEAD = 3
"""Batches that are decoded before they are asked for."""


class Examples(Protocol):
    """What a network learns from, in a fixed order."""

    def __len__(self) -> int:
        """Returns how many there are."""

    def take(self, rows: np.ndarray) -> Arrays:
        """Returns the examples at `rows` (B,) as arrays (B, …) by name; an index may come twice."""


class InMemory:
    """Examples that are arrays with one leading axis."""

    def __init__(self, arrays: Arrays):
        self.arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def take(self, rows: np.ndarray) -> Arrays:
        """Returns the examples at `rows`."""
        return {name: values[rows] for name, values in self.arrays.items()}


class Feed:
    """The batches of one split; `data` holds what stays in the devices' memory."""

    def __init__(self, examples: Examples, batch: int, portions: int = 1, *, resident: bool = False):
        """Prepares batches.

        Args:
            examples: of the split.
            batch: examples in a batch, over all devices and processes.
            portions: in which a device works its part of a batch off.
            resident: a copy of all examples stays in the memory of every device, where a batch's rows are looked
                up; else batches are taken in a thread that works ahead. The batches are the same.
        """
        self._examples, self._batch = examples, batch
        self._devices = jax.local_device_count()
        self._granularity = jax.device_count() * portions
        self.count = len(examples)
        self.data = steps.place(examples.take(np.arange(self.count)), self._devices) if resident else {}

    def __len__(self) -> int:
        """Returns the number of batches."""
        return -(-self.count // self._batch)

    def size(self, number: int) -> int:
        """Returns how many examples batch `number` holds."""
        return min(self._batch, self.count - number * self._batch)

    def batches(self, order: np.ndarray, first: int = 0) -> Iterator[steps.Batch]:
        """Yields this process's part of each batch, ready for a pmapped step.

        Args:
            order: (N,) rows of the examples.
            first: number of the batch to begin with.
        """
        parts = itertools.islice(plan(order, self._batch, self._granularity), first, None)
        own = map(_part_of_this_process, parts)
        if self.data:
            yield from (steps.shard(part, self._devices) for part in own)
        else:
            yield from ahead(self._decode, own, AHEAD)

    def _decode(self, part: steps.Batch) -> steps.Batch:
        return steps.shard(part | self._examples.take(part["row"]), self._devices)


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Returns the random order (N,) of an epoch: the same whenever it is asked for."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def plan(rows: np.ndarray, batch: int, granularity: int) -> Iterator[steps.Batch]:
    """Cuts an order (N,) into batches of what `step.PLAN` names, padded to a multiple of `granularity`.

    Padding has weight 0, so that the paper's 30 slices are 30 slices on eight devices, too.
    """
    size = -(-batch // granularity) * granularity
    for start in range(0, len(rows), batch):
        own = rows[start : start + batch]
        weight = np.zeros(size, np.float32)
        weight[: len(own)] = 1
        row = np.concatenate([own, np.repeat(own[-1:], size - len(own))]).astype(np.int32)
        yield {"row": row, "position": np.arange(size, dtype=np.int32), "weight": weight}


def _part_of_this_process(batch: steps.Batch) -> steps.Batch:
    parts, own = jax.process_count(), jax.process_index()
    return {name: value.reshape(parts, -1)[own] for name, value in batch.items()}
