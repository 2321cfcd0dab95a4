"""The archive on disk: DICOM files found by their headers, in any folders and under any names."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk

from wsns.data.archive.arrange import Arranged, arrange
from wsns.data.archive.header import SliceFile
from wsns.data.archive.index import index
from wsns.data.readers.annotations import Scan
from wsns.data.volume import AIR_HU, Volume
from wsns.errors import InputError

MAX_HU = np.iinfo(np.int16).max


@dataclasses.dataclass(frozen=True)
class DicomSource:
    """The scans of the database that a folder holds.

    `files` are all of a scan's slices as they were found, `passed_over` what else lies in their folders.
    """

    folder: str
    scans: Mapping[str, Scan]
    files: Mapping[str, tuple[SliceFile, ...]]
    passed_over: Mapping[str, str]
    name: str = "LIDC-IDRI"

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
            InputError: if a slice is missing, unreadable or has changed since the headers were read.
        """
        scan, files = self.scans[series], self._whole(series).files
        # In patient coordinates x grows towards the left.
        right = "left" if files[0].orientation[0] > 0 else "right"
        return Volume(read_pixels(files), scan.z, scan.spacing, right)

    def identity(self, series: str) -> str:
        """Returns 16 hexadecimal digits that change when a file of the scan changes."""
        content = hashlib.sha256()
        for file in self._whole(series).files:
            name = pathlib.PurePath(os.path.relpath(file.path, self.folder)).as_posix()
            content.update(repr((name, file.size, file.mtime_ns)).encode())
        return content.hexdigest()[:16]

    def notes(self, series: str) -> tuple[str, ...]:
        """Returns what was handled in a scan and must be told, such as files that are not used."""
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
        example = next((f" ({path} is {what})" for path, what in found.passed_over.items()), "")
        raise InputError(
            f"{manual_dir} holds {len(found.series)} CT series, none of them of LIDC-IDRI{example}: point "
            "--config.data.manual_dir at the folder that the archive was downloaded to, "
            "or leave it empty for the synthetic twin"
        )
    files = {uid: found.series[uid] for uid in present}
    return DicomSource(found.folder, present, files, _beside(files, found.passed_over))


def read_pixels(files: Sequence[SliceFile]) -> np.ndarray:
    """Reads slices in the given order as (Z, Y, X) int16 HU, clipped below at -1024.

    Raises:
        InputError: if a file cannot be decoded, has changed since its header was read, or is of another size.
    """
    volume = np.empty((len(files), files[0].rows, files[0].columns), np.int16)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    for plane, file in zip(volume, files):
        try:
            status = os.stat(file.path)
            if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
                raise InputError(f"{file.path} has changed since its header was read: run the command again")
            hu = _read_plain(file) if file.stored else _decode(file, reader)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{file.path} has no readable pixel data: download the file again") from error
        if hu.shape != plane.shape:
            raise InputError(
                f"{file.path} decodes to {hu.shape} pixels, not {plane.shape}: download it again"
            )
        if file.padding > MAX_HU:
            hu[hu == file.padding] = AIR_HU
        # In place: new arrays of this size would take longer than all else here.
        np.clip(hu, AIR_HU, MAX_HU, out=hu)
        plane[:] = np.rint(hu, out=hu) if hu.dtype.kind == "f" else hu
    return volume


def _read_plain(file: SliceFile) -> np.ndarray:
    """Returns (rows, columns) float64 HU of pixels that lie in the file as they are, without SimpleITK's detours."""
    stored = np.fromfile(file.path, file.stored, file.rows * file.columns, offset=file.offset)
    unused = 16 - file.bits
    if unused:  # above the value lies its sign or anything else
        stored <<= unused
        stored >>= unused
    hu = stored.astype(np.float64).reshape(file.rows, file.columns)
    hu *= file.slope
    hu += file.intercept
    return hu


def _decode(file: SliceFile, reader: sitk.ImageFileReader) -> np.ndarray:
    """Returns (rows, columns) int or float HU of pixels in any other encoding."""
    reader.SetFileName(file.path)
    return sitk.GetArrayFromImage(reader.Execute())[0]


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
    if len(lines) == 1:
        raise InputError(f"{lines[0]}. Download the scan again, or leave it out with {leave_out}")
    listed = "".join(f"\n  {line}" for line in lines)
    raise InputError(
        f"{len(lines)} scans cannot be used:{listed}\nDownload them again, or leave them out with {leave_out}"
    )
