"""Which of several files of one slice is right, where their headers are the same: their pixels decide."""

import filecmp
from collections.abc import Sequence

import numpy as np

from wsns.data.dicom.file_names import shown, some
from wsns.data.dicom.header import SliceFile
from wsns.data.dicom.lost_rows import lost_rows
from wsns.data.dicom.pixels import read_pixels
from wsns.data.dicom.series import Arranged
from wsns.errors import InputError


def settle(arranged: Arranged) -> tuple[tuple[SliceFile, ...], tuple[str, ...]]:
    """Returns the files to use, and what was settled and must be told.

    Copies of the same content are no matter. Of copies that differ, the sound one is used if there is just one: a copy
    is not sound if its pixels can't be decoded, or if rows of it have a single value where the other shows tissue.

    Raises:
        InputError: if two sound copies differ; it names both.
    """
    files, same, notes = list(arranged.files), [], []
    for n, copies in arranged.copies.items():
        others = [file for file in copies if not filecmp.cmp(file.path, files[n].path, shallow=False)]
        same += [shown(file.path) for file in copies if file not in others]
        if others:
            files[n], faults = _sound([files[n], *others])
            same += [
                shown(f.path) for f in (arranged.files[n], *others) if f is not files[n] and f not in faults
            ]
            notes += [
                f"{shown(file.path)} is not used, as it {fault}: {shown(files[n].path)} is the same slice, and whole"
                for file, fault in faults.items()
            ]
    return tuple(files), (*notes, *([f"copies of slices are not used: {some(same)}"] if same else []))


def _sound(copies: Sequence[SliceFile]) -> tuple[SliceFile, dict[SliceFile, str]]:
    """Returns the copy to use, and what is wrong with others."""
    faults = {file: file.problem for file in copies if file.problem}
    planes: dict[SliceFile, np.ndarray] = {}
    for file in copies:
        if file not in faults:
            try:
                planes[file] = read_pixels([file]).hu[0]
            except InputError:
                faults[file] = "has no readable pixel data"
    for file, plane in planes.items():
        like = [other for other in planes.values() if other.shape == plane.shape]
        if any(0 in lost_rows(np.array([plane, other])) for other in like):
            faults[file] = "lacks rows that the other has"
    sound = [file for file in planes if file not in faults]
    if not sound:
        return copies[0], {}
    unlike = [file for file in sound if not np.array_equal(planes[file], planes[sound[0]])]
    if unlike:
        raise InputError(
            f"{shown(sound[0].path)} and {shown(unlike[0].path)} are one slice (instance {sound[0].instance}) with "
            "different pixels, and both look sound: move the wrong one elsewhere"
        )
    return sound[0], faults
