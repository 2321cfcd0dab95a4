"""Scans of the twin as uncompressed DICOM files, as an archive has them."""

import pathlib
from collections.abc import Iterable

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from wsns.data.lidc.annotations import Scan
from wsns.data.synthetic import twin

NAME = "LIDC twin (synthetic)"


def write(folder: pathlib.Path, scans: Iterable[Scan]) -> None:
    """Writes each scan into a folder by its patient."""
    for scan in scans:
        volume = twin.render(scan)
        where = folder / scan.patient
        where.mkdir(parents=True, exist_ok=True)
        for k, plane in enumerate(volume.hu):
            _slice(scan, k, plane).save_as(where / f"{k:06d}.dcm", enforce_file_format=True)


def _slice(scan: Scan, k: int, hu: np.ndarray) -> pydicom.Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"{scan.series[:50]}.{k + 1}")
    header = pydicom.Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PatientID, header.PatientName = "CT", scan.patient, NAME
    header.StudyInstanceUID, header.SeriesInstanceUID = scan.study, scan.series
    header.FrameOfReferenceUID = f"{scan.series[:50]}.0"
    header.InstanceNumber, header.SliceThickness = k + 1, scan.thickness
    header.ImagePositionPatient = [0, 0, float(scan.z[k])]
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.PixelSpacing = [scan.spacing, scan.spacing]
    header.Rows, header.Columns = hu.shape
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 1, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.RescaleSlope, header.RescaleIntercept = 1, -1024
    header.PixelData = (hu + np.int16(1024)).tobytes()
    return header
