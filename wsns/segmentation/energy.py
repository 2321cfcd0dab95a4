"""The energy of a multi-phase labelling of a slice.

Of a labelling l over the pixels x of the lung box:
    E(l) = sum_x (I_x - mu_l(x))^2 / s^2  +  beta sum_{x~y} w_xy [l_x != l_y]
with I the HU clipped to the window, s^2 its variance in the box, 8-neighbours (each pair once) and w = 1 for
neighbours along an axis, 1/sqrt(2) along a diagonal. Pixels outside the box cost nothing.
"""

import jax
import jax.numpy as jnp

WINDOW = (-1000.0, 400.0)
MEANS = (-900.0, -700.0, -600.0, -200.0)
DIAGONAL = 2**-0.5


def lung_box(lungs: jax.Array) -> jax.Array:
    """Returns the bounding box (S, S) bool of the lungs (S, S); empty where there are none."""

    def span(line: jax.Array) -> jax.Array:
        return (jnp.cumsum(line) > 0) & (jnp.cumsum(line[::-1])[::-1] > 0)

    inside = lungs > 0
    return span(inside.any(axis=1))[:, None] & span(inside.any(axis=0))[None, :]


def clip(hu: jax.Array) -> jax.Array:
    """Returns the intensities I (..., S, S), float32: HU clipped to the window."""
    return jnp.clip(hu.astype(jnp.float32), *WINDOW)


def variance(hu: jax.Array, box: jax.Array) -> jax.Array:
    """Returns s^2 in HU^2, a scalar, of a slice (S, S) in HU in its box (S, S) bool; at least 1."""
    clipped = clip(hu)
    count = jnp.maximum(box.sum(), 1)
    centre = jnp.where(box, clipped, 0.0).sum() / count
    # A box of one value has no variance; 1 HU^2 keeps the cost finite and the nearest mean the cheapest.
    return jnp.maximum(jnp.where(box, (clipped - centre) ** 2, 0.0).sum() / count, 1.0)


def data_cost(intensity: jax.Array, variance: jax.Array, means: jax.Array) -> jax.Array:
    """Returns (I - mu)^2 / s^2 as (phases, ...).

    Args:
        intensity: (...) in HU, see `clip`.
        variance: s^2 in HU^2.
        means: (phases,) in HU.
    """
    return (intensity - means.reshape(-1, *(1,) * intensity.ndim)) ** 2 / variance


def energy(
    labels: jax.Array,
    hu: jax.Array,
    box: jax.Array,
    means: jax.Array | tuple[float, ...] = MEANS,
    beta: float = 0.3,
) -> jax.Array:
    """Returns E(l), a scalar, of a labelling (S, S) int; see the module's text for the terms."""
    cost = data_cost(clip(hu), variance(hu, box), jnp.asarray(means))
    total = jnp.where(box, jnp.take_along_axis(cost, labels[None], axis=0)[0], 0.0).sum()
    for dy, dx, weight in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, DIAGONAL), (1, -1, DIAGONAL)):
        here, there = _pair(labels, dy, dx)
        inside_here, inside_there = _pair(box, dy, dx)
        total += beta * weight * ((here != there) & inside_here & inside_there).sum()
    return total


def _pair(image: jax.Array, dy: int, dx: int) -> tuple[jax.Array, jax.Array]:
    """Returns the image and its copy shifted by (dy >= 0, dx), both cut to where the two overlap."""
    rows, columns = image.shape
    left, right = max(-dx, 0), columns - max(dx, 0)
    return image[: rows - dy, left:right], image[dy:, left + dx : right + dx]
