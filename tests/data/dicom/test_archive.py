import dataclasses
import os
import pickle
import re
import shutil

import numpy as np
import phantom
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import SIDE, dataset, write
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from wsns.data.dicom import archive as dicom
from wsns.data.dicom.index import index
from wsns.data.dicom.pixels import read_pixels
from wsns.data.lidc import annotations
from wsns.errors import InputError

SERIES = "1.2.840.1"


@pytest.fixture
def scan():
    return phantom.scan([], slices=5, series=SERIES)


@pytest.fixture
def archive(tmp_path, scan):
    """Five slices in no order, in nested folders and under odd names, among files that don't belong.

    Slice k, of stored value 100 k and instance number 10 + k, is the file "x{k % 2}/deep/any {k}".
    """
    for k in (3, 0, 4, 1, 2):
        path = tmp_path / f"x{k % 2}" / "deep" / f"any {k}"
        write(path, SERIES, float(scan.z[k]), value=100 * k, instance=10 + k)
    write(tmp_path / "x0" / "other.dcm", "1.2.840.2", 0.0)
    write(tmp_path / "x0" / "mr.dcm", SERIES, 0.0, Modality="MR")
    (tmp_path / "x0" / "notes.txt").write_text("not an image")
    (tmp_path / "LICENSE").write_bytes(b"")
    return tmp_path


def _found(folder, *scans):
    return dicom.open_archive(str(folder), {scan.series: scan for scan in scans})


def _open(folder, scan):
    return _found(folder, scan).only([scan.series])


def _refused(folder, scan):
    """Returns the message of the error, having checked its beginning and its end."""
    with pytest.raises(InputError) as error:
        _open(folder, scan)
    who, cure = f"{scan.patient}, series {scan.series}: ", f"--config.data.exclude={scan.patient}"
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(who)
    assert message.endswith(f". Download the scan again, or leave it out with {cure}")
    return message.removeprefix(who).split(". Download")[0]


def test_reads_in_order_of_z_in_hounsfield_units(archive, scan):
    volume = _open(archive, scan).read(SERIES)
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu[:, 1, 1], 100 * np.arange(5) - 1024)
    np.testing.assert_array_equal(volume.hu[2, 0], np.arange(SIDE) - 1024)
    np.testing.assert_array_equal(volume.z, scan.z)
    assert volume.spacing == scan.spacing


def test_uneven_z(tmp_path, scan):
    scan = dataclasses.replace(scan, z=np.array([-3.0, -2.5, 0.0, 38.0, 38.5]))
    for k in range(5):
        write(tmp_path / f"{k}", SERIES, float(scan.z[k]) + 0.004, value=k)
    volume = _open(tmp_path, scan).read(SERIES)
    np.testing.assert_array_equal(volume.hu[:, 1, 1], np.arange(5) - 1024)
    np.testing.assert_array_equal(volume.z, scan.z)


def test_partial_archive(archive, scan):
    absent = dataclasses.replace(scan, series="9.9")
    assert _found(archive, absent, scan).series == (SERIES,)


def test_archive_without_any_of_the_scans(archive, scan, tmp_path):
    with pytest.raises(InputError, match=r"holds 2 CT series, none of them of LIDC-IDRI \(.* is "):
        _found(archive, dataclasses.replace(scan, series="9.9"))


# Pixels.


def test_file_that_changes_between_header_and_pixels(archive, scan):
    source = _open(archive, scan)
    path = archive / "x0" / "deep" / "any 2"
    os.utime(path, ns=(1, 1))
    with pytest.raises(
        InputError, match="any 2 has changed since its header was read: run the command again"
    ):
        source.read(SERIES)
    path.unlink()
    with pytest.raises(InputError, match="any 2 has no readable pixel data: download the file again"):
        source.read(SERIES)


def test_pixels_that_cannot_be_decoded(archive, scan):
    data = dataset(SERIES, float(scan.z[2]), instance=12)
    data.compress(RLELossless)
    whole = data.PixelData
    data.PixelData = whole[:20] + bytes([255] * 64) + whole[84:]
    data.save_as(archive / "x0" / "deep" / "any 2", enforce_file_format=True)
    with pytest.raises(InputError, match="any 2 has no readable pixel data: download the file again"):
        _open(archive, scan).read(SERIES)


# Bad input: one message that names the file.


@pytest.mark.parametrize("part", ["pixels", "header"])
def test_truncated_file(archive, scan, part):
    path = archive / "x0" / "deep" / "any 2"
    whole = path.read_bytes()
    if part == "pixels":
        path.write_bytes(whole[:-10])
        assert (
            _refused(archive, scan)
            == f"{path} is cut short: {len(whole) - 10} of at least {len(whole)} bytes"
        )
    else:
        path.write_bytes(whole[: whole.index(b"\x20\0\x32\0DS")])
        message = "1 of its 5 slices missing, at z = -95 mm; passed over in its folder: "
        assert (
            _refused(archive, scan)
            == f"{message}{path} is a CT file cut short before its ImagePositionPatient"
        )


def test_not_a_dicom_in_the_place_of_a_slice(archive, scan):
    path = archive / "x0" / "deep" / "any 2"
    path.write_text("<html>404</html>")
    assert _refused(archive, scan) == (
        f"1 of its 5 slices missing, at z = -95 mm; passed over in its folder: {path} is not a DICOM file"
    )


def test_wrong_modality(archive, scan):
    path = archive / "x0" / "deep" / "any 2"
    write(path, SERIES, float(scan.z[2]), Modality="PT")
    assert _refused(archive, scan).endswith(f"passed over in its folder: {path} is of modality 'PT'")


def test_damaged_files_are_suspected_before_others(archive, scan):
    path = archive / "x0" / "deep" / "any 2"
    path.write_bytes(path.read_bytes()[:300])
    for n in range(4):
        (path.parent / f"{n}.txt").write_text("not an image")
    message = _refused(archive, scan)
    assert f"in its folder: {path} is a" in message
    assert message.endswith("and 2 more")


def test_missing_slices(archive, scan):
    (archive / "x0" / "deep" / "any 2").unlink()
    assert _refused(archive, scan) == "1 of its 5 slices missing, at z = -95 mm"
    for k in (0, 1, 3):
        (archive / f"x{k % 2}" / "deep" / f"any {k}").unlink()
    assert _refused(archive, scan) == "4 of its 5 slices missing, at z = -100 mm, -97.5 mm, -95 mm and 1 more"


def test_slice_too_many(archive, scan):
    write(archive / "more", SERIES, 55.0)
    assert _refused(archive, scan) == f"not one of its 5 slices: {archive / 'more'} (z = 55 mm)"


def test_slice_at_another_place(archive, scan):
    path = write(archive / "x0" / "deep" / "any 2", SERIES, -94.9)
    assert _refused(archive, scan) == (
        f"1 of its 5 slices missing, at z = -95 mm; not one of its 5 slices: {path} (z = -94.9 mm)"
    )


def test_pixel_data_missing(archive, scan):
    path = write(archive / "x0" / "deep" / "any 2", SERIES, float(scan.z[2]), PixelData=None)
    assert _refused(archive, scan) == f"{path} has no pixel data"
    write(archive / "x1" / "deep" / "any 3", SERIES, float(scan.z[3]), RescaleSlope=None)
    assert _refused(archive, scan) == f"{path} has no pixel data (faulty files in all: 2)"


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, ": not axial (orientation 1, 0, 0, 0, 0, -1)"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.98, 0.2]}, ": not axial (orientation 1, 0, 0, 0, 0.98, 0.2)"),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, -1, 0]}, ": turned in another way than the other slices"),
        ({"GantryDetectorTilt": 12.0}, ": taken with the gantry tilted by 12°"),
        ({"Rows": 4, "PixelData": bytes(64)}, ": 4 × 8 pixels, unlike the other slices"),
        ({"PixelSpacing": [0.7, 0.8]}, ": pixels of 0.7 × 0.8 mm, not 0.7"),
        ({"RescaleIntercept": None}, " has no rescale slope or no intercept, so its values are not in HU"),
    ],
    ids=["coronal", "oblique", "turned", "tilt", "size", "spacing", "rescale"],
)  # fmt: skip
def test_one_slice_unlike_the_others(archive, scan, tags, problem):
    path = write(archive / "x0" / "deep" / "any 2", SERIES, float(scan.z[2]), **tags)
    assert _refused(archive, scan) == f"{path}{problem}"


@pytest.mark.parametrize(("rows", "side"), [(1, "left"), (-1, "right")])
def test_the_patient_s_right_is_where_the_rows_begin_or_end(tmp_path, scan, rows, side):
    for k in range(5):
        write(tmp_path / f"{k}", SERIES, float(scan.z[k]), ImageOrientationPatient=[rows, 0, 0, 0, rows, 0])
    assert _open(tmp_path, scan).read(SERIES).right == side


def test_all_slices_not_square(tmp_path, scan):
    for k in range(5):
        write(tmp_path / f"{k}", SERIES, float(scan.z[k]), Rows=4, PixelData=bytes(64))
    assert _refused(tmp_path, scan) == f"slices of 4 × 8 pixels, not square (as {tmp_path / '0'})"


def test_a_series_that_is_turned_as_a_whole_is_read_as_it_is(tmp_path, scan):
    for k in range(5):
        write(tmp_path / f"{k}", SERIES, float(scan.z[k]), ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])
    np.testing.assert_array_equal(_open(tmp_path, scan).read(SERIES).hu[2, 0], np.arange(SIDE) - 1024)


def test_two_series_in_one_folder(tmp_path, scan):
    other = dataclasses.replace(scan, series="1.2.840.2")
    for k in range(5):
        write(tmp_path / f"{2 * k}", SERIES, float(scan.z[k]), value=k)
        write(tmp_path / f"{2 * k + 1}", other.series, float(scan.z[k]), value=50 + k)
    source = _found(tmp_path, scan, other)
    assert source.only(source.series).read(SERIES).hu[:, 5, 5].tolist() == [-1024, -1023, -1022, -1021, -1020]
    assert source.read(other.series).hu[:, 5, 5].tolist() == [-974, -973, -972, -971, -970]


def test_two_series_under_one_uid(archive, scan):
    paths = [write(archive / f"{k}", SERIES, float(scan.z[k]), instance=50 + k) for k in (0, 1, 2)]
    message = _refused(archive, scan)
    assert message.startswith("two series mixed under one UID, as 3 times two slices have the same z: ")
    assert all(f"{path} and " in message for path in paths)


# Slices that are there twice.


def test_of_two_slices_at_one_z_the_lower_instance_is_used(archive, scan):
    used, higher = archive / "x0" / "deep" / "any 2", archive / "a0"
    write(higher, SERIES, float(scan.z[2]), value=7, instance=13)
    source = _open(archive, scan)
    assert source.read(SERIES).hu[2, 5, 5] == 200 - 1024
    assert source.notes(SERIES) == (
        f"{higher} (instance 13) is not used: {used} (instance 12) has the same z, -95 mm",
    )
    write(archive / "a1", SERIES, float(scan.z[2]), value=7, instance=0)
    source = _open(archive, scan)
    assert source.read(SERIES).hu[2, 5, 5] == 7 - 1024
    assert len(source.notes(SERIES)) == 2
    assert all(
        note.endswith(f"{archive / 'a1'} (instance 0) has the same z, -95 mm")
        for note in source.notes(SERIES)
    )


def test_copies_of_a_file(archive, scan):
    shutil.copy(archive / "x0" / "deep" / "any 2", archive / "a copy")
    source = _open(archive, scan)
    assert source.read(SERIES).hu[2, 5, 5] == 200 - 1024
    assert source.read(SERIES).notes == (
        f"copies of slices are not used: {archive / 'x0' / 'deep' / 'any 2'}",
    )


def test_a_broken_copy_does_no_harm(archive, scan):
    whole = (archive / "x0" / "deep" / "any 2").read_bytes()
    (archive / "a copy").write_bytes(whole[:-10])
    source = _open(archive, scan)
    assert source.read(SERIES).hu[2, 5, 5] == 200 - 1024
    (note,) = source.read(SERIES).notes
    assert note.startswith(f"{archive / 'a copy'} is not used, as it is cut short")


def test_the_whole_archive_twice(archive, scan):
    shutil.copytree(archive / "x0", archive / "again" / "x0")
    shutil.copytree(archive / "x1", archive / "again" / "x1")
    source = _open(archive, scan)
    np.testing.assert_array_equal(source.read(SERIES).hu[:, 1, 1], 100 * np.arange(5) - 1024)
    assert re.fullmatch(r"copies of slices are not used: .* and 2 more", *source.read(SERIES).notes)


def test_whole_scans_have_no_notes(archive, scan):
    source = _open(archive, scan)
    assert source.notes(SERIES) == source.read(SERIES).notes == ()


# The source as a whole.


def test_all_bad_scans_are_named_at_once(archive, scan):
    second = dataclasses.replace(scan, series="1.2.840.2", patient="LIDC-IDRI-0002")
    (archive / "x0" / "deep" / "any 2").unlink()
    source = _found(archive, scan, second)
    with pytest.raises(InputError) as error:
        source.only(source.series)
    first, *lines, last = str(error.value).split("\n")
    assert first == "2 scans cannot be used:"
    assert [line.split(": ")[0] for line in lines] == [
        "  LIDC-IDRI-0001, series 1.2.840.1",
        "  LIDC-IDRI-0002, series 1.2.840.2",
    ]
    assert last.endswith("leave them out with --config.data.exclude=LIDC-IDRI-0001,LIDC-IDRI-0002")


def test_a_bad_scan_that_was_not_asked_for_does_no_harm(archive, scan):
    second = dataclasses.replace(scan, series="1.2.840.2", patient="LIDC-IDRI-0002")
    assert _found(archive, scan, second).only([SERIES]).series == (SERIES,)


def test_identity_changes_with_each_file_and_with_nothing_else(archive, scan, tmp_path_factory):
    before = _open(archive, scan).identity(SERIES)
    (archive / "x0" / "deep" / "notes.txt").write_text("more")
    write(archive / "x0" / "other.dcm", "1.2.840.2", 7.0)
    assert _open(archive, scan).identity(SERIES) == before
    moved = tmp_path_factory.mktemp("moved") / "archive"
    shutil.copytree(archive, moved)
    assert _open(moved, scan).identity(SERIES) == before
    seen = {before}
    for k in range(5):
        os.utime(archive / f"x{k % 2}" / "deep" / f"any {k}", ns=(1, 1))
        seen.add(_open(archive, scan).identity(SERIES))
    (archive / "x0" / "deep" / "any 2").rename(archive / "elsewhere")
    assert len(seen | {_open(archive, scan).identity(SERIES)}) == 7


def test_a_worker_can_have_a_copy(archive, scan):
    source = pickle.loads(pickle.dumps(_open(archive, scan)))
    assert source.read(SERIES).hu[2, 5, 5] == 200 - 1024


def test_real_scans_agree_with_pydicom(real_scans):
    source = dicom.open_archive(str(real_scans), annotations.load_scans())
    names = [source.scans[uid].patient for uid in source.only(source.series).series]
    assert names == [f"LIDC-IDRI-{n}" for n in ("0001", "0002", "0003", "0181")]
    uid = source.series[2]
    assert source.notes(uid) == ()
    files = sorted(source.files[uid], key=lambda file: file.z)[60:62]
    hu = read_pixels(files).hu
    header = pydicom.dcmread(files[0].path, stop_before_pixels=True)
    assert header.ImagePositionPatient[2] == source.scans[uid].z[60]
    assert hu.shape == (2, 512, 512)
    assert hu.min() == -1024
    assert abs(np.median(hu[:, 250:262, 130:160]) + 870) < 120


def test_real_slices_are_the_same_without_compression(real_scans, tmp_path):
    for n, folder in enumerate(sorted(real_scans.glob("LIDC-*"))):
        path = min(folder.rglob("*.dcm"))
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        decoded = sitk.GetArrayFromImage(reader.Execute())[0]
        header = pydicom.dcmread(path)
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.PixelData = (decoded - int(header.RescaleIntercept)).astype("<i2").tobytes()
        header.save_as(tmp_path / f"{n}")
        (plain,) = index(str(tmp_path)).series[header.SeriesInstanceUID]
        (compressed,) = (
            file
            for file in index(str(path.parent)).series[header.SeriesInstanceUID]
            if file.path == str(path)
        )
        assert plain.stored
        assert not compressed.stored
        np.testing.assert_array_equal(read_pixels([plain]).hu[0], np.maximum(decoded, -1024))
        np.testing.assert_array_equal(read_pixels([compressed]).hu[0], np.maximum(decoded, -1024))
