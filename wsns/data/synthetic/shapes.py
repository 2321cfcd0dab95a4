"""Procedural patches to pretrain on: blobs against tubes and walls, in randomised appearance.

A stand-in for ImageNet where no kernels of a photograph network fit. Only shapes drawn from random numbers
are used, never a slice and never a reader's mask; a result that stands on it must say "pretrained on
synthetic shapes".
"""

import numpy as np

VERSION = 2
LUNG, TISSUE = -870.0, 30.0  # HU
_BATCH = 100  # patches drawn at once: their temporaries stay small
_CROWDED = 48  # px: a patch of this side has three tubes and one blob, a larger one more


def patches(
    seed: int, count: int, *, size: int = 96, radius: tuple[float, float] = (1.5, 8.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Draws patches, half of them with blobs, in random order, and where the blobs are.

    All have tubes, specks and walls, so that only the blobs tell them apart. Tubes run mostly in the plane,
    at least three diameters long: one cut straight across is a disc and would be a lie.

    Args:
        seed: the same seed gives the same patches.
        count: how many.
        size: rows and columns of a patch, in pixels of the network's input.
        radius: smallest and largest radius of a blob, px; small ones are more frequent.

    Returns:
        images (count, size, size) float32 in HU and blobs (count, size, size) uint8, 1 inside a blob.
    """
    rng = np.random.default_rng((VERSION, seed))
    with_blob = rng.permutation(np.arange(count) % 2).astype(bool)
    images = np.empty((count, size, size), np.float32)
    blobs = np.empty((count, size, size), np.uint8)
    for first in range(0, count, _BATCH):
        some = slice(first, min(first + _BATCH, count))
        images[some], blobs[some] = _draw(rng, with_blob[some], size, radius)
    return images, blobs


def _draw(
    rng: np.random.Generator, with_blob: np.ndarray, size: int, radius: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    n = len(with_blob)
    crowd = max(1, round((size / _CROWDED) ** 2))
    edge = rng.uniform(0.6, 1.2, (n, 1, 1)).astype(np.float32)  # px, shared by all shapes of a patch
    image = np.full((n, size, size), LUNG, np.float32)
    blood = _per_patch(rng.normal(TISSUE, 40, n) + rng.choice([0, 150], n, p=[0.7, 0.3]))
    for _ in range(crowd):
        _lay(image, blood, _specks(rng, n, size))
        for chance in (0.8, 0.6, 0.4):
            _lay(image, blood, _tube(rng, n, size, edge) * (rng.random((n, 1, 1)) < chance))
    _lay(image, _per_patch(rng.normal(TISSUE, 25, n)), _wall(rng, n, size, edge))
    covered = np.zeros_like(image)
    for number in range(crowd):
        faint = rng.random(n) < 0.25
        density = np.where(faint, rng.uniform(-650, -350, n), rng.normal(0, 50, n))
        there = with_blob & ((number == 0) | (rng.random(n) < 0.3))
        cover = _blob(rng, image, radius, edge) * there[:, None, None]
        _lay(image, _per_patch(density), cover)
        np.maximum(covered, cover, out=covered)
    return _appearance(rng, image), (covered > 0.3).astype(np.uint8)


def _lay(image: np.ndarray, value: np.ndarray, weight: np.ndarray) -> None:
    """Blends denser tissue in; what is denser already stays."""
    np.maximum(image, image + weight * (value - image), out=image)


def _blob(
    rng: np.random.Generator, image: np.ndarray, radius: tuple[float, float], edge: np.ndarray
) -> np.ndarray:
    """Returns the coverage (n, size, size) of one lobed ellipse per patch, inside it and seldom hidden."""
    n, size = image.shape[:2]
    r = np.exp(rng.uniform(np.log(radius[0]), np.log(radius[1]), n))
    stretch = np.exp(rng.uniform(0, 0.35, n))
    reach = 1.1 * r * np.sqrt(stretch) + 1
    x, y = (_grid(size, axis) - _per_patch(c) for axis, c in zip((2, 1), _place(rng, image, reach)))
    turn = rng.uniform(0, np.pi, n)
    c, s = _per_patch(np.cos(turn)), _per_patch(np.sin(turn))
    u, v = (c * x + s * y) / _per_patch(np.sqrt(stretch)), (c * y - s * x) * _per_patch(np.sqrt(stretch))
    angle = np.arctan2(v, u)
    outline = _per_patch(np.ones(n))
    for lobes in (2, 3, 5):
        depth, phase = rng.normal(0, 0.12 / lobes, n), rng.uniform(0, 2 * np.pi, n)
        outline = outline + _per_patch(depth) * np.cos(lobes * angle + _per_patch(phase))
    return _soft(_per_patch(r) * outline - np.hypot(u, v), edge) * _per_patch(rng.uniform(0.6, 1.0, n))


def _tube(rng: np.random.Generator, n: int, size: int, edge: np.ndarray) -> np.ndarray:
    """Returns the coverage of one bent and perhaps forked tube per patch, thinner towards its end."""
    r = np.exp(rng.uniform(np.log(0.5), np.log(3.5), n))
    length = np.maximum(rng.uniform(0.5, 1.4, n) * size, 7 * r)
    heading = rng.uniform(0, 2 * np.pi, n)
    middle = rng.uniform(0.1 * size, 0.9 * size, (2, n))
    start = middle - length / 2 * np.array([np.cos(heading), np.sin(heading)])
    taper = rng.uniform(0.5, 1.0, n)
    depth = np.full((n, size, size), -np.inf, np.float32)
    bend = rng.normal(0, 0.25, n)
    for step in range(4):
        end = start + length / 4 * np.array([np.cos(heading), np.sin(heading)])
        radii = r * (1 - (1 - taper) * step / 4), r * (1 - (1 - taper) * (step + 1) / 4)
        np.maximum(depth, _segment(start, end, radii, size), out=depth)
        if step == 1:
            side = heading + rng.choice([-1, 1], n) * rng.uniform(0.5, 1.0, n)
            tip = end + length / 2 * np.array([np.cos(side), np.sin(side)])
            branch = _segment(end, tip, (0.7 * radii[1], 0.5 * radii[1]), size)
            np.maximum(depth, np.where(_per_patch(rng.random(n)) < 0.4, branch, -np.inf), out=depth)
        start, heading = end, heading + bend + rng.normal(0, 0.15, n)
    thin = _per_patch(np.clip(0.35 + 0.4 * r, 0, 1))
    return _soft(depth, edge) * thin


def _specks(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Returns the coverage of up to six specks per patch: small vessels cut across, below a blob's size."""
    x, y = (rng.uniform(0, size, (n, 6, 1)) for _ in range(2))
    sd = rng.uniform(0.5, 0.9, (n, 6, 1))
    strength = rng.uniform(0.2, 0.9, (n, 6, 1)) * (rng.random((n, 6, 1)) < rng.random((n, 1, 1)))
    grid = np.arange(size)
    columns, rows = (np.exp(-(((grid - centre) / sd) ** 2) / 2).astype(np.float32) for centre in (x, y))
    return np.minimum((strength * rows).astype(np.float32).transpose(0, 2, 1) @ columns, 1)


def _segment(
    start: np.ndarray, end: np.ndarray, radii: tuple[np.ndarray, np.ndarray], size: int
) -> np.ndarray:
    """Returns the depth (px, positive inside) of each pixel in a tapering piece, from start to end (2, n)."""
    ax, ay = (_per_patch(v) for v in end - start)
    dx, dy = _grid(size, 2) - _per_patch(start[0]), _grid(size, 1) - _per_patch(start[1])
    u = np.clip((dx * ax + dy * ay) / (ax * ax + ay * ay + 1e-6), 0, 1)
    first, last = (_per_patch(r) for r in radii)
    return first + u * (last - first) - np.hypot(dx - u * ax, dy - u * ay)


def _wall(rng: np.random.Generator, n: int, size: int, edge: np.ndarray) -> np.ndarray:
    """Returns the coverage of a bent half plane of tissue at the rim of two patches in five."""
    turn = rng.uniform(0, 2 * np.pi, n)
    c, s = _per_patch(np.cos(turn)), _per_patch(np.sin(turn))
    x, y = _grid(size, 2) - size / 2, _grid(size, 1) - size / 2
    bow = _per_patch(rng.normal(0, 0.25 / size, n))
    offset = _per_patch(rng.uniform(0.1, 0.5, n) * size)
    depth = c * x + s * y + bow * (c * y - s * x) ** 2 - offset
    return _soft(depth, edge) * (rng.random((n, 1, 1)) < 0.4)


def _appearance(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Randomises what differs between scanners: sharpness, noise and its grain, scale and offset of HU."""
    n = len(image)
    image += _per_patch(rng.uniform(-0.3, 0.3, n)) * (_blurred(image, 0.25) - image) / 0.3
    noise = rng.standard_normal(image.shape, np.float32)
    grain = rng.uniform(0, 0.3, n)
    noise = _blurred(noise, _per_patch(grain)) / _per_patch((1 - 2 * grain) ** 2 + 2 * grain**2)
    texture = _texture(rng, n, image.shape[1])
    image += noise * _per_patch(np.exp(rng.uniform(np.log(4), np.log(45), n)))
    image += texture * _per_patch(rng.uniform(0, 25, n))
    image += 1000
    image *= _per_patch(rng.uniform(0.92, 1.08, n))
    return image - 1000 + _per_patch(rng.normal(0, 20, n))


def _texture(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Returns slow variation of unit SD, as lung tissue has: random values every 6 px, interpolated."""
    knots = size // 6 + 2
    position = np.arange(size) / 6
    up = np.maximum(1 - np.abs(position[:, None] - np.arange(knots)), 0).astype(np.float32)
    return up @ rng.standard_normal((n, knots, knots), np.float32) @ up.T


def _blurred(image: np.ndarray, side: np.ndarray | float) -> np.ndarray:
    """Filters rows and columns by (side, 1 - 2 side, side)."""
    for axis in (1, 2):
        wide = np.pad(image, [(0, 0) if a != axis else (1, 1) for a in range(3)], mode="reflect")
        low, high = (np.take(wide, np.arange(image.shape[axis]) + o, axis) for o in (0, 2))
        image = image + np.float32(side) * (low + high - 2 * image)
    return image


def _soft(depth: np.ndarray, edge: np.ndarray) -> np.ndarray:
    t = np.clip(0.5 + 0.5 * depth / edge, 0, 1)
    return t * t * (3 - 2 * t)


def _place(rng: np.random.Generator, image: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Returns (2, n) x, y: of four random places in each patch the one with the least dense middle."""
    n, size = image.shape[:2]
    low, high = np.minimum(reach, size / 2), np.maximum(size - 1 - reach, size / 2)
    places = rng.uniform(low, high, (4, 2, n))
    x, y = np.rint(places).astype(int).transpose(1, 0, 2)
    return places[image[np.arange(n), y, x].argmin(axis=0), :, np.arange(n)].T


def _grid(size: int, axis: int) -> np.ndarray:
    return np.arange(size, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(3)])


def _per_patch(values: np.ndarray | float) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]
