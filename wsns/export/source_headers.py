"""What DICOM made from a scan takes over from its slices' own headers: patient, study, and where each slice lies."""

import contextlib
import warnings
from collections.abc import Iterator

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DA, TM

from wsns.data.dicom.file_names import shown
from wsns.data.images.ct import ChestCT
from wsns.errors import InputError
from wsns.export.uids import derived_uid

TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""What must be there, but may be empty."""
TAKEN_OVER = (
    *TYPE_2, "IssuerOfPatientID", "PatientAge", "StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod",
)  # fmt: skip
"""Whose the scan is, of which study, and whether it was de-identified."""
OF_A_SLICE = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient",
    "SliceThickness",
)  # fmt: skip
UNICODE = "ISO_IR 192"


def read_sources(ct: ChestCT) -> list[Dataset]:
    """Returns what refers to a DICOM series' slices, one dataset for each that has a file, by ascending k.

    They are made anew and hold nothing else: a scanner's header may break rules that what is made from it must keep.
    Each slice lies where its header says; rows and columns run as in the scan's grid, which differs from the headers'
    directions by their rounding at most.

    Raises:
        InputError: if the scan is no DICOM series, or a header lacks what only the archive that it came from can know.
    """
    with quietly():
        slices = [_slice(path, ct) for path in ct.files if path]
        if not slices:
            raise InputError(f"{ct.name} isn't a series of DICOM slices: DICOM can't be made from it")
        for name in ("StudyInstanceUID", "FrameOfReferenceUID"):
            if len({one[name].value for one in slices}) > 1:
                raise InputError(
                    f"series {ct.series}: its slices differ in {name}, so they aren't one scan to DICOM: export it "
                    "again"
                )
        header = _read(next(path for path in ct.files if path), TAKEN_OVER)
        for name in TAKEN_OVER:
            text = _valid(name, _text(header, name))
            if text or name in TYPE_2:
                for one in slices:
                    setattr(one, name, text)
    return slices


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Within it, what a scanner wrote is taken over as it is, without a warning of each rule that it breaks."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _slice(path: str, ct: ChestCT) -> Dataset:
    """Returns what refers to one slice.

    Raises:
        InputError: if its header lacks something.
    """
    header = _read(path, OF_A_SLICE)
    made = Dataset()
    made.SpecificCharacterSet = UNICODE
    made.Modality, made.SeriesInstanceUID = "CT", ct.series
    for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"):
        if not (text := _text(header, name)):
            raise InputError(
                f"{shown(path)} has no {name}, by which DICOM files refer to each other: export the series again, "
                "with its identifiers"
            )
        setattr(made, name, text)
    if UID(made.SOPClassUID).type != "SOP Class":
        raise InputError(
            f"{shown(path)} is of the kind {made.SOPClassUID}, which isn't DICOM's: export it as CT"
        )
    # A CT must have one. Where an export has dropped it, one of its own says no more than that the series' slices
    # lie in the same space, and they do.
    made.FrameOfReferenceUID = _text(header, "FrameOfReferenceUID") or derived_uid(ct.series, "space")
    made.Rows, made.Columns = ct.grid.size[1], ct.grid.size[0]
    made.PixelSpacing = [float(ct.grid.spacing[1]), float(ct.grid.spacing[0])]
    made.ImageOrientationPatient = [float(part) for n in (0, 1) for part in ct.grid.direction[:, n]]
    position = _numbers(header, "ImagePositionPatient")
    if len(position) != 3:
        raise InputError(f"{shown(path)} has changed since its header was read: run the command again")
    made.ImagePositionPatient = position
    step = float(ct.grid.spacing[2])
    made.SliceThickness = next((mm for mm in _numbers(header, "SliceThickness") if mm > 0), step)
    made.SpacingBetweenSlices = step
    return made


def _read(path: str, names: tuple[str, ...]) -> Dataset:
    return pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(names))


def _text(header: Dataset, name: str) -> str:
    """Returns a value as text in whatever alphabet, '' where there is none."""
    value = header.get(name)
    if isinstance(value, pydicom.multival.MultiValue):
        return "\\".join(str(part) for part in value)
    return str(value or "").strip()


def _numbers(header: Dataset, name: str) -> list[float]:
    """Returns decimal numbers, none where the header has no such."""
    try:
        return [float(part) for part in _text(header, name).split("\\")]
    except ValueError:
        return []


def _valid(name: str, text: str) -> str:
    """Returns a value, or '' where it is none of its kind: a date that is no date tells nothing."""
    if name == "PatientSex":
        return text if text in ("M", "F", "O") else ""
    kind = DA if name.endswith("Date") else TM if name.endswith("Time") else str
    try:
        kind(text)
    except ValueError:
        return ""
    return text
