import collections
import csv
import json
import subprocess
import sys

import ml_collections
import numpy as np
import phantom
import pytest

from wsns.data import input as records_input
from wsns.data import plan as planning
from wsns.data.annotations import load_scans
from wsns.data.split import fingerprint
from wsns.errors import InputError
from wsns.tasks import records

# Four scans of three patients.
PATIENTS = ("LIDC-IDRI-0078", "LIDC-IDRI-0151", "LIDC-IDRI-0957")


@pytest.fixture(scope="module")
def scans():
    database = load_scans()
    return {uid: scan for uid, scan in database.items() if scan.patient in PATIENTS}


@pytest.fixture(scope="module")
def use_phantoms(scans):
    """Builds from ellipses with the geometry and the readers' contours of real scans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "load_scans", lambda: scans)
        patch.setattr(planning, "open_source", lambda *_: phantom.PhantomSource(scans))
        yield


def _config(**changes):
    return ml_collections.ConfigDict({"workers": 1, "crop": 256, "thickness": (0.0, 10.0)} | changes)


@pytest.fixture(scope="module")
def built(use_phantoms, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "records"
    records.build(_config(), directory)
    return directory


def _rows(directory):
    with (directory / "slices.csv").open() as file:
        return list(csv.DictReader(file))


def test_files_and_columns(built):
    names = sorted(path.name for path in built.iterdir())
    assert names == ["accounting.json", "lidc_slices", "missing.txt", "slices.csv", "split.json"]
    assert list(built.parent.iterdir()) == [built]
    columns = "patient, series, z, slice_index, split, label, nodules, voxels, outside_crop"
    assert list(_rows(built)[0]) == columns.split(", ")


def test_slices_are_what_the_readers_drew(built, scans):
    rows = _rows(built)
    positive = collections.Counter(row["series"] for row in rows if row["label"] == "1")
    expected = planning.choose_scans(scans, rules=planning.Options().rules)
    assert positive == {uid: number for uid, number in expected.items() if number}
    drawn = {(uid, c.k) for uid, scan in scans.items() for a in scan.annotations for c in a.contours}
    for row in rows:
        scan = scans[row["series"]]
        assert float(row["z"]) == scan.z[int(row["slice_index"])]
        assert row["label"] == "1" or (row["series"], int(row["slice_index"])) not in drawn
    assert sum(row["label"] == "0" for row in rows) == sum(positive.values())


def test_no_patient_is_in_two_splits(built):
    parts = collections.defaultdict(set)
    for row in _rows(built):
        parts[row["patient"]].add(row["split"])
    assert sorted(parts) == list(PATIENTS)
    assert sorted(part for found in parts.values() for part in found) == ["test", "train", "validation"]
    stored = json.loads((built / "split.json").read_text())
    assert {patient: {part} for patient, part in stored["patients"].items()} == parts
    assert stored["fingerprint"] == fingerprint(stored["patients"])


def test_accounting_agrees_with_the_rows(built):
    facts, rows = json.loads((built / "accounting.json").read_text()), _rows(built)
    assert (facts["source"], facts["patients"], facts["scans"]) == ("phantom", 3, 4)
    assert sum(counts["positive"] for counts in facts["slices"].values()) == sum(
        r["label"] == "1" for r in rows
    )
    assert facts["voxels"] == sum(int(row["voxels"]) for row in rows) > 0
    assert facts["voxels_outside_crop"] == sum(int(row["outside_crop"]) for row in rows)
    assert facts["scans_missing"] == facts["negatives_missing"] == 0


def test_loaded_arrays(built):
    for part in ("train", "validation", "test"):
        loaded = records_input.load(built, part)
        rows = [row for row in _rows(built) if row["split"] == part]
        assert len(loaded) == len(rows)
        assert loaded.hu.shape == loaded.lungs.shape == loaded.nodules.shape == (len(rows), 256, 256)
        assert (loaded.hu.dtype, loaded.lungs.dtype, loaded.nodules.dtype) == (np.int16, np.uint8, np.uint8)
        assert (loaded.label.dtype, loaded.count.dtype, loaded.slice_index.dtype) == (np.int32,) * 3
        assert loaded.origin.shape == loaded.agreement.shape == (len(rows), 2)
        assert loaded.series.tolist() == [row["series"] for row in rows]
        assert loaded.slice_index.tolist() == [int(row["slice_index"]) for row in rows]
        inside = [int(row["voxels"]) - int(row["outside_crop"]) for row in rows]
        assert (loaded.nodules > 0).sum(axis=(1, 2)).tolist() == inside
        assert ((loaded.agreement > 1).sum(axis=1) == loaded.count).all()


def test_take():
    size = np.arange(6)
    slices = records_input.Slices(*(size + n for n in range(15)))
    assert slices.take([4, 1]).label.tolist() == [slices.label[4], slices.label[1]]
    assert len(slices.take(size > 3)) == 2


def test_other_processes_make_the_same_records_in_the_same_order(scans):
    some = [scan for scan in scans.values() if scan.patient == "LIDC-IDRI-0151"]
    source, rules = phantom.PhantomSource(scans), planning.Options().rules
    with planning.Workers(source, rules, 1) as here, planning.Workers(source, rules, 2) as there:
        for mine, other in zip(here.run(some), there.run(some), strict=True):
            assert mine.series == other.series
            for one, two in zip(mine.records, other.records, strict=True):
                assert one.keys() == two.keys()
                assert all(np.array_equal(one[name], two[name]) for name in one)


def test_failed_build_leaves_earlier_work(built, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}

    def fail(self, series):
        raise InputError("the disk is gone")

    monkeypatch.setattr(phantom.PhantomSource, "read", fail)
    with pytest.raises(InputError, match="the disk is gone"):
        records.build(_config(), built)
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before
    assert list(built.parent.iterdir()) == [built]


def test_no_tensorflow(built):
    code = (
        "import sys, pathlib, wsns.tasks.records, wsns.data.input as i;"
        f"print(len(i.load(pathlib.Path({str(built)!r}), 'test')), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("consensus", "vote", "one of staple"),
        ("crop", 8, "at least 32"),
        ("exclude", "LIDC-0001", "does not have"),
        ("thickness", (7.0, 9.0), "no scan with a nodule slice"),
    ],
)
def test_config_fields_without_sense(use_phantoms, tmp_path, field, value, word):
    with pytest.raises(InputError, match=word):
        records.build(_config(**{field: value}), tmp_path / "records")
    assert not any(tmp_path.iterdir())


def test_folder_without_records(tmp_path):
    with pytest.raises(InputError, match="holds no records"):
        records_input.load(tmp_path, "train")


def test_choice_of_scans(scans):
    rules = planning.Options().rules
    everything = planning.choose_scans(scans, rules=rules)
    assert list(everything) == list(scans)
    chosen = planning.choose_scans(scans, rules=rules, max_scans=2, seed=1)
    assert len(chosen) == 2
    assert chosen.items() <= everything.items()
    assert all(chosen.values())
    assert chosen == planning.choose_scans(scans, rules=rules, max_scans=2, seed=1)
    thin = planning.candidates(scans, exclude="LIDC-IDRI-0151, LIDC-IDRI-0078", thickness=(0, 10))
    assert {scan.patient for scan in thin.values()} == {"LIDC-IDRI-0957"}


@pytest.mark.slow
def test_real_scans(real_scans, tmp_path):
    records.build(_config(manual_dir=str(real_scans), crop=384, workers=0), tmp_path / "records")
    facts = json.loads((tmp_path / "records" / "accounting.json").read_text())
    assert (facts["source"], facts["patients"], facts["scans"], facts["scans_missing"]) == (
        "LIDC-IDRI",
        4,
        4,
        1014,
    )
    positive = collections.Counter(
        row["patient"] for row in _rows(tmp_path / "records") if row["label"] == "1"
    )
    assert positive == {"LIDC-IDRI-0001": 8, "LIDC-IDRI-0002": 23, "LIDC-IDRI-0003": 13, "LIDC-IDRI-0181": 30}
    assert facts["slices_with_two_nodules"] == 5
    assert facts["voxels_outside_crop"] == 0
