"""The shape of one synthetic chest, as signed distances (mm, negative inside).

Coordinates are millimetres: x to the patient's left, y to the back, both from the middle of the image, and
the scan's own z upwards. Every distance is an approximation that is good near its surface, which is all
that a soft edge needs.
"""

import dataclasses
import functools

import numpy as np

from wsns.data.synthetic.signed_distance import ellipse, segment_distance, smooth_max


@dataclasses.dataclass(frozen=True, eq=False)
class Anatomy:
    """The parameters of one chest, in mm.

    `centre` is the (x, y) of the thoracic cavity, `half` its half axes, `base` and `apex` the z of the
    lungs' ends, `domes` the heights of the right and left diaphragm, `heart` the heart's half axes
    (x, y, z), `column` the mediastinum's half width, `wall` the thickness of the chest wall (x, y), `fat`
    the depth of the fat below the skin, `contrast` the HU of blood. `bulges` is (N, 7): capsules
    (p, q, radius) of lung added around nodules that the shape would leave outside.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    base: float
    apex: float
    domes: tuple[float, float]
    heart: tuple[float, float, float]
    column: float
    wall: tuple[float, float]
    fat: float
    contrast: float
    bulges: np.ndarray


def lung_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
    """Returns the signed distance (mm) to the lungs' surface at broadcast points (..., H, W), negative inside."""
    x, y = x - a.centre[0], y - a.centre[1]
    cavity = cavity_distance(a, x, y, z)
    lung = smooth_max(smooth_max(cavity, -mediastinum_distance(a, x, y, z)), diaphragm_distance(a, x, y, z))
    lung = np.maximum(lung, np.abs(z - (a.base + a.apex) / 2) - (a.apex - a.base) / 2)
    for bulge in a.bulges:
        start, end, radius = bulge[:3], bulge[3:6], bulge[6]
        if np.ndim(z) == 0 and not min(start[2], end[2]) - radius < z < max(start[2], end[2]) + radius:
            continue
        lung = -smooth_max(-lung, radius - segment_distance(x, y, z, start, end))
    return lung


def cavity_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
    """Returns the signed distance (mm) to the thoracic cavity (..., H, W); x and y are relative to its centre."""
    u = np.clip((height(a, z) - 0.45) / 0.55, 0, 1)
    wide = a.half[0] * (1 - 0.93 * u**3) ** 0.5
    deep = a.half[1] * (1 - 0.88 * u**3) ** 0.5
    return ellipse(x, y - 12 * u**2, wide, deep, power=2.3)


def mediastinum_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
    """Returns the signed distance to spine, heart and the column between the lungs (x, y as above)."""
    t = height(a, z)
    trunk = a.column * (1.35 - 1.4 * np.clip(np.abs(t - 0.55) - 0.12, 0, 0.4))
    parts = (
        ellipse(x, y - spine_y(a) - 4, 23.0, 24.0),
        ellipse(x, y - 8, 0.75 * a.column, 0.75 * a.half[1]),
        ellipse(x - 4, y + 14, trunk, 0.48 * a.half[1]),
        ellipse(x, y + 0.80 * a.half[1], 8.0, 0.40 * a.half[1]),
        np.where(t < 0.72, np.hypot(x - 17, y - spine_y(a) + 24) - 14, 99.0),
        heart_distance(a, x, y, z),
    )
    return -functools.reduce(smooth_max, (-part for part in parts))


def heart_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
    """Returns the signed distance to the heart, an ellipsoid tilted to the left (x, y as above)."""
    middle = a.base + 0.62 * max(a.domes) + 0.35 * a.heart[2]
    slice_scale = np.sqrt(np.clip(1 - ((z - middle) / a.heart[2]) ** 2, 0.02, 1))
    dx, dy = x - 0.15 * a.half[0], y + 0.22 * a.half[1]
    along, across = 0.85 * dx - 0.53 * dy, 0.53 * dx + 0.85 * dy
    return ellipse(along, across, a.heart[0] * slice_scale, a.heart[1] * slice_scale)


def body_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
    """Returns the signed distance (mm) to the skin (..., H, W); x and y are absolute."""
    shoulder = np.clip((height(a, z) - 0.75) / 0.35, 0, 1) ** 2
    wide = a.half[0] + a.wall[0] + 45 * shoulder
    deep = a.half[1] + a.wall[1] - 18 * shoulder
    return ellipse(x - a.centre[0], y - a.centre[1] - 4 - 14 * shoulder, wide, deep, power=2.5)


def spine_y(a: Anatomy) -> float:
    """Returns the y of the vertebral bodies' middle relative to the cavity's centre, mm."""
    return a.half[1] - 20.0


def hilum(a: Anatomy, side: int) -> np.ndarray:
    """Returns (x, y, z) of the lung root; `side` is -1 for the right lung, 1 for the left."""
    return np.array(
        [
            a.centre[0] + side * (1.3 * a.column + 4),
            a.centre[1] + 10,
            a.base + 0.52 * (a.apex - a.base) + 4 * side,
        ]
    )


def height(a: Anatomy, z: np.ndarray | float) -> np.ndarray:
    """Returns the height in the lungs (..., H, W): 0 at their base, 1 at their apex."""
    return np.asarray((z - a.base) / (a.apex - a.base))


def diaphragm_distance(a: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
    """Returns the distance (mm) below the dome of that side (..., H, W): positive in the abdomen."""
    dome = np.where(x < 0, *a.domes)
    rx, ry = 0.62 * a.half[0], 1.15 * a.half[1]
    u, v = (np.abs(x) - 0.48 * a.half[0]) / rx, (y + 0.30 * a.half[1]) / ry
    slope = 2 * dome * np.hypot(u / rx, v / ry)
    return (a.base + dome * (1 - u * u - v * v) - z) / np.sqrt(1 + slope * slope)
