"""Writes scans of the twin as an archive of uncompressed DICOM files."""

import pathlib

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from wsns.data.lidc.annotations import Scan, load_scans
from wsns.data.synthetic import twin

THICKNESS = 2.5


def write(folder: pathlib.Path, number: int) -> str:
    """Writes the first scans of 2.5 mm that have annotations; returns the folder."""
    scans = [scan for scan in load_scans().values() if scan.thickness == THICKNESS and scan.annotations]
    for scan in scans[:number]:
        volume = twin.render(scan)
        where = folder / scan.patient
        where.mkdir(parents=True)
        for k, plane in enumerate(volume.hu):
            _slice(scan, k, plane).save_as(where / f"{k:06d}.dcm", enforce_file_format=True)
    return str(folder)


def _slice(scan: Scan, k: int, hu: np.ndarray) -> pydicom.Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{scan.series[:50]}.{k + 1}"
    header = pydicom.Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PatientID = "CT", scan.patient
    header.StudyInstanceUID, header.SeriesInstanceUID = scan.study, scan.series
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
