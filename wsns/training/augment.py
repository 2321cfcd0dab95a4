"""Random mirroring and shifting of slices, on the device, as one look-up per axis."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def augment(
    images: Mapping[str, jax.Array], key: jax.Array, position: jax.Array, *, flip: bool, shift: int
) -> dict[str, jax.Array]:
    """Moves each example's images, all of them alike.

    Args:
        images: arrays (B, S, S), or (B, C, S, S) of channels that move alike, by name.
        key: of the training step.
        position: (B,) of each example in the whole batch: its random numbers depend on key and position alone,
            whatever device it is on.
        flip: mirror left to right, and front to back, with probability 1/2 each.
        shift: move along both axes by up to so many pixels; the border pixels are repeated.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, position)
    size = next(iter(images.values())).shape[-1]
    rows, columns = jax.vmap(lambda k: _indices(k, size, flip, shift))(keys).swapaxes(0, 1)
    look_up = jax.vmap(lambda image, r, c: image[..., r, :][..., c])
    return {name: look_up(values, rows, columns) for name, values in images.items()}


def _indices(key: jax.Array, size: int, flip: bool, shift: int) -> jax.Array:
    """Returns (2, size): which row, and which column, of the image comes where."""
    for_flip, for_shift = jax.random.split(key)
    mirrored = jax.random.bernoulli(for_flip, 0.5, (2, 1)) & flip
    moved = jax.random.randint(for_shift, (2, 1), -shift, shift + 1)
    straight = jnp.arange(size)
    index = jnp.where(mirrored, size - 1 - straight, straight)
    return jnp.clip(index - moved, 0, size - 1)
