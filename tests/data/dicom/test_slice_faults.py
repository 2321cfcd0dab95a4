"""Faults of single slices, on noise and on real slices: rows that a transfer lost, padding, names, encodings."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from stored_slices import stored

from wsns.data.dicom.file_names import shown
from wsns.data.dicom.index import index
from wsns.data.dicom.lost_rows import lost_rows
from wsns.data.dicom.padding import fill
from wsns.data.dicom.pixels import read_pixels


def _chest(slices=7):
    """Real noise and a real circle are in `real_scans`; here a body of noise in air of noise, corners of one value."""
    hu = np.array([stored(k) for k in range(slices)]) - 1024
    return np.maximum(hu, -1024).astype(np.int16)


def test_only_rows_that_were_tissue_are_lost():
    hu = _chest()
    assert lost_rows(hu) == {}
    hu[2, :12] = -1024  # a few rows of the body and the air above it
    hu[:, 60:] = -1024  # padding in all slices
    assert lost_rows(hu) == {}
    hu[3, 50:] = -1024
    hu[4, 40:] = 77
    found = lost_rows(hu)
    assert {k: (rows[0], rows[-1]) for k, rows in found.items()} == {3: (50, 57), 4: (40, 57)}


def test_most_slices_cut_short_are_found_by_the_others():
    hu = _chest()
    hu[:5, 40:] = -1024
    assert sorted(lost_rows(hu)) == [0, 1, 2, 3, 4]
    hu[:, 40:] = -1024
    assert lost_rows(hu) == {}


def test_names_on_one_line():
    assert shown("/a/müller 1.dcm") == "/a/müller 1.dcm"
    assert shown(os.fsdecode(b"/a/m\xfcller\n\t\x1b[2J")) == r"/a/m\xfcller\n\t\x1b[2J"


# The same on real slices.


@pytest.fixture(scope="module")
def real(real_scans):
    """Eight slices from the middle of a scan, with their files."""
    (files,) = index(str(real_scans / "LIDC-IDRI-0003")).series.values()
    files = sorted(files, key=lambda file: file.z)[60:68]
    return files, read_pixels(files)


def test_real_slices_have_no_faults(real):
    files, (hu, notes) = real
    assert notes == ()
    assert lost_rows(hu) == {}
    assert all(not (file.problem or file.aside or file.remark) for file in files)


def test_the_last_third_of_a_real_slice(real):
    hu = real[1].hu.copy()
    hu[5, 341:] = -1024
    assert list(lost_rows(hu)) == [5]


@pytest.mark.parametrize("value", [3071, 0, 32767])
def test_padding_of_a_real_slice(real, value):
    files, (hu, _) = real
    circle = np.hypot(*(np.indices((512, 512)) - 255.5)) > 256
    assert (hu[0][circle] == -1024).mean() > 0.99
    padded = hu[0].copy()
    padded[circle] = value
    padded[260, 200:204] = value
    right = np.where(circle, -1024, padded)
    named = dataclasses.replace(files[0], padding=(value + 1024, value + 1024))
    for file, found in ((files[0], value), (named, None)):
        plane = padded.copy()
        assert fill(plane, file) == found
        # At the circle's rim a pixel of the table may have that very value.
        assert np.count_nonzero(plane != right) <= (2 if value == 0 else 0)
        assert (plane[260, 200:204] == value).all()


def test_compressed_files_in_a_folder_in_latin_1(real, tmp_path):
    files, (hu, _) = real
    folder = os.path.join(os.fsencode(tmp_path), b"M\xfcller\n")
    os.mkdir(folder)
    shutil.copy(files[0].path, os.fsdecode(folder))
    for where in (str(tmp_path), os.fsdecode(folder)):
        ((copied,),) = index(where).series.values()
        np.testing.assert_array_equal(read_pixels([copied]).hu[0], hu[0])


def test_a_compressed_file_without_preamble(real, tmp_path):
    files, (hu, _) = real
    with open(files[0].path, "rb") as stream:
        (tmp_path / "a").write_bytes(stream.read()[132:])
    ((bare,),) = index(str(tmp_path)).series.values()
    assert bare.remark == "has no DICOM preamble"
    np.testing.assert_array_equal(read_pixels([bare]).hu[0], hu[0])
