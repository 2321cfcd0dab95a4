import dataclasses

import numpy as np
import phantom
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from wsns.data import annotations, dicom
from wsns.data.source import open_source
from wsns.errors import InputError

SIDE = 8


def _write(path, series, z, *, value=0, slope=1, intercept=-1024, instance=1, **tags):
    """Writes one CT slice of a constant stored value, but for a ramp in its first row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    pixels = np.full((SIDE, SIDE), value, np.int16)
    pixels[0] = np.arange(SIDE)
    header = pydicom.Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.SeriesInstanceUID, header.InstanceNumber = "CT", series, instance
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, z], [1, 0, 0, 0, 1, 0]
    header.PixelSpacing, header.SliceThickness = [0.7, 0.7], 2.5
    header.Rows = header.Columns = SIDE
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 1, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.RescaleSlope, header.RescaleIntercept = slope, intercept
    header.PixelData = pixels.tobytes()
    for name, content in tags.items():
        if content is None:
            delattr(header, name)
        else:
            setattr(header, name, content)
    header.save_as(path, enforce_file_format=True)


@pytest.fixture
def scan():
    return phantom.scan([], slices=5, series="1.2.840.1")


@pytest.fixture
def archive(tmp_path, scan):
    """Five slices in no order, in nested folders and under odd names, among files that don't belong."""
    for k in (3, 0, 4, 1, 2):
        _write(tmp_path / f"x{k % 2}" / "deep" / f"any {9 - k}", scan.series, float(scan.z[k]), value=100 * k)
    _write(tmp_path / "x0" / "other.dcm", "1.2.840.2", 0.0)
    _write(tmp_path / "x0" / "mr.dcm", scan.series, 0.0, Modality="MR")
    (tmp_path / "x0" / "notes.txt").write_text("not an image")
    (tmp_path / "LICENSE").write_bytes(b"")
    return tmp_path


def _open(folder, scan):
    return open_source(str(folder), {scan.series: scan}).only([scan.series])


def test_reads_in_order_of_z_in_hounsfield_units(archive, scan):
    volume = _open(archive, scan).read(scan.series)
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu[:, 1, 1], 100 * np.arange(5) - 1024)
    np.testing.assert_array_equal(volume.hu[2, 0], np.arange(SIDE) - 1024)
    np.testing.assert_array_equal(volume.z, scan.z)
    assert volume.spacing == scan.spacing


def test_rescale_and_padding(tmp_path, scan):
    for k, (value, slope, intercept) in enumerate(
        [(-2000, 1, -1024), (50, 2, -100), (0, 1, 0), (30, 1, 0), (9, 1, 9)]
    ):
        _write(
            tmp_path / f"{k}", scan.series, float(scan.z[k]), value=value, slope=slope, intercept=intercept
        )
    np.testing.assert_array_equal(_open(tmp_path, scan).read(scan.series).hu[:, 5, 5], [-1024, 0, 0, 30, 18])


def test_of_two_slices_at_one_z_the_lower_instance_stays(archive, scan):
    _write(archive / "a0", scan.series, float(scan.z[2]), value=7, instance=2)
    assert _open(archive, scan).read(scan.series).hu[2, 5, 5] == 200 - 1024
    _write(archive / "a1", scan.series, float(scan.z[2]), value=7, instance=0)
    assert _open(archive, scan).read(scan.series).hu[2, 5, 5] == 7 - 1024


def test_missing_slice_is_named(archive, scan):
    (archive / "x0" / "deep" / "any 7").unlink()
    with pytest.raises(
        InputError, match=r"LIDC-IDRI-0001.*4 slices where the scan has 5.*z = -95 mm.*exclude"
    ):
        _open(archive, scan)


def test_slice_too_many(archive, scan):
    _write(archive / "more", scan.series, 55.0)
    with pytest.raises(InputError, match="6 slices where the scan has 5; there are slices too many"):
        _open(archive, scan)


@pytest.mark.parametrize(
    "tags",
    [{"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, {"GantryDetectorTilt": 12.0}],
    ids=["coronal", "tilt"],
)
def test_crooked_series_is_refused(archive, scan, tags):
    _write(archive / "x1" / "deep" / "any 8", scan.series, float(scan.z[1]), **tags)
    with pytest.raises(InputError, match="not one untilted axial series"):
        _open(archive, scan)


def test_unreadable_pixels_name_the_file(archive, scan):
    _write(archive / "x1" / "deep" / "any 8", scan.series, float(scan.z[1]), PixelData=None)
    source = _open(archive, scan)
    with pytest.raises(InputError, match="any 8 has no readable pixel data"):
        source.read(scan.series)


def test_slices_of_another_size(archive, scan):
    half = {"Rows": SIDE // 2, "PixelData": bytes(SIDE * SIDE)}
    _write(archive / "x1" / "deep" / "any 8", scan.series, float(scan.z[1]), **half)
    with pytest.raises(InputError, match="any 8 is"):
        _open(archive, scan).read(scan.series)


def test_folder_that_is_missing_empty_or_another_archive(tmp_path, archive, scan):
    scans = {scan.series: scan}
    with pytest.raises(InputError, match="is not a folder"):
        open_source(str(tmp_path / "nowhere"), scans)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        open_source(str(tmp_path / "empty"), scans)
    stranger = dataclasses.replace(scan, series="9.9")
    with pytest.raises(InputError, match="holds 2 CT series, none of them of LIDC-IDRI"):
        open_source(str(archive), {"9.9": stranger})


def test_partial_archive_and_progress(archive, scan):
    seen = []
    scans = {"9.9": dataclasses.replace(scan, series="9.9"), scan.series: scan}
    source = open_source(str(archive), scans, progress=lambda files: (seen.append(f) or f for f in files))
    assert source.series == (scan.series,)
    assert len(seen) == 9


def test_real_scans_agree_with_pydicom(real_scans):
    scans = annotations.load_scans()
    found = dicom.index(str(real_scans))
    assert sorted(scans[uid].patient for uid in found) == [
        f"LIDC-IDRI-{n}" for n in ("0001", "0002", "0003", "0181")
    ]
    uid = next(uid for uid in found if scans[uid].patient == "LIDC-IDRI-0003")
    files = dicom.arrange(found[uid], scans[uid], "")
    hu = dicom.read_pixels([file.path for file in files[60:62]])
    header = pydicom.dcmread(files[60].path, stop_before_pixels=True)
    assert header.ImagePositionPatient[2] == scans[uid].z[60]
    assert hu.shape == (2, 512, 512)
    assert hu.min() == -1024
    assert abs(np.median(hu[:, 250:262, 130:160]) + 870) < 120
