"""Whole scans after a run of the testing config, and the report made again from what a run left."""

import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from configs import testing
from wsns.data.records.plan import make_plan, options
from wsns.data.records.schema import NAMES
from wsns.data.records.workers import read_whole
from wsns.data.source import TwinSource
from wsns.errors import InputError
from wsns.evaluation.cases import FINE, read_cases
from wsns.evaluation.mark_scores import SCORES
from wsns.run import scan_files
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps
from wsns.tasks import scan_search, scans


@pytest.fixture(scope="module")
def copied(testing_run, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("copied") / "run"
    shutil.copytree(testing_run.workdir, workdir)
    return workdir


def main(workdir, *arguments):
    command = [sys.executable, "main.py", "--config=configs/testing.py", f"--workdir={workdir}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_every_slice_of_a_test_scan_is_read(testing_run):
    cases, marked, left_out, unreachable = scan_files.read(testing_run.workdir / "scans")
    (row,) = files.read_rows(testing_run.workdir / "scans" / "scans.csv")
    (known,) = [
        scan
        for scan in files.read_rows(testing_run.workdir / "records" / "scans.csv")
        if scan["split"] == "test"
    ]
    assert (row["patient"], row["series"]) == (known["patient"], known["series"])
    assert int(row["slices"]) + left_out == int(known["slices"])
    assert len(cases) == len(FINE) * int(row["slices"])
    positive = [case for case in cases if case.label and case.method == FINE[0]]
    assert len(positive) == int(known["positives"])
    assert list(marked) == list(FINE)
    (scan,) = marked["1-GAP fine"]
    assert scan.nodules
    assert unreachable >= 0
    # A network that has learnt nothing marks something in almost every slice.
    assert len(scan.marks) > 3
    assert all(set(mark.hits) <= set(scan.nodules) for mark in scan.marks)
    assert sum(mark.slices for mark in scan.marks) >= sum(
        case.area_mm2 > 0 for case in cases if case.method == "1-GAP fine"
    )


def test_marks_keep_every_score_and_rank_by_the_one_of_the_config(testing_run):
    marks = files.read_rows(testing_run.workdir / "scans" / "marks.csv")
    ranked_by = testing.get_config().scans.score
    for row in marks:
        assert row["score"] == row[ranked_by]
        assert all(np.isfinite(float(row[name])) for name in SCORES)
    assert len({row["maps"] for row in marks}) > len({row["probability"] for row in marks}) * 0.9


def test_marks_keep_their_masks(testing_run):
    (path,) = (testing_run.workdir / "scans").glob("*/marks.npz")
    rows = files.read_rows(path.parent / "marks.csv")
    with np.load(path) as held:
        for method in FINE:
            own = [row for row in rows if row["method"] == method]
            labels = held[method]
            assert labels.max() == len(own)
            areas = np.bincount(labels.ravel(), minlength=len(own) + 1)[1:] * float(held["spacing"]) ** 2
            np.testing.assert_allclose(areas, [float(row["area_mm2"]) for row in own])
            slices = [int(np.count_nonzero((labels == n).any(axis=(1, 2)))) for n in range(1, len(own) + 1)]
            assert slices == [int(row["slices"]) for row in own]
        assert held["z"].shape == held[FINE[0]].shape[:1]


def test_slices_of_the_test_split_give_the_same_in_whole_scans(testing_run):
    whole = {(c.z, c.method): c for c in scan_files.read(testing_run.workdir / "scans")[0]}
    shared = [
        case
        for case in read_cases(testing_run.workdir / "cases.csv")
        if case.nodules <= 1 and case.method in FINE
    ]
    assert len(shared) >= 6
    for case in shared:
        other = whole[case.z, case.method]
        assert other.score == pytest.approx(case.score, abs=1e-6)
        # Records keep the spacing in single precision.
        assert other.area_mm2 == pytest.approx(case.area_mm2, rel=1e-6)
        assert (other.dice, other.in_scope) == (case.dice, case.in_scope)


@pytest.mark.parametrize(
    ("name", "old", "new"), [("marks.csv", "0.", "x"), ("scans.csv", "left_out", "other")]
)
def test_damaged_marks_are_named(testing_run, tmp_path, name, old, new):
    for own in ("cases.csv", "marks.csv", "scans.csv"):
        shutil.copy(testing_run.workdir / "scans" / own, tmp_path)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=r"marks\.csv is missing or damaged"):
        scan_files.read(tmp_path)


def test_without_the_archive_whole_scans_are_left_out_with_a_word(testing_run, tmp_path, capsys):
    config = testing.get_config()
    config.data.manual_dir = str(tmp_path / "nowhere")
    config.scans.detect = 0.2
    scans.scans(config, testing_run.workdir, Stamps(tmp_path))
    assert f"the archive {tmp_path / 'nowhere'} is not on this machine" in capsys.readouterr().out
    assert not (tmp_path / "stamps" / "scans.begun.json").exists()
    config.scans.most = 0
    scans.scans(config, testing_run.workdir, Stamps(tmp_path))
    assert capsys.readouterr().out == ""


def test_a_scan_that_can_not_be_used_is_left_out_with_a_word(testing_run, tmp_path, monkeypatch, capsys):
    config = testing.get_config()
    config.scans.detect = 1.0
    own, read = scan_search.choose_scans, TwinSource.read

    def one_more(plan, most, seed, split):
        other = next(scan for scan in plan.scans.values() if plan.parts[scan.patient] == "train")
        return [other, *own(plan, most, seed, split)]

    def broken(source, series):
        (good,) = files.read_rows(testing_run.workdir / "scans" / "scans.csv")
        if series != good["series"]:
            raise InputError("slice 7 is missing")
        return read(source, series)

    monkeypatch.setattr(scan_search, "choose_scans", one_more)
    monkeypatch.setattr(TwinSource, "read", broken)
    (part,) = scan_search.search(config, testing_run.workdir, tmp_path / "scans")
    assert {path.name for path in part.iterdir()} == {"cases.csv", "marks.csv", "marks.npz", "scans.csv"}
    said = capsys.readouterr()
    assert "series" in said.err
    assert "slice 7 is missing" in said.err
    assert "1 of 2 test scans can't be used" in said.out
    # Nothing is searched from a probability of 1 on, and so nothing is marked.
    assert files.read_rows(part / "marks.csv") == []
    monkeypatch.setattr(scan_search, "choose_scans", lambda *given: one_more(*given)[:1])
    with pytest.raises(InputError, match="none of the 1 test scans"):
        scan_search.search(config, testing_run.workdir, tmp_path / "others")


def test_a_scan_is_read_the_same_in_another_process(testing_run):
    choice = options(testing.get_config().data)
    plan = make_plan(choice, lambda items, _: items, every=True)
    scan = min(plan.scans.values(), key=lambda scan: len(scan.z))
    unknown = dataclasses.replace(scan, z=scan.z[:-1], patient="LIDC-IDRI-9999")
    (here,) = read_whole([scan], plan.source, choice.rules, workers=1)
    (there,) = read_whole([scan], plan.source, choice.rules, workers=2)
    assert here.label.any()
    for name in NAMES:
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    with pytest.raises(ValueError, match="a scan of"):
        list(read_whole([unknown], plan.source, choice.rules, workers=2))


def test_an_interrupted_search_goes_on(copied):
    (folder,) = [path for path in (copied / "scans").iterdir() if path.is_dir()]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    told = (copied / "scans" / "cases.csv").read_text()
    for path in (copied / "stamps" / "scans.json", copied / "scans" / "cases.csv"):
        path.unlink()
    main(copied)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert (copied / "scans" / "cases.csv").read_text() == told


def test_table_and_report_are_made_again_without_any_network(testing_run, tmp_path):
    for name in ("records", "stamps", "masks", "scans", "cases.csv"):
        own = testing_run.workdir / name
        (shutil.copytree if own.is_dir() else shutil.copy)(own, tmp_path / name)
    for name in ("gap1", "gap2", "gap3", "unet"):
        (tmp_path / name).mkdir()
        shutil.copy(testing_run.workdir / name / "metrics.jsonl", tmp_path / name)
    done = main(tmp_path, "--config.task=evaluate")
    assert "train" not in done.stderr
    made = ("table1.txt", "table1.csv", "table1.md", "measures.csv")
    figures = [f"figures/{path.name}" for path in (testing_run.workdir / "figures").iterdir()]
    assert len(figures) >= 6
    for name in (*made, *figures):
        assert (tmp_path / name).read_bytes() == (testing_run.workdir / name).read_bytes(), name
    report = (tmp_path / "report.html").read_text()
    assert "<h2>Whole scans</h2>" in report
    assert "No scan was searched whole" not in report
