import random
import warnings

import numpy as np
import pydicom
import pytest
from dicom_files import dataset, write
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from wsns.data.dicom.header import PREFIX_BYTES, File, SliceFile, read_header


def _read(path):
    status = path.stat()
    with path.open("rb") as stream, warnings.catch_warnings(action="ignore"):
        return read_header(File(str(path), status.st_size, status.st_mtime_ns), stream.read(PREFIX_BYTES))


def test_values_of_a_slice(tmp_path):
    path = write(tmp_path / "a", "1.2.840.1", -97.5, instance=7, GantryDetectorTilt=-3.5, RescaleSlope="2")
    found = _read(path)
    header = pydicom.dcmread(path)
    assert (found.path, found.size, found.mtime_ns) == (
        str(path),
        path.stat().st_size,
        path.stat().st_mtime_ns,
    )
    assert (found.series, found.instance_uid, found.instance) == ("1.2.840.1", header.SOPInstanceUID, 7)
    assert (found.z, found.tilt, found.orientation) == (-97.5, -3.5, (1, 0, 0, 0, 1, 0))
    assert (found.rows, found.columns, found.spacing) == (8, 8, (0.7, 0.7))
    assert (found.slope, found.intercept, found.stored, found.bits) == (2, -1024, "<i2", 16)
    assert found.padding == ()
    assert path.read_bytes()[found.offset :] == header.PixelData
    assert found.problem == ""


def test_padding_has_the_sign_of_the_pixels(tmp_path):
    signed = write(tmp_path / "a", "1.2.840.1", 0, PixelPaddingValue=-2000)
    assert _read(signed).padding == (-2000, -2000)
    data = dataset("1.2.840.1", 0, pixels=np.zeros((8, 8), np.uint16), PixelPaddingValue=63536)
    data.save_as(tmp_path / "b", enforce_file_format=True)
    assert _read(tmp_path / "b").padding == (63536, 63536)
    assert _read(tmp_path / "b").stored == "<u2"


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]
)
def test_other_encodings_have_the_same_geometry(tmp_path, syntax):
    plain = _read(write(tmp_path / "plain", "1.2.840.1", -97.5, instance=7))
    data = dataset("1.2.840.1", -97.5, instance=7)
    if syntax == RLELossless:
        data.compress(syntax)
    data.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        pydicom.dcmwrite(
            tmp_path / "b", data, implicit_vr=False, little_endian=False, enforce_file_format=True
        )
    else:
        data.save_as(tmp_path / "b", enforce_file_format=True)
    found = _read(tmp_path / "b")
    assert found.problem == ""
    assert bool(found.stored) == (syntax == ImplicitVRLittleEndian)
    for name in (
        "series",
        "instance",
        "z",
        "orientation",
        "spacing",
        "rows",
        "columns",
        "slope",
        "intercept",
    ):
        assert getattr(found, name) == getattr(plain, name), name


def test_header_longer_than_what_is_read_first(tmp_path):
    path = write(tmp_path / "a", "1.2.840.1", 5.0, RedPaletteColorLookupTableData=bytes(2 * PREFIX_BYTES))
    found = _read(path)
    assert found.z == 5.0
    assert found.problem == ""
    assert found.offset > 2 * PREFIX_BYTES


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"PixelData": None}, "has no pixel data"),
        ({"RescaleSlope": None}, "has no rescale slope or no intercept, so its values are not in HU"),
        ({"RescaleIntercept": None}, "has no rescale slope or no intercept, so its values are not in HU"),
        ({"RescaleSlope": 0}, "has no rescale slope or no intercept, so its values are not in HU"),
        (
            {"PhotometricInterpretation": "MONOCHROME1"},
            "has the photometric interpretation 'MONOCHROME1', not MONOCHROME2",
        ),
        ({"NumberOfFrames": 2}, "has 2 frames of 1 samples of 16 bits, not one frame of one of 16"),
        ({"BitsAllocated": 8}, "has 1 frames of 1 samples of 8 bits, not one frame of one of 16"),
        ({"BitsStored": 12}, "stores 12 bits of which the highest is number 15 of 16, not 11"),
        ({"RescaleType": "OD"}, "has values of the type 'OD', not HU"),
        (
            {"PixelRepresentation": None},
            "does not say whether its values are signed (PixelRepresentation)",
        ),
        ({"BitsStored": 0}, "stores 0 bits of which the highest is number 15 of 16, not -1"),
        ({"Rows": 7}, "holds 128 bytes of pixels where 7 rows of 16 bytes are announced"),
        ({"Rows": 9}, "holds 128 bytes of pixels where 9 rows of 16 bytes are announced"),
    ],
)
def test_problems_that_a_decoder_does_not_report(tmp_path, tags, problem):
    assert _read(write(tmp_path / "a", "1.2.840.1", 0, **tags)).problem == problem


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"Modality": "MR"}, "of modality 'MR'"),
        ({"Modality": None}, "a DICOM file without modality"),
        ({"ImagePositionPatient": None}, "a CT file without ImagePositionPatient"),
        (
            {"ImageOrientationPatient": [1, 0, 0]},
            r"a CT file whose ImageOrientationPatient is '1.0\\0.0\\0.0'",
        ),
        ({"PixelSpacing": None}, "a CT file without PixelSpacing"),
        ({"SeriesInstanceUID": None}, "a CT file without SeriesInstanceUID"),
    ],
)
def test_no_ct_slice(tmp_path, tags, what):
    assert _read(write(tmp_path / "a", "1.2.840.1", 0, **tags)) == what


def test_files_that_are_not_dicom(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("not an image" * 10_000)
    assert _read(tmp_path / "empty") == "an empty file"
    assert _read(tmp_path / "text") == "not a DICOM file"


@pytest.mark.parametrize("encoding", ["plain", "compressed"])
def test_no_file_that_is_cut_short_passes(tmp_path, encoding):
    data = dataset("1.2.840.1", 0.0)
    if encoding == "compressed":
        data.compress(RLELossless)
    data.save_as(tmp_path / "whole", enforce_file_format=True)
    whole = (tmp_path / "whole").read_bytes()
    offset = _read(tmp_path / "whole").offset
    reasons = set()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        found = _read(tmp_path / "cut")
        assert isinstance(found, str) or found.problem, length
        if length >= offset:
            assert not isinstance(found, str)
            assert found.problem.startswith(f"is cut short: {length} of at least")
        reasons.add(found if isinstance(found, str) else found.problem.split(":")[0])
    assert {"not a DICOM file", "a DICOM file without modality", "has no pixel data"} < reasons
    assert "a CT file cut short before its ImagePositionPatient" in reasons


def test_random_bytes_never_raise(tmp_path):
    whole = write(tmp_path / "whole", "1.2.840.1", 0.0).read_bytes()
    numbers = random.Random(0)
    kinds = set()
    for _ in range(1000):
        content = bytearray(whole)
        for _ in range(numbers.choice((1, 4, 30))):
            content[numbers.randrange(132, len(whole))] = numbers.randrange(256)
        (tmp_path / "damaged").write_bytes(content)
        kinds.add(type(_read(tmp_path / "damaged")))
    (tmp_path / "noise").write_bytes(whole[:132] + numbers.randbytes(3000))
    assert isinstance(_read(tmp_path / "noise"), str)
    assert kinds == {str, SliceFile}


def test_values_agree_with_pydicom_on_real_slices(real_scans):
    for folder in sorted(real_scans.glob("LIDC-*")):
        path = min(folder.rglob("*.dcm"))
        found, header = _read(path), pydicom.dcmread(path, stop_before_pixels=True)
        expected = {
            "series": header.SeriesInstanceUID,
            "instance_uid": header.SOPInstanceUID,
            "instance": header.InstanceNumber,
            "z": header.ImagePositionPatient[2],
            "orientation": tuple(header.ImageOrientationPatient),
            "tilt": header.GantryDetectorTilt,
            "spacing": tuple(header.PixelSpacing),
            "rows": header.Rows,
            "columns": header.Columns,
            "slope": header.RescaleSlope,
            "intercept": header.RescaleIntercept,
            "padding": (-2000, -2000),
            "stored": "",
            "problem": "",
        }
        assert {name: getattr(found, name) for name in expected} == expected
