"""Every encoding of stored values gives the same HU."""

import numpy as np
import pydicom
import pytest
from dicom_files import SIDE, dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from wsns.data.dicom.index import index
from wsns.data.dicom.pixels import read_pixels

SERIES = "1.2.840.1"


def _stored(pixels, tmp_path, *, syntax=None, **tags):
    """Returns the HU of one slice of these stored values, as read from a file."""
    data = dataset(SERIES, 0.0, pixels=pixels, **tags)
    if syntax == RLELossless:
        data.compress(syntax)
    elif syntax:
        data.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        data.PixelData = pixels.byteswap().tobytes()
        pydicom.dcmwrite(
            tmp_path / "a", data, implicit_vr=False, little_endian=False, enforce_file_format=True
        )
    else:
        data.save_as(tmp_path / "a", enforce_file_format=True)
    return read_pixels(index(str(tmp_path)).series[SERIES]).hu[0]


RAMP = np.linspace(-3000, 30000, 16 * 16).astype(np.int16).reshape(16, 16)  # GDCM knows no smaller RLE


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize(
    ("slope", "intercept"), [(1, -1024), (1, 0), (2, -100), (0.5, 0.0), (0.5, -1024.3), (-1, 5)]
)
def test_every_encoding_gives_the_same_hounsfield_units(tmp_path, syntax, slope, intercept):
    hu = _stored(RAMP, tmp_path, syntax=syntax, RescaleSlope=slope, RescaleIntercept=intercept)
    np.testing.assert_array_equal(hu, np.clip(np.rint(RAMP * float(slope) + intercept), -1024, 32767))


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_unsigned_padding_is_air_and_not_bright(tmp_path, syntax):
    pixels = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE) + 900
    pixels[0, :3] = 63536
    hu = _stored(pixels, tmp_path, syntax=syntax, PixelPaddingValue=63536)
    assert (hu[0, :3] == -1024).all()
    np.testing.assert_array_equal(hu.ravel()[3:], np.arange(903, 900 + SIDE * SIDE) - 1024)
    pixels[0, :3] = 65535  # metal beyond int16 is no padding
    assert (_stored(pixels, tmp_path, syntax=syntax, PixelPaddingValue=63536)[0, :3] == 32767).all()


@pytest.mark.parametrize("syntax", [None, ExplicitVRBigEndian])
@pytest.mark.parametrize("signed", [False, True])
def test_twelve_bits_whatever_the_other_four_hold(tmp_path, syntax, signed):
    values = np.linspace(-2048 if signed else 0, 2047 if signed else 4095, SIDE * SIDE).astype(int)
    pixels = ((values & 0xFFF) | 0xA000).astype(np.uint16).reshape(SIDE, SIDE)
    hu = _stored(pixels, tmp_path, syntax=syntax, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    np.testing.assert_array_equal(hu.ravel(), np.maximum(values - 1024, -1024))
