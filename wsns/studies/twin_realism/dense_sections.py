"""The dense sections of a slice: what vessels, bronchial walls and nodules show of themselves inside the lungs."""

import dataclasses
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.measure import regionprops

from wsns.ops.morphology import EIGHT

DENSE_HU = -650
_LEAST_MM2 = 1.5
_LONGEST, _SOLID = 2.0, 0.75  # of a round section: long axis by short axis, area by that of its convex hull


@dataclasses.dataclass(frozen=True, eq=False)
class Sections:
    """The N dense sections of a slice: `radius` of the disc of the same area, `distance` of the centre from the
    wall, both (N,) in mm; `round` (N,) bool."""

    radius: np.ndarray
    distance: np.ndarray
    round: np.ndarray


def sections(hu: np.ndarray, inner: np.ndarray, depth: np.ndarray, spacing: float) -> Sections:
    """Finds what is denser than −650 HU in the lungs: 8-connected, 1.5 mm² or more.

    Round is a section whose long axis is at most twice its short one, and which fills 75 % of its convex hull.

    Args:
        hu: (S, S).
        inner: (S, S) bool, where to look.
        depth: (S, S), distance from the wall in mm.
        spacing: mm per pixel.
    """
    labels, _ = ndimage.label(inner & (hu > DENSE_HU), EIGHT)
    found = [part for part in regionprops(labels) if part.area * spacing**2 >= _LEAST_MM2]
    radius = np.sqrt([part.area * spacing**2 / np.pi for part in found])
    distance = [depth[tuple(np.round(part.centroid).astype(int))] for part in found]
    return Sections(radius, np.array(distance, float), np.array([_is_round(part) for part in found], bool))


def _is_round(part: Any) -> bool:
    return bool(part.axis_major_length <= _LONGEST * part.axis_minor_length and part.solidity >= _SOLID)
