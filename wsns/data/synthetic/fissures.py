"""The lungs' fissures: thin sheets that show as a faint line, or as a band where a thick slice cuts them at a slant."""

import dataclasses

import numpy as np

from wsns.data.synthetic.anatomy import Anatomy

_SHEET = 0.8  # mm, what a fissure and the lung pressed against it are thick
DENSITY = 320.0
"""HU that a fissure stands out by where it fills a pixel."""


@dataclasses.dataclass(frozen=True)
class Fissure:
    """A bowed oblique plane in one lung: `at` is its y at the lung's middle.

    `rise` says how much farther back it lies per mm upwards, `turn` per mm outwards, and `bow` how much it is bent.
    """

    at: float
    rise: float
    turn: float
    bow: float


def draw(rng: np.random.Generator) -> tuple[Fissure, ...]:
    """Draws the major fissure of each lung, the right one first."""
    return tuple(
        Fissure(rng.uniform(-18, 18), rng.uniform(0.5, 1.1), rng.uniform(-0.35, 0.15), rng.normal(0, 0.003))
        for _ in range(2)
    )


def rises(a: Anatomy, fissures: tuple[Fissure, ...], x: np.ndarray) -> np.ndarray:
    """Returns the slant (..., H, W) of the fissure on each x's side, with x in mm."""
    return np.where(x < a.centre[0], *(f.rise for f in fissures))


def distance(a: Anatomy, fissures: tuple[Fissure, ...], x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
    """Returns the distance (mm, in the slice) to the fissure of each side: broadcast x (1, X) and y (Y, 1), in mm."""
    dx, dy, dz = x - a.centre[0], y - a.centre[1], z - (a.base + 0.5 * (a.apex - a.base))
    sides = []
    for f in fissures:
        out = np.abs(dx) - 0.5 * a.half[0]
        sides.append(np.abs(dy - f.at - f.rise * dz - f.turn * out - f.bow * out * out))
    return np.where(dx < 0, *sides)


def weight(away: np.ndarray, rise: np.ndarray, thickness: float, blur: float) -> np.ndarray:
    """Returns how much of a pixel the sheet fills (H, W), averaged over the slice's thickness.

    Args:
        away: distance to the sheet in the slice, mm.
        rise: slant of that sheet (`rises`), broadcast with `away`.
        thickness: of the slice, mm.
        blur: SD of the scanner's point spread, mm.
    """
    spread = np.hypot(1.5 * blur, 0.5 * rise * thickness).astype(np.float32)
    return np.maximum(1 - away / (2 * spread), 0) * (np.float32(_SHEET / 2) / spread)
