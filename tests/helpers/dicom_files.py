"""Writes small CT slices with pydicom, right ones and wrong ones."""

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 8


def dataset(series, z, *, value=0, instance=1, pixels=None, **tags):
    """One CT slice of 0.7 mm pixels: a constant stored value, but for a ramp in its first row.

    `tags` replace header elements; None removes one.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    if pixels is None:
        pixels = np.full((SIDE, SIDE), value, np.int16)
        pixels[0] = np.arange(SIDE)
    made = pydicom.Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    made.Modality, made.SeriesInstanceUID, made.InstanceNumber = "CT", series, instance
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, z], [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [0.7, 0.7], 2.5
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.SamplesPerPixel = 15, 1
    made.PixelRepresentation = int(pixels.dtype == np.int16)
    made.PhotometricInterpretation = "MONOCHROME2"
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = pixels.tobytes()
    for name, content in tags.items():
        if content is None:
            delattr(made, name)
        else:
            setattr(made, name, content)
    return made


def write(path, series, z, **options):
    """Writes `dataset` to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset(series, z, **options).save_as(path, enforce_file_format=True)
    return path
