"""The archive on disk: DICOM files found by their headers, in any folders and under any names."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.data.dicom.duplicates import settle
from wsns.data.dicom.file_names import shown
from wsns.data.dicom.header import PACKED, SliceFile
from wsns.data.dicom.hu_scale import misscaled
from wsns.data.dicom.index import index
from wsns.data.dicom.lost_rows import lost_rows
from wsns.data.dicom.pixels import read_pixels
from wsns.data.dicom.series import Arranged, arrange
from wsns.data.lidc.annotations import Scan
from wsns.data.volume import Volume
from wsns.errors import InputError

REMEDIES = ("unpack it", "decompress it", "download it again")
"""What a problem may say of itself that helps; downloading all again is for the others."""


@dataclasses.dataclass(frozen=True)
class DicomSource:
    """The scans of the database that a folder holds.

    `files` are all of a scan's slices as they were found, `passed_over` what else lies in their folders, `packed` the
    packed files of all folders.
    """

    folder: str
    scans: Mapping[str, Scan]
    files: Mapping[str, tuple[SliceFile, ...]]
    passed_over: Mapping[str, str]
    name: str = "LIDC-IDRI"
    packed: tuple[str, ...] = ()
    synthetic: bool = False

    @property
    def series(self) -> tuple[str, ...]:
        """The scans found, in the order of the database."""
        return tuple(self.scans)

    def only(self, series: Iterable[str]) -> "DicomSource":
        """Returns the source of these scans alone, each of them complete.

        Raises:
            InputError: if some are not; it names them all.
        """
        chosen = {uid: self.scans[uid] for uid in series}
        problems = [(scan, self._arranged(uid).problem) for uid, scan in chosen.items()]
        _refuse([(scan, problem) for scan, problem in problems if problem])
        files = {uid: self.files[uid] for uid in chosen}
        return dataclasses.replace(
            self, scans=chosen, files=files, passed_over=_beside(files, self.passed_over)
        )

    def read(self, series: str) -> Volume:
        """Reads one scan, in HU; below -1024 (the padding outside the scanner's circle) counts as air.

        Raises:
            InputError: if a slice is missing, unreadable, cut short, in other units, there twice with different pixels,
                or has changed since the headers were read.
        """
        scan = self.scans[series]
        files, hu, notes = read_whole(self._whole(series))
        # In patient coordinates x grows towards the left.
        right = "left" if files[0].orientation[0] > 0 else "right"
        return Volume(hu, scan.z, scan.spacing, right, notes)

    def identity(self, series: str) -> str:
        """Returns 16 hexadecimal digits that change when a file of the scan changes."""
        content = hashlib.sha256()
        whole = self._whole(series)
        for file in (*whole.files, *(copy for copies in whole.copies.values() for copy in copies)):
            name = pathlib.PurePath(os.path.relpath(file.path, self.folder)).as_posix()
            content.update(repr((name, file.size, file.mtime_ns)).encode())
        return content.hexdigest()[:16]

    def notes(self, series: str) -> tuple[str, ...]:
        """Returns what was handled in a scan's files and must be told; what their pixels show, `read` tells."""
        return self._whole(series).notes

    def _arranged(self, series: str) -> Arranged:
        return arrange(self.files[series], self.scans[series], self.passed_over)

    def _whole(self, series: str) -> Arranged:
        arranged = self._arranged(series)
        if arranged.problem:
            _refuse([(self.scans[series], arranged.problem)])
        return arranged


def open_archive(
    manual_dir: str,
    scans: Mapping[str, Scan],
    *,
    cache: pathlib.Path | None = None,
    workers: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> DicomSource:
    """Finds the database's scans in a folder.

    Args:
        manual_dir: the folder, searched to any depth.
        scans: the database's scans by series UID.
        cache: a file that keeps what was read from the headers, for the next time.
        workers: processes that read headers; 0 takes every core.
        progress: wraps the list of files whose headers must be read.

    Raises:
        InputError: if the folder is missing, unreadable, holds no file, or none of the scans.
    """
    found = index(manual_dir, cache=cache, workers=workers, progress=progress)
    present = {uid: scan for uid, scan in scans.items() if uid in found.series}
    if not present:
        others = sorted(found.passed_over.items(), key=lambda entry: PACKED not in entry[1])
        example = next((f" ({shown(path)} is {what})" for path, what in others), "")
        raise InputError(
            f"{shown(manual_dir)} holds {len(found.series)} CT series, none of them of LIDC-IDRI{example}: point "
            "--config.data.manual_dir at the folder that the archive was downloaded to, "
            "or 'twin' takes the synthetic one"
        )
    files = {uid: found.series[uid] for uid in present}
    packed = tuple(shown(path) for path, what in found.passed_over.items() if what.startswith(PACKED))
    return DicomSource(found.folder, present, files, _beside(files, found.passed_over), packed=packed)


def read_whole(arranged: Arranged) -> tuple[tuple[SliceFile, ...], np.ndarray, tuple[str, ...]]:
    """Reads the pixels of a whole scan and looks for what its headers don't tell.

    Returns:
        The files by ascending z, (Z, Y, X) int16 in HU, and what was handled and must be told.

    Raises:
        InputError: if a slice can't be read, was cut short, is in other units, or is there twice with other pixels.
    """
    files, settled = settle(arranged)
    hu, told = read_pixels(files)
    if lost := lost_rows(hu):
        raise InputError(_cut_short(files, lost))
    if wrong := misscaled(hu, files):
        raise InputError(_misscaled(files, wrong))
    return files, hu, (*settled, *told)


def _cut_short(files: Sequence[SliceFile], lost: Mapping[int, np.ndarray]) -> str:
    k, rows = next(iter(lost.items()))
    more = f" ({len(lost)} such slices in all)" if len(lost) > 1 else ""
    return (
        f"{shown(files[k].path)} has one value in all of {len(rows)} rows, from row {rows[0] + 1} on, where the slice "
        f"beside it shows a body{more}: it was cut short on its way; download it again"
    )


def _misscaled(files: Sequence[SliceFile], wrong: Sequence[int]) -> str:
    file = files[wrong[0]]
    more = f" ({len(wrong)} such slices in all)" if len(wrong) > 1 else ""
    return (
        f"{shown(file.path)} has the rescale slope {file.slope:g} and intercept {file.intercept:g}, unlike the other "
        f"slices, and its values fit theirs only by their scale{more}: download it again"
    )


def _beside(files: Mapping[str, Sequence[SliceFile]], passed_over: Mapping[str, str]) -> dict[str, str]:
    """Returns what was passed over in the folders of these files."""
    folders = {os.path.dirname(file.path) for slices in files.values() for file in slices}
    return {path: what for path, what in passed_over.items() if os.path.dirname(path) in folders}


def _refuse(problems: Sequence[tuple[Scan, str]]) -> None:
    """Raises one error for all scans with a problem: a line, or a list if there are several."""
    if not problems:
        return
    lines = [f"{scan.patient}, series {scan.series}: {problem}" for scan, problem in problems]
    leave_out = f"--config.data.exclude={','.join(sorted({scan.patient for scan, _ in problems}))}"
    helped = all(any(remedy in problem for remedy in REMEDIES) for _, problem in problems)
    if len(lines) == 1:
        again = "Or leave the scan out" if helped else "Download the scan again, or leave it out"
        raise InputError(f"{lines[0]}. {again} with {leave_out}")
    listed = "".join(f"\n  {line}" for line in lines)
    again = "Or leave them out" if helped else "Download them again, or leave them out"
    raise InputError(f"{len(lines)} scans cannot be used:{listed}\n{again} with {leave_out}")
