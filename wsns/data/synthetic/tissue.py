"""The Hounsfield units of the synthetic chest outside its lungs: skin, fat, muscle, blood and bones."""

import numpy as np

from wsns.data.synthetic.anatomy import (
    Anatomy,
    cavity_distance,
    diaphragm_distance,
    heart_distance,
    height,
    spine_y,
)
from wsns.data.synthetic.signed_distance import ellipse

FAT, MUSCLE, MARROW, CORTEX = -100.0, 45.0, 190.0, 520.0


def tissue(a: Anatomy, x: np.ndarray, y: np.ndarray, z: float, body: np.ndarray) -> np.ndarray:
    """Returns the HU of everything but the lungs, and air outside the body.

    Args:
        a: the chest.
        x: (1, X) columns, mm.
        y: (Y, 1) rows, mm.
        z: the slice, mm.
        body: (Y, X) `body_distance` of the slice.
    """
    dx, dy = x - a.centre[0], y - a.centre[1]
    cavity = cavity_distance(a, dx, dy, z)
    hu = np.full(body.shape, MUSCLE, np.float32)
    _lay(hu, FAT, np.maximum(-a.fat - body, 14 - cavity))
    _lay(hu, FAT + 40, np.maximum(cavity, ellipse(dx, dy + 12, a.column, 0.8 * a.half[1])))
    _lay(hu, 0.35 * a.contrast + 35, np.maximum(cavity + 4, -diaphragm_distance(a, dx, dy, z) + 3))
    for vessel, radius in ((heart_distance(a, dx, dy, z), 0.0), *_great_vessels(a, dx, dy, z)):
        _lay(hu, a.contrast, vessel - radius + 3)
    _lay_bones(hu, a, dx, dy, z, cavity)
    _lay(hu, 0.0, np.abs(body + 1) - 1.5)
    _lay(hu, -1000.0, -body - 0.5)
    return hu


def _great_vessels(a: Anatomy, x: np.ndarray, y: np.ndarray, z: float) -> list[tuple[np.ndarray, float]]:
    """Returns (distance to the axis, radius) of the aorta's two limbs and the upper vena cava."""
    t = height(a, z)
    vessels = [(np.hypot(x - 17, y - spine_y(a) + 24), 12.0)] if t < 0.72 else []
    if 0.40 < t < 0.80:
        vessels += [(np.hypot(x + 6, y + 24), 15.0), (np.hypot(x + 20, y + 18), 9.0)]
    if t >= 0.72:
        vessels += [(np.hypot(x - s * 16, y + 8), 6.5) for s in (-1, 1)]
    return vessels


def _lay_bones(
    hu: np.ndarray, a: Anatomy, x: np.ndarray, y: np.ndarray, z: float, cavity: np.ndarray
) -> None:
    """Lays ribs (they descend towards the front), vertebra with its canal and arch, and sternum."""
    pitch = 23.0
    level = (z - a.base + 0.55 * y + 1000) % pitch - pitch / 2
    front = np.clip((-y / a.half[1] - 0.55) / 0.3, 0, 1)
    spare = np.abs(x) - 14
    above = z - a.apex - 12
    rib = np.maximum(np.hypot((cavity - 7) / 3.6, level / 6.0) * 4 - 4, np.maximum(-spare, above))
    _lay(hu, CORTEX * (1 - front) + 130 * front, rib)
    _lay(hu, MARROW * (1 - front) + 110 * front, rib + 2.2)
    t = height(a, z)
    blade = ellipse(
        np.abs(x) - a.half[0] * 0.82, y - 0.75 * a.half[1] + 0.5 * (np.abs(x) - a.half[0]), 32.0, 6.0
    )
    shoulder = np.hypot(np.abs(x) - a.half[0] - 35, y - 20) - 20
    collar = ellipse(np.abs(x) - 75, y + 0.55 * a.half[1] + 0.3 * (np.abs(x) - 75), 55.0, 6.5)
    for bone, low, high in ((blade, 0.55, 1.1), (shoulder, 0.97, 1.2), (collar, 0.9, 0.97)):
        if low < t < high:
            _lay(hu, CORTEX, bone)
            _lay(hu, MARROW, bone + 2)
    dy = y - spine_y(a)
    disc = abs((z - a.base) % 26 - 13) < 2.5
    body = ellipse(x, dy, 19.0, 15.0)
    arch = np.minimum(ellipse(x, dy - 38, 3.5, 14.0), ellipse(x, dy - 22, 24.0, 6.0))
    _lay(hu, 90.0 if disc else CORTEX, np.minimum(body, arch))
    _lay(hu, 90.0 if disc else MARROW, np.minimum(body + 2.5, arch + 2))
    _lay(hu, 30.0, np.hypot(x, dy - 21) - 8.0)
    if 0.25 < t < 0.95:
        sternum = ellipse(x, y + a.half[1] + 8, 19.0, 6.0, power=3.0)
        _lay(hu, CORTEX, sternum)
        _lay(hu, MARROW, sternum + 2.2)


def _lay(hu: np.ndarray, value: np.ndarray | float, distance: np.ndarray) -> None:
    """Blends `value` into `hu` where `distance` is negative, with an edge two millimetres wide."""
    weight = np.clip(0.5 - 0.5 * distance, 0, 1)
    hu += weight * (value - hu)
