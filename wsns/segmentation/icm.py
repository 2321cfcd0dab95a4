"""Multi-phase segmentation of a slice by iterated conditional modes, on the device.

Lowers the energy of `wsns.segmentation.energy`. Pixels of one colour, (row mod 2, column mod 2), are no neighbours,
so a colour is updated at once and the energy never rises. Re-estimated means are those of least energy for the
labels held, so that it does not rise as a function of labels and means either. In this module a labelling is held
as one plane per colour.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from wsns.segmentation.energy import DIAGONAL, MEANS, clip, data_cost, variance

OUTSIDE = -1
COLOURS = ((0, 0), (0, 1), (1, 0), (1, 1))
NEIGHBOURS = tuple(
    (dy, dx, DIAGONAL if dy and dx else 1.0) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx
)

State = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""Planes, means, sweeps made, whether the last one changed a label."""


class Phases(NamedTuple):
    """What `icm` ends with.

    labels: (S, S) int32, the phase of each pixel; 0 outside the box.
    means: (phases,) float32 in HU, ascending.
    sweeps: scalar int32, how many were made, the last one included that changed nothing.
    """

    labels: jax.Array
    means: jax.Array
    sweeps: jax.Array


def to_planes(image: jax.Array) -> jax.Array:
    """Splits (..., S, S) by colour into (..., 2, 2, S/2, S/2); S even."""
    *rest, rows, columns = image.shape
    split = image.reshape(*rest, rows // 2, 2, columns // 2, 2)
    return jnp.moveaxis(split, (-3, -1), (-4, -3))


def from_planes(planes: jax.Array) -> jax.Array:
    """Undoes `to_planes`: (..., 2, 2, S/2, S/2) to (..., S, S)."""
    *rest, _, _, rows, columns = planes.shape
    return jnp.moveaxis(planes, (-4, -3), (-3, -1)).reshape(*rest, 2 * rows, 2 * columns)


def half_sweep(planes: jax.Array, cost: jax.Array, beta: float, colour: tuple[int, int]) -> jax.Array:
    """Gives every pixel of one colour the phase of least energy, all others held.

    Args:
        planes: labels by colour (2, 2, h, w), `OUTSIDE` outside the box.
        cost: the data cost by colour (phases, 2, 2, h, w).
        beta: weight of the boundary.
        colour: (row, column) modulo 2.

    Returns:
        The new labels by colour.
    """
    row, column = colour
    own = planes[row, column]
    padded = jnp.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=OUTSIDE)
    phases = jnp.arange(cost.shape[0], dtype=planes.dtype)[:, None, None]
    total = cost[:, row, column]
    for dy, dx, weight in NEIGHBOURS:
        down, y = divmod(row + dy, 2)
        right, x = divmod(column + dx, 2)
        neighbour = jax.lax.dynamic_slice(padded[y, x], (1 + down, 1 + right), own.shape)
        total = total - beta * weight * (neighbour == phases)
    best = jnp.argmin(total, axis=0).astype(planes.dtype)
    return planes.at[row, column].set(jnp.where(own == OUTSIDE, own, best))


def phase_means(planes: jax.Array, intensity: jax.Array, means: jax.Array) -> jax.Array:
    """Returns the mean intensity (phases,) of each phase's pixels; a phase without any keeps its mean.

    Args:
        planes: labels by colour (2, 2, h, w), `OUTSIDE` outside the box.
        intensity: (2, 2, h, w), see `clip`.
        means: (phases,) up to now.
    """
    phases = jnp.arange(len(means)).reshape(-1, 1, 1, 1, 1)
    of = planes == phases
    # Sums of what is left over from the old mean are small: float32 keeps more of them.
    rest = jnp.where(of, intensity - means.reshape(phases.shape), 0.0)
    axes = (1, 2, 3, 4)
    return means + rest.sum(axes) / jnp.maximum(of.sum(axes), 1)


def ascending(planes: jax.Array, means: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Renumbers the phases by ascending mean, at the same energy: means of their own may have crossed.

    Args:
        planes: labels by colour (2, 2, h, w), `OUTSIDE` outside the box.
        means: (phases,) in HU.
    """
    order = jnp.argsort(means)
    rank = jnp.argsort(order).astype(planes.dtype)
    return jnp.where(planes == OUTSIDE, OUTSIDE, rank[planes]), means[order]


@functools.partial(jax.jit, static_argnames=("sweeps", "reestimate"))
def icm(
    hu: jax.Array,
    box: jax.Array,
    means: jax.Array | tuple[float, ...] = MEANS,
    beta: float = 0.3,
    sweeps: int = 8,
    reestimate: bool = False,
) -> Phases:
    """Labels one slice and says with which means; `jax.vmap` it for many.

    Starts at the nearest mean and sweeps until no label changes, at most `sweeps` times.

    Args:
        hu: (S, S) in HU.
        box: (S, S) bool, see `lung_box`.
        means: (phases,) in HU, ascending.
        beta: weight of the boundary.
        sweeps: most sweeps over the four colours.
        reestimate: whether each sweep ends with `phase_means`; else the means stay.
    """
    rows, columns = hu.shape
    even = ((0, rows % 2), (0, columns % 2))
    inside, intensity = to_planes(jnp.pad(box, even)), to_planes(jnp.pad(clip(hu), even))
    cost_of = functools.partial(data_cost, intensity, variance(hu, box))
    first = jnp.asarray(means, jnp.float32)
    cost = cost_of(first)
    start = jnp.where(inside, jnp.argmin(cost, axis=0), OUTSIDE).astype(jnp.int32)

    def sweep(state: State) -> State:
        planes, now, done, _ = state
        costs = cost_of(now) if reestimate else cost
        swept = planes
        for colour in COLOURS:
            swept = half_sweep(swept, costs, beta, colour)
        changed = (swept != planes).any()
        if reestimate:
            now = phase_means(swept, intensity, now)
            # The first sweep has the given means: labels that it leaves alone may change with their own.
            changed |= done == 0
        return swept, now, done + 1, changed

    state = (start, first, jnp.int32(0), jnp.bool_(True))
    planes, last, done, _ = jax.lax.while_loop(lambda s: s[3] & (s[2] < sweeps), sweep, state)
    if reestimate:
        planes, last = ascending(planes, last)
    return Phases(jnp.maximum(from_planes(planes)[:rows, :columns], 0), last, done)
