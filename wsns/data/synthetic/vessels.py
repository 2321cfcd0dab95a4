"""Branching tubes of the synthetic chest, and how they appear in a slice."""

import dataclasses
from collections.abc import Iterable

import numpy as np

_BOXES = (
    8,
    12,
    18,
    28,
    44,
    72,
    112,
    180,
    300,
    512,
)  # px; every capsule is drawn in the smallest that holds it
_THINNEST = 0.3  # mm
_AT_ONCE = 200_000  # pixels evaluated in one go, so that temporaries stay in cache


@dataclasses.dataclass(frozen=True, eq=False)
class Capsules:
    """Straight pieces of tubes with round ends, mm: (N, 3) float32 `start`, `end` (x, y, z), (N,) `radius`.

    `strength` (N,) scales what a tube fills of a pixel: walls are fainter than blood.
    """

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    strength: np.ndarray

    def widened(self, by: np.ndarray | float, strength: float) -> "Capsules":
        """Returns the same tubes with a larger radius (mm) and another strength, for walls."""
        radius = (self.radius + by).astype(np.float32)
        return Capsules(self.start, self.end, radius, np.full_like(radius, strength))


def tubes(start: np.ndarray, end: np.ndarray, radius: np.ndarray) -> Capsules:
    """Returns N capsules of full strength, from `start` (N, 3) to `end` (N, 3) of `radius` (N,), all in mm."""
    start, end, radius = (np.asarray(v, np.float32) for v in (start, end, radius))
    return Capsules(start, end, radius, np.ones_like(radius))


def join(parts: Iterable[Capsules]) -> Capsules:
    """Returns all capsules as one set."""
    listed = list(parts)
    return Capsules(
        *(np.concatenate([getattr(p, f) for p in listed]) for f in ("start", "end", "radius", "strength"))
    )


def grow(rng: np.random.Generator, points: np.ndarray, root: np.ndarray, leaf: float) -> Capsules:
    """Grows a tree from a root to every point, by recursive bisection of the points.

    Each group of points gets a branch from its parent's end half way to its own middle and is then split
    at the median of its widest direction. A branch that feeds n points has radius leaf * n^(1/3).

    Args:
        rng: the source of chance.
        points: (N, 3) ends of the tree, mm.
        root: (3,) where it starts.
        leaf: radius of the last branches, mm.
    """
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points, starts = points @ turn, (root @ turn)[None]
    counts = np.array([len(points)])
    pieces = []
    while len(points):
        offsets = np.cumsum(counts) - counts
        middle = np.add.reduceat(points, offsets) / counts[:, None]
        reach = np.where(counts == 1, 1.0, rng.uniform(0.35, 0.65, len(counts)))[:, None]
        ends = starts + reach * (middle - starts)
        pieces.append((starts, ends, np.maximum(leaf * counts ** (1 / 3), _THINNEST)))
        points, counts, starts = _bisect(points, counts, offsets, ends)
    start, end, radius = (np.concatenate(column) for column in zip(*pieces))
    start, end, radius = _bend(rng, start, end, radius)
    return tubes(start @ turn.T, end @ turn.T, radius)


def occupancy(capsules: Capsules, levels: np.ndarray, spacing: float, size: int, blur: float) -> np.ndarray:
    """Returns how much of each pixel of one slice the tubes fill, averaged over the slice's thickness.

    Args:
        capsules: the tubes; x and y from the middle of the image.
        levels: (S,) z of the planes that sample the slice's thickness, mm.
        spacing: pixel size, mm.
        size: rows and columns of the slice.
        blur: SD of the scanner's point spread, mm; a tube thinner than it fades instead of vanishing.

    Returns:
        (size, size) float32 in 0..1.
    """
    capsules = _as_seen(capsules, blur)
    total = np.zeros(size * size, np.float32)
    for z in levels:
        plane = np.zeros_like(total)
        _draw_plane(plane, capsules, float(z), spacing, size, blur)
        total += plane
    return (total / len(levels)).reshape(size, size)


def _bisect(
    points: np.ndarray, counts: np.ndarray, offsets: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Splits every group of two or more points; groups of one are done and leave."""
    group = np.repeat(np.arange(len(counts)), counts)
    extent = np.maximum.reduceat(points, offsets) - np.minimum.reduceat(points, offsets)
    key = np.take_along_axis(points, extent.argmax(axis=1)[group][:, None], axis=1)[:, 0]
    points = points[np.lexsort((key, group))]
    halves = np.stack([counts // 2, counts - counts // 2], axis=1)[counts > 1]
    return points[(counts > 1)[group]], halves.ravel(), np.repeat(ends[counts > 1], 2, axis=0)


def _bend(
    rng: np.random.Generator, start: np.ndarray, end: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Replaces each piece by two that meet a little beside its middle."""
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    middle = (start + end) / 2 + 0.08 * length * rng.normal(size=start.shape)
    return np.concatenate([start, middle]), np.concatenate([middle, end]), np.concatenate([radius, radius])


def _as_seen(capsules: Capsules, blur: float) -> Capsules:
    """Returns the capsules as the scanner shows them: the thinner, the wider and fainter, their area kept."""
    radius = capsules.radius
    peak = 1 - np.exp(-(radius**2) / (2 * blur**2))
    seen = np.sqrt(radius**2 + 1.5 * (1 - peak) * blur**2).astype(np.float32)
    strength = (capsules.strength * peak / _edge(seen, blur)).astype(np.float32)
    return Capsules(capsules.start, capsules.end, seen, strength)


def _draw_plane(
    plane: np.ndarray, capsules: Capsules, z: float, spacing: float, size: int, blur: float
) -> None:
    """Draws the tubes' section at z into a flat image, the larger value winning."""
    start, end, radius, strength = _clipped(capsules, z, 1.3 * blur)
    half = np.abs(end - start)[:, :2].max(axis=1) / 2 + radius + 1.3 * blur
    box = np.searchsorted(_BOXES, 2 * half / spacing + 1)
    for b in np.unique(box):
        side = _BOXES[min(b, len(_BOXES) - 1)]
        members = np.flatnonzero(box == b)
        for some in np.split(members, range(_AT_ONCE // side**2 + 1, len(members), _AT_ONCE // side**2 + 1)):
            _draw_boxes(
                plane, (start[some], end[some], radius[some], strength[some]), side, z, spacing, size, blur
            )


def _clipped(capsules: Capsules, z: float, margin: float) -> tuple[np.ndarray, ...]:
    """Returns the parts of the capsules near the plane z: what lies farther than its radius shows nothing."""
    a, b = capsules.start[:, 2], capsules.end[:, 2]
    reach = capsules.radius + margin
    near = (np.minimum(a, b) - reach < z) & (np.maximum(a, b) + reach > z)
    start, end, radius, reach = capsules.start[near], capsules.end[near], capsules.radius[near], reach[near]
    along = end - start
    rise = np.where(np.abs(along[:, 2]) < 1e-3, 1e-3, along[:, 2])
    one, two = (z - reach - start[:, 2]) / rise, (z + reach - start[:, 2]) / rise
    first = np.clip(np.minimum(one, two), 0, 1)[:, None]
    last = np.clip(np.maximum(one, two), 0, 1)[:, None]
    return start + first * along, start + last * along, radius, capsules.strength[near]


def _draw_boxes(
    plane: np.ndarray,
    capsules: tuple[np.ndarray, ...],
    side: int,
    z: float,
    spacing: float,
    size: int,
    blur: float,
) -> None:
    start, end, radius, strength = capsules
    middle = (start + end)[:, :2] / (2 * spacing) + (size - 1) / 2
    corner = np.clip(np.rint(middle).astype(int) - side // 2, 0, max(size - side, 0))
    pixels = np.arange(min(side, size))
    column = corner[:, 0, None] + pixels
    row = corner[:, 1, None] + pixels
    to_mm = (np.float32(spacing), np.float32((size - 1) / 2 * spacing))
    dx = (column * to_mm[0] - to_mm[1] - start[:, 0, None]).astype(np.float32)[:, None, :]
    dy = (row * to_mm[0] - to_mm[1] - start[:, 1, None]).astype(np.float32)[:, :, None]
    dz = (np.float32(z) - start[:, 2])[:, None, None]
    ax, ay, az = (v[:, None, None] for v in (end - start).T)
    u = np.clip((dx * ax + dy * ay + dz * az) / np.maximum(ax * ax + ay * ay + az * az, 1e-6), 0, 1)
    distance = np.sqrt((dx - u * ax) ** 2 + (dy - u * ay) ** 2 + (dz - u * az) ** 2)
    edge = _edge(radius[:, None, None] - distance, blur)
    index = row[:, :, None] * size + column[:, None, :]
    np.maximum.at(plane, index.ravel(), (strength[:, None, None] * edge).ravel())


def _edge(depth: np.ndarray, blur: float) -> np.ndarray:
    """A smooth step over +-1.3 SD, close to the error function of a blurred edge."""
    s = np.clip(0.5 + depth * np.float32(0.385 / blur), 0, 1)
    return s * s * (3 - 2 * s)
