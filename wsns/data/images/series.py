"""CT series in a DICOM folder: which there are, which one of each study is taken, and its voxels."""

import collections
import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pydicom

from wsns.data.dicom.archive import read_whole
from wsns.data.dicom.file_names import shown
from wsns.data.dicom.header import SliceFile
from wsns.data.dicom.index import Index
from wsns.data.dicom.series import AXIAL, ORIENTATION_TOLERANCE, Arranged, arrange
from wsns.data.images.ct import FEWEST_SLICES, ChestCT, chest_ct
from wsns.data.images.grid import Grid
from wsns.errors import InputError

SAME_MM = 0.02
"""Slices closer than this lie at one z."""
UNEVEN = 0.1
"""How far a step between slices may be from the usual one, as a share of it."""
SHIFT_MM = 0.1
"""How far apart slices' first pixels may lie within the slices' plane: beyond it the stack is sheared."""
TAGS = (
    "ImagePositionPatient", "StudyInstanceUID", "SeriesDescription", "ConvolutionKernel", "SeriesNumber", "PatientID",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Series:
    """A CT series of a folder.

    `files`: its slices; `study`, `patient`, `number`, `description`, `kernel`: by its header; `axial`: most of its
    slices are; `slices`: at so many z; `step`: mm between them, 0 for a single one.
    """

    uid: str
    files: tuple[SliceFile, ...]
    study: str
    patient: str
    number: str
    description: str
    kernel: str
    axial: bool
    slices: int
    step: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Places:
    """Where a series' slices must lie, by its own headers."""

    z: np.ndarray
    spacing: float


def all_series(found: Index) -> list[Series]:
    """Returns the CT series of a folder, the one to take first: axial, then most slices, then thinnest."""
    series = [_described(uid, files) for uid, files in found.series.items()]
    return sorted(series, key=lambda s: (not s.axial, -s.slices, s.step, s.uid))


def chosen(series: Sequence[Series], uid: str = "") -> list[Series]:
    """Returns the series to search: of each patient's study the first in the order of `all_series`, or the one named.

    Raises:
        InputError: if there is no such series, or none with enough axial slices.
    """
    if uid:
        named = [one for one in series if one.uid == uid]
        if not named:
            known = ", ".join(one.uid for one in series[:8])
            raise InputError(f"config.predict.series={uid!r}: there is no such CT series; there are {known}")
        return named
    first: dict[tuple[str, str], Series] = {}
    for one in series:
        first.setdefault((one.patient, one.study), one)
    usable = [one for one in first.values() if one.axial and one.slices >= FEWEST_SLICES]
    if not usable:
        raise InputError(
            f"none of its {len(series)} CT series has {FEWEST_SLICES} axial slices: reconstruct axial ones, or "
            "name the series to take with --config.predict.series=UID"
        )
    return usable


def read_series(series: Series, passed_over: Mapping[str, str], *, allow: Collection[str] = ()) -> ChestCT:
    """Reads a series as a chest CT.

    Args:
        series: of `all_series`.
        passed_over: files that are no CT slice, and what they are.
        allow: see `wsns.data.images.ct.chest_ct`; with 'missing' a missing slice is taken for the one beside it.

    Raises:
        InputError: with the reason, if it isn't one whole axial scan, or can't be read.
    """
    places, lacking = _places(series.files, fill="missing" not in allow)
    arranged = arrange(series.files, places, passed_over, square=False)
    if arranged.problem:
        way = "; to search what is there: --config.predict.allow=missing" if lacking else ""
        raise InputError(f"series {series.uid}: {arranged.problem}{way}")
    files, hu, notes = read_whole(arranged)
    paths, uids = [file.path for file in files], [file.instance_uid for file in files]
    z = places.z
    if "missing" in allow:
        source, z, told = _completed(places.z, _step(places.z))
        hu, notes = hu[source], (*notes, *told)
        own = np.diff(source, prepend=-1) > 0
        paths, uids = ([each[n] if first else "" for n, first in zip(source, own)] for each in (paths, uids))
    # The usual distance of positions that were rounded, 1.2 or 1.3 mm for 1.25, would add up to another scan's length.
    step = float(z[-1] - z[0]) / (len(z) - 1)
    origin = _origin(arranged, files)
    rows, columns = (np.array(files[0].orientation[n : n + 3]) for n in (0, 3))
    direction = np.column_stack([np.rint(rows), np.rint(columns), [0.0, 0.0, 1.0]])
    sides = files[0].spacing
    grid = Grid(
        (hu.shape[2], hu.shape[1], hu.shape[0]),
        np.array([sides[1], sides[0], step]),
        np.array([origin[0], origin[1], z[0]]),
        direction,
    )
    made = chest_ct(hu, grid, name=series.uid[-12:], series=series.uid, allow=allow)
    told = (*arranged.notes, *notes, *made.notes)
    return dataclasses.replace(
        made, files=tuple(paths), sop_uids=tuple(uids), patient=series.patient, notes=told
    )


def _described(uid: str, files: tuple[SliceFile, ...]) -> Series:
    upright = [file for file in files if _is_axial(file) and not file.aside]
    levels = _levels([file.z for file in upright])
    header = pydicom.dcmread(files[0].path, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
    study, description, kernel, number, patient = (str(header.get(tag, "") or "") for tag in TAGS[1:])
    return Series(
        uid, files, study, patient, number, description, kernel, 2 * len(upright) > len(files), len(levels),
        _step(levels) if len(levels) > 1 else 0.0,
    )  # fmt: skip


def _is_axial(file: SliceFile) -> bool:
    return bool(np.abs(np.abs(file.orientation) - AXIAL).max() <= ORIENTATION_TOLERANCE)


def _levels(z: Sequence[float]) -> np.ndarray:
    """Returns the ascending z (Z,) at which there are slices."""
    ordered = np.sort(np.array(z, float))
    return ordered[np.append(True, np.diff(ordered) > SAME_MM)] if len(ordered) else ordered


def _step(z: np.ndarray) -> float:
    """Returns the usual distance between slices in mm."""
    return float(np.median(np.diff(z))) if len(z) > 1 else 0.0


def _places(files: Sequence[SliceFile], *, fill: bool) -> tuple[_Places, int]:
    """Returns where the slices must lie, and how many are missing there.

    Raises:
        InputError: if their distances are of no one step.
    """
    upright = [file for file in files if _is_axial(file) and not file.aside]
    z = _levels([file.z for file in upright])
    if len(z) < 2:
        raise InputError(
            f"it has {len(z)} axial slices, fewer than {FEWEST_SLICES}: a whole chest CT is needed"
        )
    step = _step(z)
    times = np.rint(np.diff(z) / step).astype(int)
    off = np.abs(np.diff(z) - times * step)
    if (worst := int(off.argmax())) >= 0 and (off > UNEVEN * step).any():
        raise InputError(
            f"its slices are {step:g} mm apart, but those at z = {z[worst]:g} and {z[worst + 1]:g} mm "
            f"{z[worst + 1] - z[worst]:g}: export it with one distance"
        )
    spacing = collections.Counter(file.spacing[0] for file in upright).most_common(1)[0][0]
    if not fill:
        return _Places(z, spacing), 0
    whole = np.concatenate([z[:1], *(np.linspace(a, b, n + 1)[1:] for a, b, n in zip(z, z[1:], times))])
    return _Places(whole, spacing), len(whole) - len(z)


def _completed(z: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Returns which slice stands at each place, the one below for a missing one, their z, and what was filled."""
    times = np.rint(np.diff(z) / step).astype(int)
    source = np.concatenate([np.repeat(np.arange(len(times)), times), [len(z) - 1]])
    whole = np.concatenate([z[:1], *(np.linspace(a, b, n + 1)[1:] for a, b, n in zip(z, z[1:], times))])
    filled = [float(whole[n]) for n in range(1, len(source)) if source[n] == source[n - 1]]
    places = ", ".join(f"{value:g}" for value in filled)
    told = (f"slices are missing, and the ones below stand for them, at z = {places} mm",) if filled else ()
    return source, whole, told


def _origin(arranged: Arranged, files: Sequence[SliceFile]) -> np.ndarray:
    """Returns the position (3,) in mm of the first pixel of the lowest slice.

    Raises:
        InputError: if the slices are shifted against each other.
    """
    positions = np.array([_position(file) for file in files])
    shift = np.ptp(positions[:, :2], axis=0).max()
    if shift > SHIFT_MM:
        raise InputError(
            f"its slices are shifted against each other by {shift:.1f} mm within their plane (a tilted gantry?): "
            "resample it to a straight stack first"
        )
    return positions[0]


def _position(file: SliceFile) -> tuple[float, ...]:
    header = pydicom.dcmread(
        pathlib.Path(file.path), stop_before_pixels=True, force=True, specific_tags=["ImagePositionPatient"]
    )
    position = header.get("ImagePositionPatient")
    if position is None:
        raise InputError(f"{shown(file.path)} has changed since its header was read: run the command again")
    return tuple(float(value) for value in position)
