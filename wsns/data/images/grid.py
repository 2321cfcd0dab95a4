"""Where an image's voxels lie in the patient, and the way from any stored order to axial slices and back."""

import dataclasses
import math

import numpy as np

from wsns.errors import InputError

OBLIQUE_DEG = 0.5
"""Axes that lie farther from the patient's make slices that aren't axial."""
SKEW = 1e-3
"""How far directions may be from orthonormal."""
AXES = ("left-right", "front-back", "head-foot")


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """A grid of voxels in the patient's coordinates, LPS in mm as DICOM and ITK have them.

    `size`: voxels along the image's axes i, j, k; `spacing`: (3,) mm along them; `origin`: (3,) of voxel (0, 0, 0);
    `direction`: (3, 3), column n is the direction of axis n. An array of its voxels is (k, j, i).
    """

    size: tuple[int, int, int]
    spacing: np.ndarray
    origin: np.ndarray
    direction: np.ndarray

    def position(self, index: np.ndarray) -> np.ndarray:
        """Returns the positions (..., 3) in mm of voxels (..., 3), given as i, j, k; fractions lie between them."""
        return self.origin + (np.asarray(index) * self.spacing) @ self.direction.T

    def affine(self) -> np.ndarray:
        """Returns (4, 4), from i, j, k, 1 to mm in LPS."""
        found = np.eye(4)
        found[:3, :3] = self.direction * self.spacing
        found[:3, 3] = self.origin
        return found


@dataclasses.dataclass(frozen=True)
class Order:
    """How stored axes become axial slices: `axes[n]` is the stored axis (0: i, 1: j, 2: k) along the patient's axis n
    (0: to the left, 1: to the back, 2: to the head), `flips[n]` whether it runs the other way.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def to_axial(self, stored: np.ndarray) -> np.ndarray:
        """Returns an array (k, j, i) as axial slices (Z, Y, X): head last, back last, left last; a view."""
        axial = stored.transpose([2 - self.axes[n] for n in (2, 1, 0)])
        return axial[tuple(slice(None, None, -1 if self.flips[n] else 1) for n in (2, 1, 0))]

    def from_axial(self, axial: np.ndarray) -> np.ndarray:
        """Undoes `to_axial`: (Z, Y, X) to (k, j, i); a view."""
        flipped = axial[tuple(slice(None, None, -1 if self.flips[n] else 1) for n in (2, 1, 0))]
        return flipped.transpose(np.argsort([2 - self.axes[n] for n in (2, 1, 0)]))

    def index(self, axial: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
        """Returns stored i, j, k (..., 3) of axial x, y, z (..., 3), in a grid of this `size`."""
        found = np.empty(np.shape(axial), float)
        for n, axis in enumerate(self.axes):
            along = np.asarray(axial)[..., n]
            found[..., axis] = size[axis] - 1 - along if self.flips[n] else along
        return found


def axial_order(grid: Grid, *, oblique: bool = False) -> Order:
    """Returns how a grid becomes axial slices.

    Args:
        grid: of an image.
        oblique: take axes that lie aslant for the nearest of the patient's.

    Raises:
        InputError: if its axes are no axes, or lie aslant.
    """
    direction, spacing = grid.direction, np.asarray(grid.spacing, float)
    if not (np.isfinite(grid.affine()).all() and (spacing > 0).all()):
        raise InputError(f"its voxels' spacing, origin or direction is none ({_numbers(spacing)} mm)")
    if np.abs(direction.T @ direction - np.eye(3)).max() > SKEW:
        raise InputError(
            "its axes aren't at right angles to each other (a sheared or gantry-tilted grid): resample it to a grid "
            "with right angles first"
        )
    first, second, third = (int(axis) for axis in np.abs(direction).argmax(axis=1))
    axes = (first, second, third)
    if len(set(axes)) < 3:
        raise InputError("its axes point in the same direction")
    cosines = np.abs([direction[n, axis] for n, axis in enumerate(axes)])
    off = math.degrees(math.acos(min(1.0, float(cosines.min()))))
    if off > OBLIQUE_DEG and not oblique:
        raise InputError(
            f"its slices lie aslant, by {off:.1f}° to the patient's axes: resample it to axial slices, or take it as "
            "it is with --config.predict.allow=oblique"
        )
    left, back, head = (bool(direction[n, axis] < 0) for n, axis in enumerate(axes))
    return Order(axes, (left, back, head))


def _numbers(values: np.ndarray) -> str:
    return " × ".join(f"{value:g}" for value in values)
