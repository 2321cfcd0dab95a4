"""Nodules drawn from random numbers, in the form in which readers' drawings come: no reader has drawn them."""

import numpy as np

from wsns.data.lidc.annotations import Annotation, Cluster, Scan
from wsns.data.synthetic import anatomy
from wsns.data.synthetic.renderer import SIZE

RADIUS = (4.0, 0.65)
"""Median, mm, and SD on the logarithmic scale, of the radius."""
SMALLEST, LARGEST = 1.5, 16.0
_TEXTURE = (0.10, 0.08, 0.10, 0.20, 0.52)
_SUBTLETY = (0.05, 0.15, 0.25, 0.30, 0.25)
_LOBES = 9


def draw_radius(rng: np.random.Generator) -> float:
    """Draws a nodule's radius, mm."""
    return float(np.clip(RADIUS[0] * np.exp(RADIUS[1] * rng.normal()), SMALLEST, LARGEST))


def draw_place(
    rng: np.random.Generator, chest: anatomy.Anatomy, z: float, radius: float, *, at_pleura: bool
) -> np.ndarray | None:
    """Draws a nodule's centre (3,) in mm so that slice z cuts it; None where the lungs have no such place.

    Args:
        rng: the source of chance.
        chest: the anatomy.
        z: of the slice, mm.
        radius: of the nodule, mm.
        at_pleura: it touches the lungs' surface; else it lies inside.
    """
    level = z + radius * rng.uniform(-0.75, 0.75)
    points = np.array(chest.centre) + rng.uniform(-1, 1, (400, 2)) * chest.half
    depth = -anatomy.lung_distance(chest, points[:, 0], points[:, 1], level)
    low, high = (0.0, 0.9 * radius) if at_pleura else (0.9 * radius, np.inf)
    fitting = np.flatnonzero((depth > low) & (depth < high))
    return np.array([*points[fitting[0]], level]) if len(fitting) else None


def draw_nodule(rng: np.random.Generator, scan: Scan, centre: np.ndarray, radius: float) -> Cluster:
    """Draws a lobed, stretched body, seldom with spicules, as one reader would have outlined and scored it.

    Args:
        rng: the source of chance.
        scan: for its pixels and slices.
        centre: (3,) x, y, z in mm; x and y count from the middle of the image.
        radius: mm.
    """
    stretch = np.exp(rng.normal(0, 0.18, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    waves = rng.normal(0, 1.6, (_LOBES, 3))
    depths = rng.normal(0, 0.07, _LOBES)
    if rng.random() < 0.15:
        waves, depths = 3 * waves, 1.6 * depths
    phases = rng.uniform(0, 2 * np.pi, _LOBES)

    reach = 1.8 * radius * stretch.max() + scan.spacing
    k = np.flatnonzero(np.abs(scan.z - centre[2]) <= reach)
    if not len(k):
        k = np.array([np.abs(scan.z - centre[2]).argmin()])
    middle = (SIZE - 1) / 2
    j, i = (
        np.arange(int((c - reach) / scan.spacing + middle), int((c + reach) / scan.spacing + middle) + 2)
        for c in centre[:2]
    )
    offsets = np.stack(
        np.broadcast_arrays(
            ((j - middle) * scan.spacing - centre[0])[None, None],
            ((i - middle) * scan.spacing - centre[1])[None, :, None],
            (scan.z[k] - centre[2])[:, None, None],
        ),
        axis=-1,
    )
    away = np.sqrt(((offsets @ turn / stretch) ** 2).sum(axis=-1))
    direction = offsets / (np.linalg.norm(offsets, axis=-1, keepdims=True) + 1e-6)
    outline = radius * (1 + np.cos(direction @ waves.T + phases) @ depths)
    scores = (int(rng.choice(5, p=p)) + 1 for p in (_TEXTURE, _SUBTLETY))
    texture, subtlety = scores
    reader = Annotation(0, texture, subtlety, 3, ())
    return Cluster((reader,), (int(k[0]), int(i[0]), int(j[0])), (away < outline)[None])
