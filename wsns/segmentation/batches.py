"""Batches of fixed shapes, so that nothing is compiled anew for the number of slices or candidates."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def blocks(length: int, size: int) -> Iterator[slice]:
    """Yields slices that cover `length` rows, `size` at a time; the last may be shorter."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def padded(stack: np.ndarray, size: int) -> np.ndarray:
    """Returns a stack (M, ...) as (size, ...), the rest zero."""
    return np.concatenate([stack, np.zeros((size - len(stack), *stack.shape[1:]), stack.dtype)])


def chunk_size(chunk: int) -> int:
    """Returns how many rows to work off at once; 0 asks for what suits the device.

    A processor gains nothing from more than one, and what fills the last chunk up costs it time.
    """
    return chunk or (1 if jax.default_backend() == "cpu" else 32)


def in_chunks(function: Callable[..., jax.Array], rows: Any, count: jax.Array, chunk: int) -> jax.Array:
    """Maps rows to numbers inside a jitted function, `chunk` of them at once by `jax.vmap`, until `count` are done.

    Args:
        function: of one row's arrays, to a scalar float32.
        rows: tuple of arrays (P, ...), P a multiple of `chunk`.
        count: how many rows matter, at most P.
        chunk: a matter of memory.

    Returns:
        (P,) float32; what lies behind the last chunk that was needed is 0.
    """

    def one(number: jax.Array, results: jax.Array) -> jax.Array:
        start = number * chunk
        part = jax.tree.map(lambda array: lax.dynamic_slice_in_dim(array, start, chunk), rows)
        return lax.dynamic_update_slice(results, jax.vmap(function)(*part), (start,))

    return lax.fori_loop(0, (count + chunk - 1) // chunk, one, jnp.zeros(rows[0].shape[0], jnp.float32))
