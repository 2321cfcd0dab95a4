"""Multi-phase segmentation of a slice by iterated conditional modes, on the device.

The energy of a labelling l over the pixels x of the lung box:
    E(l) = sum_x (I_x - mu_l(x))^2 / s^2  +  beta sum_{x~y} w_xy [l_x != l_y]
with I the HU clipped to the window, s^2 its variance in the box, 8-neighbours (each pair once) and w = 1 for
neighbours along an axis, 1/sqrt(2) along a diagonal. Pixels outside the box cost nothing.

Pixels of one colour, (row mod 2, column mod 2), are no neighbours, so a colour is updated at once and the
energy never rises. Inside this module a labelling is held as one plane per colour.
"""

import functools

import jax
import jax.numpy as jnp

WINDOW = (-1000.0, 400.0)
MEANS = (-900.0, -700.0, -600.0, -200.0)
OUTSIDE = -1
COLOURS = ((0, 0), (0, 1), (1, 0), (1, 1))
DIAGONAL = 2**-0.5
NEIGHBOURS = tuple(
    (dy, dx, DIAGONAL if dy and dx else 1.0) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx
)


def lung_box(lungs: jax.Array) -> jax.Array:
    """Returns the bounding box (S, S) bool of the lungs (S, S); empty where there are none."""

    def span(line: jax.Array) -> jax.Array:
        return (jnp.cumsum(line) > 0) & (jnp.cumsum(line[::-1])[::-1] > 0)

    inside = lungs > 0
    return span(inside.any(axis=1))[:, None] & span(inside.any(axis=0))[None, :]


def data_cost(hu: jax.Array, box: jax.Array, means: jax.Array) -> jax.Array:
    """Returns (I - mu)^2 / s^2 as (phases, S, S), 0 outside the box.

    Args:
        hu: (S, S) in HU.
        box: (S, S) bool.
        means: (phases,) in HU.
    """
    clipped = jnp.clip(hu.astype(jnp.float32), *WINDOW)
    count = jnp.maximum(box.sum(), 1)
    centre = jnp.where(box, clipped, 0.0).sum() / count
    variance = jnp.where(box, (clipped - centre) ** 2, 0.0).sum() / count
    # A box of one value has no variance; 1 HU^2 keeps the cost finite and the nearest mean the cheapest.
    cost = (clipped - means[:, None, None]) ** 2 / jnp.maximum(variance, 1.0)
    return jnp.where(box, cost, 0.0)


def energy(
    labels: jax.Array,
    hu: jax.Array,
    box: jax.Array,
    means: jax.Array | tuple[float, ...] = MEANS,
    beta: float = 0.3,
) -> jax.Array:
    """Returns E(l), a scalar, of a labelling (S, S) int; see the module's text for the terms."""
    cost = data_cost(hu, box, jnp.asarray(means))
    total = jnp.take_along_axis(cost, labels[None], axis=0).sum()
    for dy, dx, weight in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, DIAGONAL), (1, -1, DIAGONAL)):
        here, there = _pair(labels, dy, dx)
        inside_here, inside_there = _pair(box, dy, dx)
        total += beta * weight * ((here != there) & inside_here & inside_there).sum()
    return total


def to_planes(image: jax.Array) -> jax.Array:
    """Splits (..., S, S) by colour into (..., 2, 2, S/2, S/2); S even."""
    *rest, rows, columns = image.shape
    split = image.reshape(*rest, rows // 2, 2, columns // 2, 2)
    return jnp.moveaxis(split, (-3, -1), (-4, -3))


def from_planes(planes: jax.Array) -> jax.Array:
    """Undoes `to_planes`."""
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


@functools.partial(jax.jit, static_argnames="sweeps")
def icm(
    hu: jax.Array,
    box: jax.Array,
    means: jax.Array | tuple[float, ...] = MEANS,
    beta: float = 0.3,
    sweeps: int = 8,
) -> jax.Array:
    """Labels one slice; `jax.vmap` it for many.

    Starts at the nearest mean and sweeps until nothing changes, at most `sweeps` times.

    Args:
        hu: (S, S) in HU.
        box: (S, S) bool, see `lung_box`.
        means: (phases,) in HU, ascending, held fixed.
        beta: weight of the boundary.
        sweeps: most sweeps over the four colours.

    Returns:
        (S, S) int32, the phase of each pixel; 0 outside the box.
    """
    rows, columns = hu.shape
    even = ((0, rows % 2), (0, columns % 2))
    inside = jnp.pad(box, even)
    cost = data_cost(jnp.pad(hu, even), inside, jnp.asarray(means))
    start = jnp.where(inside, jnp.argmin(cost, axis=0), OUTSIDE).astype(jnp.int32)
    by_colour = to_planes(cost)

    def sweep(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        planes, done, _ = state
        swept = planes
        for colour in COLOURS:
            swept = half_sweep(swept, by_colour, beta, colour)
        return swept, done + 1, (swept != planes).any()

    state = (to_planes(start), jnp.int32(0), jnp.bool_(True))
    planes, _, _ = jax.lax.while_loop(lambda s: s[2] & (s[1] < sweeps), sweep, state)
    return jnp.maximum(from_planes(planes)[:rows, :columns], 0)


def _pair(image: jax.Array, dy: int, dx: int) -> tuple[jax.Array, jax.Array]:
    """Returns the image and its copy shifted by (dy >= 0, dx), both cut to where the two overlap."""
    rows, columns = image.shape
    left, right = max(-dx, 0), columns - max(dx, 0)
    return image[: rows - dy, left:right], image[dy:, left + dx : right + dx]
