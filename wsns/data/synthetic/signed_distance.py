"""Signed distances (mm, negative inside) to simple bodies, exact enough near their surface."""

import numpy as np

_SUPPLE = 6.0  # mm over which two surfaces flow into each other


def ellipse(
    x: np.ndarray, y: np.ndarray, rx: np.ndarray | float, ry: np.ndarray | float, power: float = 2.0
) -> np.ndarray:
    """Returns the distance (..., H, W) to an ellipse (to first order), or along the ray to a superellipse."""
    if power == 2.0:
        u, v, smallest = x / rx, y / ry, 1e-4
        f = np.sqrt(u * u + v * v + smallest)
        steepness = np.sqrt((u / rx) ** 2 + (v / ry) ** 2 + smallest / np.maximum(rx, ry) ** 2)
        return f * (f - 1) / steepness
    f = ((np.abs(x) / rx) ** power + (np.abs(y) / ry) ** power) ** (1 / power) + 1e-4
    return np.sqrt(x * x + y * y + 1e-4) * (1 - 1 / f)


def segment_distance(
    x: np.ndarray, y: np.ndarray, z: np.ndarray | float, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Returns the distance to a straight line between two points (3,)."""
    along = end - start
    dx, dy, dz = x - start[0], y - start[1], z - start[2]
    u = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / max(float(along @ along), 1e-6), 0, 1)
    return np.sqrt((dx - u * along[0]) ** 2 + (dy - u * along[1]) ** 2 + (dz - u * along[2]) ** 2)


def smooth_max(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the distance (..., H, W) to the intersection of two bodies, its edge rounded."""
    overlap = np.maximum(_SUPPLE - np.abs(a - b), 0)
    return np.maximum(a, b) + overlap * overlap / (4 * _SUPPLE)
