"""What there is to search at a path, and one line where there is nothing."""

import chest_images
import pytest
import SimpleITK as sitk
from dicom_files import write

from wsns.errors import InputError
from wsns.prediction.inputs import check, find


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(chest_images.image(), str(path))


def series(folder, uid, *, slices=10, **tags):
    for n in range(slices):
        write(
            folder / f"{uid[-2:]}_{n:03d}", uid, 5.0 * n, instance=n + 1,
            **({"StudyInstanceUID": "1.2.9", "PatientID": "somebody", "PixelSpacing": [1.4, 1.4]} | tags),
        )  # fmt: skip


def test_a_file_is_one_scan(tmp_path):
    save(tmp_path / "my scan (1).nii.gz")
    (found,) = find(str(tmp_path / "my scan (1).nii.gz"))
    assert (found.name, found.series) == ("my_scan_1_", "")
    assert found.read().volume.hu.shape == chest_images.SHAPE


def test_a_folder_of_files_is_many_named_apart(tmp_path):
    for name in ("a/ct.nii.gz", "b/ct.nii.gz", "b/other.mha", "b/note.txt", "out/nodules.nii.gz"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("no image")
        else:
            save(tmp_path / name)
    found = find(str(tmp_path), leave_out=tmp_path / "out")
    assert [one.name for one in found] == ["ct", "ct_2", "other"]
    assert len({one.identity for one in found}) == 3


def test_of_each_study_one_series_is_taken_and_all_are_told(tmp_path):
    series(tmp_path / "x", "1.2.11", slices=9, SeriesDescription="thick", ConvolutionKernel="B30f")
    series(tmp_path / "x" / "y", "1.2.22", slices=12)
    series(tmp_path / "z", "1.2.33", StudyInstanceUID="1.2.10")
    save(tmp_path / "z" / "also.nrrd")
    said = []
    found = find(str(tmp_path), say=said.append)
    assert {one.series for one in found} == {"1.2.22", "1.2.33", ""}
    (table,) = said
    lines = {line.split()[-1]: line for line in table.splitlines()[1:]}
    assert [uid for uid, line in lines.items() if line.split()[0] == "searched"] == ["1.2.22", "1.2.33"]
    assert "thick B30f" in lines["1.2.11"]
    assert "somebody" not in table
    (named,) = find(str(tmp_path), series="1.2.11")
    assert named.series == "1.2.11"


def test_another_time_of_change_is_another_scan(tmp_path):
    save(tmp_path / "ct.mha")
    (before,) = find(str(tmp_path))
    (tmp_path / "ct.mha").touch()
    (after,) = find(str(tmp_path))
    assert before.identity != after.identity


def nothing(tmp_path):
    return tmp_path


def text(tmp_path):
    (tmp_path / "a.txt").write_text("no scan")
    return tmp_path


def photograph(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    return tmp_path / "photo.jpg"


def mr(tmp_path):
    for n in range(10):
        write(tmp_path / f"{n}", "1.2.44", 5.0 * n, instance=n + 1, Modality="MR")
    return tmp_path


def one_slice(tmp_path):
    series(tmp_path, "1.2.55", slices=1)
    return tmp_path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "gone", "there is no such file or folder"),
        (nothing, "holds no file"),
        (text, "1 × not a DICOM file"),
        (photograph, "is no image that is read here"),
        (mr, "10 × of modality 'MR'"),
        (one_slice, "none of its 1 CT series has 8 axial slices"),
    ],
)
def test_nothing_to_search_is_one_line(tmp_path, make, words):
    with pytest.raises(InputError) as caught:
        find(str(make(tmp_path)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_word_that_allows_nothing_is_named():
    with pytest.raises(InputError, match=r"config\.predict\.allow='everything': choose of oblique, thick"):
        check(["thick", "everything"])
