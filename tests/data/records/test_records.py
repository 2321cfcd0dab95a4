import collections
import csv
import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import conftest
import ml_collections
import numpy as np
import phantom
import pytest

from configs import records as records_config
from configs import table1
from wsns.data.lidc.annotations import load_scans
from wsns.data.lidc.selection import Reading
from wsns.data.records import loading as records_input
from wsns.data.records import plan as planning
from wsns.data.records.extract import Rules
from wsns.data.records.scan_store import Store
from wsns.data.records.schema import NAMES, Slices
from wsns.data.records.split import fingerprint
from wsns.data.records.workers import prepare_all
from wsns.errors import InputError
from wsns.tasks import records
from wsns.training import dataset
from wsns.training.dataset import PLACES, open_examples

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
        patch.setattr(planning, "open_source", lambda *_, **__: phantom.PhantomSource(scans))
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
    assert names == [
        "accounting.json", "check", "check.html", "lidc_slices", "missing.txt", "scans.csv", "slices.csv", "split.json",
    ]  # fmt: skip
    assert list(built.parent.iterdir()) == [built]
    columns = "patient, series, z, slice_index, split, label, nodules, voxels, outside_crop"
    assert list(_rows(built)[0]) == columns.split(", ")


def test_slices_are_what_the_readers_drew(built, scans):
    rows = _rows(built)
    positive = collections.Counter(row["series"] for row in rows if row["label"] == "1")
    expected = planning.choose_scans(scans, planning.Options())
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


def test_held_out_patients_are_all_tested(use_phantoms, tmp_path):
    records.build(_config(held_out=True), tmp_path / "records")
    assert {row["split"] for row in _rows(tmp_path / "records")} == {"test"}
    stored = json.loads((tmp_path / "records" / "split.json").read_text())
    assert stored["patients"] == dict.fromkeys(PATIENTS, "test")
    with pytest.raises(InputError, match="no train split"):
        records_input.load(tmp_path / "records", "train")


def test_accounting_agrees_with_the_rows(built):
    facts, rows = json.loads((built / "accounting.json").read_text()), _rows(built)
    assert (facts["source"], facts["patients"], facts["scans"]) == ("phantom", 3, 4)
    assert sum(counts["positive"] for counts in facts["slices"].values()) == sum(
        r["label"] == "1" for r in rows
    )
    assert facts["voxels"] == sum(int(row["voxels"]) for row in rows) > 0
    assert facts["voxels_outside_crop"] == sum(int(row["outside_crop"]) for row in rows)
    assert facts["scans_missing"] == facts["negatives_missing"] == 0


def test_scans_have_a_row_a_picture_and_sums_that_agree(built, scans):
    with (built / "scans.csv").open() as file:
        found = list(csv.DictReader(file))
    rows = _rows(built)
    assert {row["series"] for row in found} == {row["series"] for row in rows}
    for scan in found:
        own = [row for row in rows if row["series"] == scan["series"]]
        assert int(scan["positives"]) == sum(row["label"] == "1" for row in own)
        assert int(scan["negatives"]) == sum(row["label"] == "0" for row in own)
        for name in ("voxels", "outside_crop"):
            assert int(scan[name]) == sum(int(row[name]) for row in own)
        assert {row["split"] for row in own} == {scan["split"]}
        assert int(scan["slices"]) == len(scans[scan["series"]].z)
        assert (built / scan["picture"]).stat().st_size > 10_000
    facts = json.loads((built / "accounting.json").read_text())
    levels = [scan["level"] for scan in found]
    assert facts["scans_to_look_at"] == levels.count("must look")
    assert facts["scans_with_minor_warnings"] == levels.count("minor")
    assert all(bool(scan["warnings"]) == (scan["level"] != "fine") for scan in found)
    assert {scan["right"] for scan in found} == {"left"}


def test_loaded_arrays(built):
    for part in ("train", "validation", "test"):
        loaded = records_input.load(built, part)
        rows = [row for row in _rows(built) if row["split"] == part]
        assert len(loaded) == len(rows)
        assert loaded.hu.shape == loaded.lungs.shape == loaded.nodules.shape == (len(rows), 256, 256)
        assert (loaded.hu.dtype, loaded.lungs.dtype, loaded.nodules.dtype) == (np.int16, np.uint8, np.uint8)
        assert (loaded.label.dtype, loaded.count.dtype, loaded.slice_index.dtype) == (np.int32,) * 3
        assert loaded.origin.shape == loaded.agreement.shape == loaded.texture.shape == (len(rows), 2)
        assert loaded.reader_dice.shape == (len(rows), 2, 8)
        assert ((loaded.reader_dice > 0).sum(axis=2) <= loaded.agreement).all()
        assert ((loaded.cluster > 0).sum(axis=1) == loaded.count).all()
        assert loaded.series.tolist() == [row["series"] for row in rows]
        assert loaded.slice_index.tolist() == [int(row["slice_index"]) for row in rows]
        inside = [int(row["voxels"]) - int(row["outside_crop"]) for row in rows]
        assert (loaded.nodules > 0).sum(axis=(1, 2)).tolist() == inside
        assert ((loaded.agreement > 1).sum(axis=1) == loaded.count).all()


def test_streamed_slices_are_the_loaded_ones(built):
    """In any order and more than once, whole splits or those with an outline."""
    loaded = records_input.load(built, "test")
    outlined = loaded.nodules.any(axis=(1, 2))
    assert 0 < outlined.sum() < len(loaded)
    for drawn, own in ((False, slice(None)), (True, outlined)):
        streamed = records_input.stream(built, "test", ("hu", "nodules", "label"), drawn=drawn)
        assert len(streamed) == len(loaded.label[own])
        rows = np.array([len(streamed) - 1, 0, 1, 1])
        got = streamed.take(rows)
        assert set(got) == {"hu", "nodules", "label"}
        for name, values in got.items():
            want = getattr(loaded, name)[own][rows]
            np.testing.assert_array_equal(values, want)
            assert values.dtype == want.dtype


def _training_config(place, slices="all"):
    config = table1.get_config()
    config.unet.slices = slices
    config.fit.input, config.data.crop = place, 256
    return config


def test_networks_learn_from_the_same_slices_wherever_they_wait(built, monkeypatch):
    """A weak network sees no mask; the U-Net all slices, or of the training split those with an outline."""
    monkeypatch.setattr(dataset, "PARTS", ("train", "test"))
    loaded = [records_input.load(built, part) for part in ("train", "test")]
    outlined = loaded[0].nodules.any(axis=(1, 2))
    assert 0 < outlined.sum() < len(outlined)
    for name, of_unet, names, own in (
        ("gap2", "nodule", {"hu", "label"}, slice(None)),
        ("unet", "all", {"hu", "nodules"}, slice(None)),
        ("unet", "nodule", {"hu", "nodules"}, outlined),
    ):
        opened = [open_examples(_training_config(place, of_unet), built, name) for place in PLACES]
        assert [resident for _, resident in opened] == [True, False, False]
        for splits, _ in opened:
            for examples_of, whole, rows in zip(splits, loaded, (own, slice(None)), strict=True):
                got = examples_of.take(np.arange(len(examples_of)))
                assert set(got) == names
                for key, values in got.items():
                    np.testing.assert_array_equal(values, getattr(whole, key)[rows])


@pytest.mark.parametrize("place", PLACES)
def test_split_without_an_outline_is_one_line_for_the_unet(built, place):
    with pytest.raises(InputError, match=r"no slice of the validation split .* has an outline.*'unet'"):
        open_examples(_training_config(place), built, "unet")


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("unet", "slices", "positive"), ("unet", "loss", "pixel"), ("unet", "encoder", "resnet"), ("unet", "group", 0),
        ("unet", "trunk_factor", -0.1), ("fit", "portions", 2),
    ],
)  # fmt: skip
def test_what_no_unet_can_have_is_refused_with_its_field(section, field, value):
    config = table1.get_config()
    dataset.check(config)
    config[section][field] = value
    with pytest.raises(InputError, match=rf"config\.{section}\.{field}={value!r}"):
        dataset.check(config)


def test_portions_are_for_all_but_a_dice_over_the_batch():
    config = table1.get_config()
    config.fit.portions = 2
    config.unet.loss = "slice"
    dataset.check(config)
    config.unet.loss, config.models = "batch", ("gap1",)
    dataset.check(config)


def test_slices_wait_where_there_is_room(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 3000}

    monkeypatch.setattr(dataset, "memory", lambda: 6000)
    for device, size, place in (
        (Device, 1000, "device"), (Device, 1001, "host"), (Device, 2001, "stream"), (None, 1000, "host"),
        (None, 2001, "stream"),
    ):  # fmt: skip
        chosen = device() if device else type("CPU", (), {"memory_stats": lambda self: None})()
        monkeypatch.setattr(dataset.jax, "local_devices", lambda chosen=chosen: [chosen])
        assert dataset.choose_place("auto", size) == place
    assert dataset.choose_place("stream", 1) == "stream"


def test_take():
    size = np.arange(6)
    slices = Slices(*(size + n for n in range(len(NAMES))))
    assert slices.take([4, 1]).label.tolist() == [slices.label[4], slices.label[1]]
    assert len(slices.take(size > 3)) == 2


def test_other_processes_make_the_same_records(scans, tmp_path):
    some = [scan for scan in scans.values() if scan.patient == "LIDC-IDRI-0151"]
    source, rules = phantom.PhantomSource(scans), planning.Options().rules
    stores = [Store(tmp_path / name, source, rules) for name in ("here", "there")]
    for store, number in zip(stores, (1, 2), strict=True):
        assert list(prepare_all(some, store, number)) == [None, None]
    for scan in some:
        here, there = (store.read(scan.series) for store in stores)
        assert here.facts == there.facts
        assert here.picture == there.picture
        for name in NAMES:
            np.testing.assert_array_equal(getattr(here.slices, name), getattr(there.slices, name))


def test_scans_that_cannot_be_used_are_named_together_and_the_others_kept(use_phantoms, tmp_path, scans):
    read, bad = phantom.PhantomSource.read, [uid for uid in scans if scans[uid].patient != "LIDC-IDRI-0151"]
    calls = []

    def reading(self, series):
        calls.append(series)
        if series in bad:
            raise InputError("12.dcm has no readable pixel data: download the file again")
        return read(self, series)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom.PhantomSource, "read", reading)
        with pytest.raises(InputError, match=r"^2 of 4 scans") as caught:
            records.build(_config(), tmp_path / "records")
        for uid in bad:
            assert f"{scans[uid].patient}, series {uid}: 12.dcm has no readable pixel data" in str(
                caught.value
            )
        assert f"--config.data.exclude={','.join(bad)}" in str(caught.value)
        assert not (tmp_path / "records").exists()
        calls.clear()
        bad.clear()
        records.build(_config(), tmp_path / "records")
    assert {scans[uid].patient for uid in calls} == {"LIDC-IDRI-0078", "LIDC-IDRI-0957"}
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_resumed_build_equals_an_uninterrupted_one(built, use_phantoms, tmp_path, monkeypatch):
    read, calls = phantom.PhantomSource.read, []

    def reading(self, series):
        calls.append(series)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read(self, series)

    monkeypatch.setattr(phantom.PhantomSource, "read", reading)
    with pytest.raises(KeyboardInterrupt):
        records.build(_config(), tmp_path / "records")
    records.build(_config(), tmp_path / "records")
    assert len(calls) == 5
    for name in ("slices.csv", "split.json"):
        assert (tmp_path / "records" / name).read_text() == (built / name).read_text()
    facts = [json.loads((folder / "accounting.json").read_text()) for folder in (tmp_path / "records", built)]
    for found in facts:
        del found["seconds"]
    assert facts[0] == facts[1]


def test_records_are_kept_until_a_scan_changes(use_phantoms, tmp_path, monkeypatch):
    directory = tmp_path / "records"
    records.build(_config(), directory)
    before = directory.stat().st_ino
    records.build(_config(), directory, keep_unchanged=True)
    assert directory.stat().st_ino == before
    monkeypatch.setattr(phantom.PhantomSource, "identity", lambda self, series: f"changed {series}")
    records.build(_config(), directory, keep_unchanged=True)
    assert directory.stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_other_rules_do_not_take_finished_scans(use_phantoms, tmp_path, scans):
    source = phantom.PhantomSource(scans)
    uid = next(iter(scans))
    paths = {
        Store(tmp_path, source, planning.Options(**changes).rules).path(uid)
        for changes in (
            {},
            {"crop": 256},
            {"agreement": 3},
            {"consensus": "union"},
            {"seed": 1},
            {"contour": "inside"},
        )
    }
    assert len(paths) == 6
    same = Store(tmp_path, source, planning.Options(max_scans=1, exclude="LIDC-IDRI-0001").rules).path(uid)
    assert same in paths


def test_failed_build_leaves_earlier_work(built, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}

    def fail(self, series):
        raise InputError("the disk is gone")

    monkeypatch.setattr(phantom.PhantomSource, "read", fail)
    with pytest.raises(InputError, match="the disk is gone"):
        records.build(_config(), built)
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before
    (built.parent / "records.scans").rmdir()
    assert list(built.parent.iterdir()) == [built]


_BUILD = """
import resource, signal, sys, pathlib, ml_collections, phantom
from wsns.data.lidc import annotations
from wsns.data.records import plan
from wsns.errors import InputError
from wsns.tasks import records

def main():
    # A test that runs in the background of a shell would hand on its deafness to this signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, workers, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    scans = {uid: scan for uid, scan in annotations.load_scans().items() if scan.patient in sys.argv[4:]}
    plan.load_scans = lambda: scans
    plan.open_source = lambda *_, **__: phantom.PhantomSource(scans)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        records.build(ml_collections.ConfigDict({"workers": workers, "crop": 256}), folder)
    except InputError as error:
        print(error)

if __name__ == "__main__":
    main()
"""


def _start(tmp_path, workers, limit, patients):
    """Starts a build from ellipses in another process, which leads a group of its own."""
    (tmp_path / "build.py").write_text(_BUILD)
    command = [
        sys.executable,
        tmp_path / "build.py",
        tmp_path / "run" / "records",
        str(workers),
        str(limit),
        *patients,
    ]
    paths = [str(conftest.ROOT), str(conftest.ROOT / "tests" / "helpers")]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def _ends(group):
    """Waits for the last process of a group, half a minute at most."""
    for _ in range(3000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(700_000, 1), (1_000_000, 2)],
    ids=["while scans are kept", "while records are written"],
)
def test_disk_full(tmp_path, limit, kept):
    """A file size limit fails a write as a full disk does; nothing half-written stays."""
    process = _start(tmp_path, 1, limit, ["LIDC-IDRI-0151"])
    output, _ = process.communicate()
    assert process.returncode == 0
    assert output.startswith(f"no space left in {tmp_path}")
    assert "run again; finished scans are kept" in output
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["records.scans"]
    assert [path.suffix for path in (tmp_path / "run" / "records.scans").iterdir()] == [".npz"] * kept


def test_killed_build_leaves_no_process_and_goes_on(built, tmp_path):
    process = _start(tmp_path, 2, 0, PATIENTS)
    kept = tmp_path / "run" / "records.scans"
    while not list(kept.glob("*.npz")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert _ends(process.pid)
    assert not (tmp_path / "run" / "records").exists()
    before = {path: path.stat().st_mtime_ns for path in kept.glob("*.npz")}
    again = _start(tmp_path, 1, 0, PATIENTS)
    while (finished := again.poll()) is None:
        still = {path: path.stat().st_mtime_ns for path in before if path.exists()}
        assert still.items() <= before.items()
        time.sleep(0.05)
    again.communicate()
    assert finished == 0
    assert (tmp_path / "run" / "records" / "slices.csv").read_text() == (built / "slices.csv").read_text()


def test_interrupted_build_ends_at_once_and_leaves_no_process(tmp_path):
    process = _start(tmp_path, 2, 0, PATIENTS)
    kept = tmp_path / "run" / "records.scans"
    while not list(kept.glob("*.npz")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    assert _ends(process.pid)
    assert list(kept.glob("*.npz"))
    assert not (tmp_path / "run" / "records").exists()


def test_disk_full_while_headers_are_kept(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "dicom_index.json.gz")

    monkeypatch.setattr(records, "make_plan", fail)
    with pytest.raises(InputError, match=r"^no space left in .*dicom_index"):
        records.build(_config(), tmp_path / "records")


def test_disk_that_is_plainly_too_small(use_phantoms, tmp_path, monkeypatch):
    monkeypatch.setattr(records.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(InputError, match=r"the records need about 0\.0 GB in .*, and 0\.0 GB are free"):
        records.build(_config(), tmp_path / "records")


def test_no_tensorflow(built):
    code = (
        "import sys, pathlib, wsns.tasks.records, wsns.data.records.loading as i;"
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
        ("contour", "on", "one of outside, inside"),
        ("agreement_share", 1.5, "at most 1"),
    ],
)
def test_config_fields_without_sense(use_phantoms, tmp_path, field, value, word):
    with pytest.raises(InputError, match=word):
        records.build(_config(**{field: value}), tmp_path / "records")
    assert not any(tmp_path.iterdir())


def test_defaults_are_the_same_everywhere():
    assert planning.Options().reading == Reading()
    assert planning.Options().rules == Rules()
    for config in (table1.get_config(), records_config.get_config()):
        assert planning.options(config.data) == planning.Options()
        assert set(config.data) == {field.name for field in dataclasses.fields(planning.Options)}


def test_folder_without_records(tmp_path):
    with pytest.raises(InputError, match="holds no records"):
        records_input.load(tmp_path, "train")


def test_choice_of_scans(scans):
    everything = planning.choose_scans(scans, planning.Options())
    assert list(everything) == list(scans)
    choice = planning.Options(max_scans=2, seed=1)
    chosen = planning.choose_scans(scans, choice)
    assert len(chosen) == 2
    assert chosen.items() <= everything.items()
    assert all(chosen.values())
    assert chosen == planning.choose_scans(scans, choice)


def test_candidates(scans):
    def left(**changes):
        return set(planning.candidates(scans, planning.Options(**changes)))

    assert left() == set(scans)
    assert {scans[uid].patient for uid in left(exclude="LIDC-IDRI-0151, LIDC-IDRI-0078")} == {
        "LIDC-IDRI-0957"
    }
    twice = sorted(uid for uid, scan in scans.items() if scan.patient == "LIDC-IDRI-0151")
    assert left(exclude=twice[0]) == set(scans) - {twice[0]}
    assert left(one_scan_per_patient=True) == set(scans) - {twice[0]}
    assert left(one_scan_per_patient=True, exclude=twice[1]) == set(scans) - {twice[1]}
    assert left(thickness=(0.0, 0.1)) == set()
