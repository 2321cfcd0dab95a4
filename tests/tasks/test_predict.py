"""The task 'predict' as a user runs it: one scan, many, again, and what can't be searched."""

import csv
import json
import pathlib
import re

import chest_images
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from chest_series import SERIES, export

import main
from configs import predict as config_file
from wsns import dispatch
from wsns.errors import InputError
from wsns.prediction import networks
from wsns.prediction.scan import COLUMNS


def run(path, out, **fields):
    config = config_file.get_config()
    config.predict.input = str(path)
    for name, value in ({"detect": 0.0, "least": -100.0} | fields).items():
        config.predict[name] = value
    main.check_fields(config, config_file.get_config())
    dispatch.run(config, out)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def save(path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(chest_images.image(**how), str(path))
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A DICOM series and its results."""
    folder = tmp_path_factory.mktemp("searched")
    export(folder / "dicom")
    run(folder / "dicom", folder / "out")
    return folder


def test_a_dicom_series_leaves_every_file_on_its_grid(searched):
    (folder,) = [path for path in (searched / "out").iterdir() if path.is_dir()]
    assert folder.name == SERIES[-12:]
    assert {path.name for path in folder.iterdir()} == {
        "nodules.nii.gz", "nodules.seg.nrrd", "nodules.seg.dcm", "measurements.sr.dcm", "lungs.nii.gz", "nam.nii.gz",
        "nodules.csv", "slices.csv", "predict.json", "report.html",
    }  # fmt: skip
    found = rows(folder / "nodules.csv")
    assert found
    assert tuple(found[0]) == COLUMNS
    labels = nibabel.load(folder / "nodules.nii.gz")
    values = np.asanyarray(labels.dataobj)
    assert set(np.unique(values)) == {0, *(int(row["nodule"]) for row in found)}
    for row in found:
        voxels = np.argwhere(values == int(row["nodule"])).mean(axis=0)
        centre = nibabel.affines.apply_affine(labels.affine, voxels) * [-1, -1, 1]
        np.testing.assert_allclose(centre, [float(row[f"{axis}_mm"]) for axis in "xyz"], atol=0.1)
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    slices = rows(folder / "slices.csv")
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (searched / "dicom").iterdir()]
    by_height = sorted(headers, key=lambda header: header.ImagePositionPatient[2])
    assert [row["sop_uid"] for row in slices] == [header.SOPInstanceUID for header in by_height]
    for row in found:
        assert row["sop_first"] == by_height[int(row["slice_first"]) - 1].SOPInstanceUID
        assert row["sop_last"] == by_height[int(row["slice_last"]) - 1].SOPInstanceUID
    assert [int(row["slice"]) for row in slices] == list(range(1, values.shape[2] + 1))
    for row in slices:
        own = np.unique(values[:, :, int(row["slice"]) - 1])
        assert row["nodules"] == " ".join(str(number) for number in own if number)


def test_the_manifest_says_what_was_done_and_names_nobody(searched):
    (folder,) = [path for path in (searched / "out").iterdir() if path.is_dir()]
    manifest = json.loads((folder / "predict.json").read_text())
    assert {"input", "series", "networks", "options", "versions", "seconds", "warnings"} <= set(manifest)
    assert manifest["series"] == SERIES
    assert manifest["networks"]["trained_on"] == "synthetic scans only (the LIDC twin)"
    for name in (
        "predict.json",
        "report.html",
        "nodules.csv",
        "slices.csv",
        "../index.html",
        "../nodules.csv",
    ):
        text = (folder / name).read_text()
        assert "somebody" not in text, f"{name} names the patient"
    page = (folder / "report.html").read_text()
    assert "no medical device" in page
    assert not re.search(r"(?:src|href)=\"https?:", page)


def test_a_second_command_does_nothing_again(searched, capsys):
    before = {path: path.stat().st_mtime_ns for path in (searched / "out").glob("*/*")}
    run(searched / "dicom", searched / "out")
    assert {path: path.stat().st_mtime_ns for path in (searched / "out").glob("*/*")} == before
    assert "done before" in capsys.readouterr().err


def test_a_damaged_manifest_is_made_anew(tmp_path):
    path = save(tmp_path / "ct.nii.gz")
    run(path, tmp_path / "out")
    manifest = tmp_path / "out" / "ct" / "predict.json"
    manifest.write_text("{")
    run(path, tmp_path / "out")
    assert json.loads(manifest.read_text())["scan"] == "ct"


def test_one_that_is_broken_stops_no_other(tmp_path, capsys):
    save(tmp_path / "in" / "a.nii.gz")
    whole = save(tmp_path / "b.nii.gz").read_bytes()
    (tmp_path / "in" / "b.nii.gz").write_bytes(whole[: len(whole) // 2])
    save(tmp_path / "in" / "c" / "d.mha", flips=(True, False, False))
    with pytest.raises(InputError, match=r"1 of 3 scans couldn't be searched: .*failures\.csv says why"):
        run(tmp_path / "in", tmp_path / "out")
    (failure,) = rows(tmp_path / "out" / "failures.csv")
    assert failure["scan"] == "b"
    assert "is it whole?" in failure["reason"]
    found = rows(tmp_path / "out" / "nodules.csv")
    assert {row["scan"] for row in found} == {"a", "d"}
    # The same chest, mirrored in its file: the same nodules in the patient.
    places = [
        sorted(
            (row["x_mm"], row["y_mm"], row["z_mm"], row["volume_mm3"]) for row in found if row["scan"] == scan
        )
        for scan in ("a", "d")
    ]
    assert places[0] == places[1]
    page = (tmp_path / "out" / "index.html").read_text()
    assert 'href="a/report.html"' in page
    assert "is it whole?" in page
    # Mended, only that one is searched, and the list of failures goes.
    (tmp_path / "in" / "b.nii.gz").write_bytes(whole)
    capsys.readouterr()
    run(tmp_path / "in", tmp_path / "out")
    said = capsys.readouterr().err
    assert said.count("done before") == 2
    assert not (tmp_path / "out" / "failures.csv").exists()


def test_without_a_nodule_no_seg_is_written_and_that_is_said(tmp_path, capsys):
    export(tmp_path / "dicom")
    run(tmp_path / "dicom", tmp_path / "out", least=1e6)
    (folder,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert not (folder / "nodules.seg.dcm").exists()
    assert "no DICOM SEG" in capsys.readouterr().err
    assert not np.asanyarray(nibabel.load(folder / "nodules.nii.gz").dataobj).any()
    assert rows(folder / "nodules.csv") == []


def test_another_option_searches_again(tmp_path):
    path = save(tmp_path / "ct.nii.gz")
    run(path, tmp_path / "out")
    first = (tmp_path / "out" / "ct" / "predict.json").read_text()
    run(path, tmp_path / "out", smallest=50.0)
    second = (tmp_path / "out" / "ct" / "predict.json").read_text()
    assert json.loads(first)["nodules"] > json.loads(second)["nodules"] == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": ""}, "config.predict.input is empty"),
        ({"detect": 1.5}, "config.predict.detect=1.5: must lie between 0 and 1"),
        ({"score": "best"}, "config.predict.score='best'"),
        ({"smallest": -1.0}, "config.predict.smallest=-1"),
        ({"allow": "everything"}, "config.predict.allow='everything'"),
        ({"gaps": 7}, "config.predict.gaps=7: these networks have 1, 2, 3 GAPs"),
        ({"series": "1.2.3"}, "is a file; only DICOM has series"),
        ({"run": "nowhere"}, "there is no such run or file of networks"),
    ],
)
def test_a_bad_field_is_one_line(fields, words, tmp_path):
    path = save(tmp_path / "ct.nii.gz")
    with pytest.raises(InputError) as caught:
        run(fields.get("input", path), tmp_path / "out", **fields)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_dont_go_into_a_runs_own_folder(testing_run, tmp_path):
    path = save(tmp_path / "ct.nii.gz")
    before = (testing_run.workdir / "config.json").read_bytes()
    with pytest.raises(InputError, match=r"holds a run's own results: name another --workdir"):
        run(path, testing_run.workdir)
    assert (testing_run.workdir / "config.json").read_bytes() == before


def test_a_packed_run_is_read_again(testing_run, tmp_path):
    from configs import release

    config = release.get_config()
    config.predict.run = str(testing_run.workdir)
    dispatch.run(config, tmp_path)
    card = pathlib.Path(tmp_path / "model_card.md").read_text()
    assert "no medical device" in card
    assert "| seed | 0 |" in card
    assert networks.load(str(tmp_path / "networks.npz")).synthetic
