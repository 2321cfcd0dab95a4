"""Batches of fixed shapes, so that nothing is compiled anew for the number of slices or candidates."""

from collections.abc import Iterator

import numpy as np

SIZES = (4, 8, 16)
"""Smaller sizes to which a last batch is padded where a full one would waste work."""


def blocks(length: int, size: int) -> Iterator[slice]:
    """Yields slices that cover `length` rows, `size` at a time; the last may be shorter."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def padded_size(length: int, size: int) -> int:
    """Returns the smallest of a few batch sizes, at most `size`, that holds `length` rows."""
    return next((s for s in SIZES if length <= s < size), size)


def padded(stack: np.ndarray, size: int) -> np.ndarray:
    """Returns a stack (M, ...) as (size, ...), the rest zero."""
    return np.concatenate([stack, np.zeros((size - len(stack), *stack.shape[1:]), stack.dtype)])
