"""The pixels of slices, in HU, from files in any encoding and under any name."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from wsns.data.dicom.file_names import is_text, shown, some
from wsns.data.dicom.header import SliceFile
from wsns.data.dicom.hu_scale import NO_METAL_HU
from wsns.data.dicom.padding import beyond_tissue, fill, unrepresentable
from wsns.data.volume import AIR_HU
from wsns.errors import InputError

MAX_HU = np.iinfo(np.int16).max


class Pixels(NamedTuple):
    """Slices (Z, Y, X) int16 in HU, and what was handled in them and must be told."""

    hu: np.ndarray
    notes: tuple[str, ...]


def read_pixels(files: Sequence[SliceFile]) -> Pixels:
    """Reads slices in the given order, clipped below at -1024; padding is air.

    Raises:
        InputError: if a file cannot be decoded, has changed since its header was read, or is of another size.
    """
    volume = np.empty((len(files), files[0].rows, files[0].columns), np.int16)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    padded: dict[int, list[str]] = {}
    bright = []
    for plane, file in zip(volume, files):
        hu = _read(file, reader)
        if hu.shape != plane.shape:
            raise InputError(
                f"{shown(file.path)} decodes to {hu.shape} pixels, not {plane.shape}: download it again"
            )
        if padding := beyond_tissue(file):
            hu[(hu > padding[0]) & (hu < padding[1])] = AIR_HU
        # In place: new arrays of this size would take longer than all else here.
        np.clip(hu, AIR_HU, MAX_HU, out=hu)
        plane[:] = np.rint(hu, out=hu) if hu.dtype.kind == "f" else hu
        if (value := fill(plane, file)) is not None:
            padded.setdefault(value, []).append(shown(file.path))
        if plane.max() > NO_METAL_HU:
            bright.append(shown(file.path))
    notes = [
        f"what lies outside the image has {value:,} HU, which the header doesn't name as padding: read as air in "
        f"{some(paths)}"
        for value, paths in padded.items()
    ]
    if bright:
        notes.append(
            f"some pixels have more than {NO_METAL_HU:,} HU, which no metal has (are the values' sign and scale "
            f"right?), in {some(bright)}"
        )
    return Pixels(volume, tuple(notes))


def _read(file: SliceFile, reader: sitk.ImageFileReader) -> np.ndarray:
    try:
        status = os.stat(file.path)
        if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
            raise InputError(
                f"{shown(file.path)} has changed since its header was read: run the command again"
            )
        return _read_plain(file) if file.stored else _decode(file, reader)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{shown(file.path)} has no readable pixel data: download the file again") from error


def _read_plain(file: SliceFile) -> np.ndarray:
    """Returns (rows, columns) float64 HU of pixels that lie in the file as they are, without SimpleITK's detours."""
    stored = np.fromfile(file.path, file.stored, file.rows * file.columns, offset=file.offset)
    unused = 16 - file.bits
    outside = np.isin(stored, unrepresentable(file)) if unused and file.padding else None
    if unused:  # above the value lies its sign or anything else
        stored <<= unused
        stored >>= unused
    hu = stored.astype(np.float64)
    hu *= file.slope
    hu += file.intercept
    if outside is not None:
        hu[outside] = AIR_HU
    return hu.reshape(file.rows, file.columns)


def _decode(file: SliceFile, reader: sitk.ImageFileReader) -> np.ndarray:
    """Returns (rows, columns) int or float HU of pixels in any other encoding."""
    with _text_path(file.path) as path:
        reader.SetFileName(path)
        return sitk.GetArrayFromImage(reader.Execute())[0]


@contextlib.contextmanager
def _text_path(path: str) -> Iterator[str]:
    """Gives a path that SimpleITK can take: one whose bytes are not UTF-8 would end the whole process."""
    if is_text(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = pathlib.Path(folder) / "slice"
        link.symlink_to(os.path.abspath(path))
        yield str(link)
