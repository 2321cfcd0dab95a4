"""Any chest CT, from whatever file: its axial slices, where they came from, and the checks that all must pass."""

import dataclasses
from collections.abc import Collection

import numpy as np

from wsns.data.images.grid import Grid, Order, axial_order
from wsns.data.volume import AIR_HU, Volume
from wsns.errors import InputError

FEWEST_SLICES = 8
PIXEL_MM = (0.3, 1.5)
THICKEST_MM = 10.0
SQUARE = 0.01
"""How much the sides of a pixel may differ, as a share."""
GAS_HU, TISSUE_HU = -500, (-150, 200)
LEAST_SHARE = 0.02
"""Of a chest CT's voxels, how many are at least gas, and how many soft tissue."""
ALLOWED = ("oblique", "thick", "values", "missing")
"""What `config.predict.allow` may let pass."""


@dataclasses.dataclass(frozen=True, eq=False)
class ChestCT:
    """A CT scan as the method takes it, and the way back to its own grid.

    `volume`: axial slices; `grid`: of the stored image; `order`: how its axes became those of the slices; `name`: what
    to call it; `series`: its UID, '' where it came from a file; `files`: of a DICOM series, by stored slice (k) the
    path of its file, '' for a missing slice that another one stands for, and `sop_uids` its SOP instance UID;
    `patient`: its PatientID, '' where it isn't known; `notes`: what was handled and must be told.
    """

    volume: Volume
    grid: Grid
    order: Order
    name: str
    series: str = ""
    files: tuple[str, ...] = ()
    sop_uids: tuple[str, ...] = ()
    patient: str = ""
    notes: tuple[str, ...] = ()


def chest_ct(
    stored: np.ndarray, grid: Grid, *, name: str, series: str = "", allow: Collection[str] = ()
) -> ChestCT:
    """Makes a scan of an image's voxels.

    Args:
        stored: (k, j, i) in HU; NaN counts as air.
        grid: where they lie.
        name: what to call the scan.
        series: its UID, if it has one.
        allow: of `ALLOWED`, what a person has looked at and lets pass.

    Raises:
        InputError: with the reason, if it is no chest CT that the method can read.
    """
    order = axial_order(grid, oblique="oblique" in allow)
    axial = order.to_axial(stored)
    spacing = [float(grid.spacing[axis]) for axis in order.axes]
    if len(axial) < FEWEST_SLICES:
        raise InputError(
            f"it has {len(axial)} axial slices, fewer than {FEWEST_SLICES}: a whole chest CT is needed"
        )
    if abs(spacing[0] - spacing[1]) > SQUARE * spacing[0]:
        raise InputError(
            f"its pixels are {spacing[0]:g} × {spacing[1]:g} mm, not square: resample its slices first"
        )
    if not PIXEL_MM[0] <= spacing[0] <= PIXEL_MM[1]:
        raise InputError(
            f"its pixels are {spacing[0]:g} mm, not {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g}: is the spacing in mm?"
        )
    if spacing[2] > THICKEST_MM and "thick" not in allow:
        raise InputError(
            f"its slices are {spacing[2]:g} mm apart, more than {THICKEST_MM:g}: a nodule lies between them; to search "
            "them all the same: --config.predict.allow=thick"
        )
    hu, notes = _hounsfield(axial, check="values" not in allow)
    z = grid.position(order.index(_line(len(axial)), grid.size))[:, 2]
    return ChestCT(Volume(hu, z, spacing[0], "left", notes), grid, order, name, series, notes=notes)


def _line(count: int) -> np.ndarray:
    """Returns (count, 3), the axial x, y, z of each slice's first voxel."""
    return np.stack([np.zeros(count), np.zeros(count), np.arange(count)], axis=-1)


def _hounsfield(axial: np.ndarray, *, check: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns slices (Z, Y, X) int16, clipped below at air, and what was handled in them."""
    notes = []
    if axial.dtype.kind == "f":
        lacking = ~np.isfinite(axial)
        if lacking.any():
            notes.append(f"{np.count_nonzero(lacking):,} voxels are no numbers: read as air")
            axial = np.where(lacking, AIR_HU, axial)
        axial = np.rint(axial)
    hu = np.clip(axial, AIR_HU, np.iinfo(np.int16).max).astype(np.int16)
    if check:
        sample = hu[:: max(1, len(hu) // 64), ::4, ::4]
        gas = float((sample < GAS_HU).mean())
        tissue = float(((sample > TISSUE_HU[0]) & (sample < TISSUE_HU[1])).mean())
        if gas < LEAST_SHARE or tissue < LEAST_SHARE:
            low, high = np.percentile(sample, (1, 99))
            raise InputError(
                f"its values aren't Hounsfield units of a chest: {gas:.0%} of the voxels are gas (below {GAS_HU} HU) "
                f"and {tissue:.0%} soft tissue ({TISSUE_HU[0]} to {TISSUE_HU[1]} HU); most lie between {low:g} and "
                f"{high:g}. Is it a CT of the chest, with its rescale slope and intercept applied? To take it all the "
                "same: --config.predict.allow=values"
            )
    return np.ascontiguousarray(hu), tuple(notes)
