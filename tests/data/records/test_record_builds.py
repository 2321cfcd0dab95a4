"""Building the records: interrupted, on full disks, with bad scans and bad fields."""

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
import numpy as np
import phantom
import pytest
from record_cases import PATIENTS, build_config

from configs import records as records_config
from configs import table1
from wsns.data.lidc.selection import Reading
from wsns.data.records import loading as records_input
from wsns.data.records import plan as planning
from wsns.data.records.extract import Rules
from wsns.data.records.scan_store import Store
from wsns.data.records.schema import NAMES
from wsns.data.records.workers import prepare_all
from wsns.errors import InputError
from wsns.tasks import records


def test_other_processes_make_the_same_records(record_scans, tmp_path):
    some = [scan for scan in record_scans.values() if scan.patient == "LIDC-IDRI-0151"]
    source, rules = phantom.PhantomSource(record_scans), planning.Options().rules
    stores = [Store(tmp_path / name, source, rules) for name in ("here", "there")]
    for store, number in zip(stores, (1, 2), strict=True):
        assert list(prepare_all(some, store, number)) == [None, None]
    for scan in some:
        here, there = (store.read(scan.series) for store in stores)
        assert here.facts == there.facts
        assert here.picture == there.picture
        for name in NAMES:
            np.testing.assert_array_equal(getattr(here.slices, name), getattr(there.slices, name))


def test_scans_that_cannot_be_used_are_named_together_and_the_others_kept(
    use_phantoms, tmp_path, record_scans
):
    read, bad = (
        phantom.PhantomSource.read,
        [uid for uid in record_scans if record_scans[uid].patient != "LIDC-IDRI-0151"],
    )
    calls = []

    def reading(self, series):
        calls.append(series)
        if series in bad:
            raise InputError("12.dcm has no readable pixel data: download the file again")
        return read(self, series)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom.PhantomSource, "read", reading)
        with pytest.raises(InputError, match=r"^2 of 4 scans") as caught:
            records.build(build_config(), tmp_path / "records")
        for uid in bad:
            assert f"{record_scans[uid].patient}, series {uid}: 12.dcm has no readable pixel data" in str(
                caught.value
            )
        assert f"--config.data.exclude={','.join(bad)}" in str(caught.value)
        assert not (tmp_path / "records").exists()
        calls.clear()
        bad.clear()
        records.build(build_config(), tmp_path / "records")
    assert {record_scans[uid].patient for uid in calls} == {"LIDC-IDRI-0078", "LIDC-IDRI-0957"}
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_resumed_build_equals_an_uninterrupted_one(built_records, use_phantoms, tmp_path, monkeypatch):
    read, calls = phantom.PhantomSource.read, []

    def reading(self, series):
        calls.append(series)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read(self, series)

    monkeypatch.setattr(phantom.PhantomSource, "read", reading)
    with pytest.raises(KeyboardInterrupt):
        records.build(build_config(), tmp_path / "records")
    records.build(build_config(), tmp_path / "records")
    assert len(calls) == 5
    for name in ("slices.csv", "split.json"):
        assert (tmp_path / "records" / name).read_text() == (built_records / name).read_text()
    facts = [
        json.loads((folder / "accounting.json").read_text())
        for folder in (tmp_path / "records", built_records)
    ]
    for found in facts:
        del found["seconds"]
    assert facts[0] == facts[1]


def test_records_are_kept_until_a_scan_changes(use_phantoms, tmp_path, monkeypatch):
    directory = tmp_path / "records"
    records.build(build_config(), directory)
    before = directory.stat().st_ino
    records.build(build_config(), directory, keep_unchanged=True)
    assert directory.stat().st_ino == before
    monkeypatch.setattr(phantom.PhantomSource, "identity", lambda self, series: f"changed {series}")
    records.build(build_config(), directory, keep_unchanged=True)
    assert directory.stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_other_rules_do_not_take_finished_scans(use_phantoms, tmp_path, record_scans):
    source = phantom.PhantomSource(record_scans)
    uid = next(iter(record_scans))
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


def test_failed_build_leaves_earlier_work(built_records, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in built_records.rglob("*")}

    def fail(self, series):
        raise InputError("the disk is gone")

    monkeypatch.setattr(phantom.PhantomSource, "read", fail)
    with pytest.raises(InputError, match="the disk is gone"):
        records.build(build_config(), built_records)
    assert {path: path.stat().st_mtime_ns for path in built_records.rglob("*")} == before
    (built_records.parent / "records.scans").rmdir()
    assert list(built_records.parent.iterdir()) == [built_records]


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


def test_killed_build_leaves_no_process_and_goes_on(built_records, tmp_path):
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
    assert (tmp_path / "run" / "records" / "slices.csv").read_text() == (
        built_records / "slices.csv"
    ).read_text()


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
        records.build(build_config(), tmp_path / "records")


def test_disk_that_is_plainly_too_small(use_phantoms, tmp_path, monkeypatch):
    monkeypatch.setattr(records.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(InputError, match=r"the records need about 0\.0 GB in .*, and 0\.0 GB are free"):
        records.build(build_config(), tmp_path / "records")


def test_no_tensorflow(built_records):
    code = (
        "import sys, pathlib, wsns.tasks.records, wsns.data.records.loading as i;"
        f"print(len(i.load(pathlib.Path({str(built_records)!r}), 'test')), 'tensorflow' in sys.modules)"
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
        records.build(build_config(**{field: value}), tmp_path / "records")
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


def test_choice_of_scans(record_scans):
    everything = planning.choose_scans(record_scans, planning.Options())
    assert list(everything) == list(record_scans)
    choice = planning.Options(max_scans=2, seed=1)
    chosen = planning.choose_scans(record_scans, choice)
    assert len(chosen) == 2
    assert chosen.items() <= everything.items()
    assert all(chosen.values())
    assert chosen == planning.choose_scans(record_scans, choice)


def test_candidates(record_scans):
    def left(**changes):
        return set(planning.candidates(record_scans, planning.Options(**changes)))

    assert left() == set(record_scans)
    assert {record_scans[uid].patient for uid in left(exclude="LIDC-IDRI-0151, LIDC-IDRI-0078")} == {
        "LIDC-IDRI-0957"
    }
    twice = sorted(uid for uid, scan in record_scans.items() if scan.patient == "LIDC-IDRI-0151")
    assert left(exclude=twice[0]) == set(record_scans) - {twice[0]}
    assert left(one_scan_per_patient=True) == set(record_scans) - {twice[0]}
    assert left(one_scan_per_patient=True, exclude=twice[1]) == set(record_scans) - {twice[1]}
    assert left(thickness=(0.0, 0.1)) == set()
