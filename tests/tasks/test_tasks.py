"""The whole path as a user runs it: `main.py` in a process of its own, on three scans of the twin."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from convolution_sums import assert_same_scores

from wsns.evaluation.cases import METHODS
from wsns.models.weights.start import load_trunk
from wsns.runtime import workdir as files

PROMISED = (
    *("config.json", "environment.json", "cases.csv", "table1.txt", "table1.csv", "table1.md", "report.html"),
    *(
        "records/slices.csv",
        "gap1/metrics.jsonl",
        "gap3/checkpoints",
        "unet/tensorboard",
        "figures/figure3.png",
        "figures/curves.png",
        "measures.csv",
        "scans/marks.csv",
    ),
)


def main(workdir, *arguments, config="testing"):
    command = [sys.executable, "main.py", f"--config=configs/{config}.py", f"--workdir={workdir}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def written(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.fixture(scope="module")
def run(testing_run, tmp_path_factory):
    """A copy of the finished run that is this file's own: some of its tests go on from there."""
    workdir = tmp_path_factory.mktemp("run")
    shutil.copytree(testing_run.workdir, workdir, dirs_exist_ok=True)
    said = testing_run.stdout.replace(str(testing_run.workdir), str(workdir))
    return workdir, testing_run._replace(workdir=workdir, stdout=said)


def test_a_run_prints_table_1_and_where_the_report_is(run):
    workdir, done = run
    assert "LIDC twin (synthetic, not LIDC results)" in done.stdout
    assert all(method in done.stdout for method in METHODS)
    assert str(workdir / "report.html") in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in told] == [f"step {n} of 8" for n in range(1, 9)]
    assert not any("done before" in line for line in told)
    # The log of a run can be read: whole lines, nothing drawn over.
    assert "%" in done.stderr
    assert "\r" not in done.stderr


def test_the_report_shows_false_alarms_and_says_what_the_unet_learned_from(run):
    workdir, _ = run
    text = (workdir / "report.html").read_text()
    drawn = json.loads((workdir / "records" / "accounting.json").read_text())["slices"]["train"]["positive"]
    aside = re.search(r'<tr class="aside">(.*?)</tr>', text)[1]
    assert f"{drawn} slices" in aside or f"{2 * drawn} slices" in aside
    assert "1 epoch," in aside
    assert (workdir / "figures" / "alarms.png").exists()
    assert "Slices without a nodule in which something is marked" in text


def test_a_run_leaves_what_the_design_promises(run):
    workdir, _ = run
    for name in PROMISED:
        assert (workdir / name).exists(), name
    data = files.read_json(workdir / "environment.json")["data"]
    assert set(data) == {"data_fingerprint", "split_fingerprint"}
    slices = rows(workdir / "records" / "slices.csv")
    test = [row for row in slices if row["split"] == "test"]
    cases = rows(workdir / "cases.csv")
    assert len(cases) == len(METHODS) * len(test)
    assert {case["method"] for case in cases} == set(METHODS)
    assert len(list((workdir / "masks").glob("*/*.npz"))) == len(test)
    assert "synthetic" in (workdir / "report.html").read_text()


def test_no_patient_stands_on_two_sides(run):
    workdir, _ = run
    sides = {}
    for row in rows(workdir / "records" / "slices.csv"):
        sides.setdefault(row["patient"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())


def test_the_same_command_again_redoes_nothing(run):
    workdir, done = run
    before = written(workdir)
    again = main(workdir)
    assert again.returncode == 0, again.stderr[-3000:]
    assert again.stdout == done.stdout
    told = [line for line in again.stderr.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in told] == [f"step {n} of 8" for n in range(1, 9)]
    assert all(line.endswith(": done before") for line in told)
    changed = {p.name for p, when in written(workdir).items() if before.get(p) != when}
    assert changed <= {"config.json", "environment.json"}


def test_bad_input_is_one_line_and_leaves_earlier_work(run, tmp_path):
    workdir, _ = run
    before = {p: p.read_bytes() for p in written(workdir)}
    for argument, words in (
        (f"--config.data.manual_dir={tmp_path / 'nowhere'}", "is not a folder"),
        ("--config.data.no_such_field=1", "the config has no field 'no_such_field'"),
        (
            "--config.data.agremeent=3",
            "--config.data.agremeent=3: the config has no field 'agremeent'; did you mean",
        ),
        ("--config.task=nonsense", "config.task='nonsense'"),
        ("--config.model.start=imagenet", "model.width=0.0625: ImageNet's weights have VGG16's own width"),
        ("--config.model.size=100", "multiple of 16"),
        ("--config.fit.input=disk", "config.fit.input='disk': choose one of auto, device, host, stream"),
        ("--config.fit.portions=0", "config.fit.portions=0: must be at least 1"),
        ("--config.segment.tau=1.5", "config.segment.tau=1.5: must lie between 0 and 1"),
        ("--config.scans.detect=2.0", "config.scans.detect=2.0: must lie between 0 and 1"),
        ("--config.scans.score=luck", "config.scans.score='luck': choose one of probability"),
        ("--config.scans.most=-1", "config.scans.most=-1: must be at least 0"),
        ("--config.tune.fields.tau=(0.5,2.0)", "config.tune.fields.tau=2.0: must lie between 0 and 1"),
        ("--config.model.dtype=float16", "choose 'float32' or 'bfloat16'"),
        ("--config.data.exclude=LIDC-IDRI-9999", "LIDC-IDRI-9999"),
    ):
        failed = main(workdir, argument)
        assert failed.returncode == 1, argument
        errors = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, failed.stderr[-2000:]
        assert words in errors[0]
        assert "Traceback" not in failed.stderr
    assert {p: p.read_bytes() for p in written(workdir)} == before


def test_every_slice_is_searched_and_screened_the_same_in_full(run, tmp_path):
    workdir, _ = run
    found = [dict(np.load(path)) for path in sorted((workdir / "masks").glob("*/*.npz"))]
    assert all(slice_["hull"].any() for slice_ in found)
    scores = np.concatenate([slice_[f"scores {gaps}"] for slice_ in found for gaps in (1, 2, 3)])
    assert len(scores) > 20
    assert (scores > 0).any()
    for part in ("records", "stamps", "gap1", "gap2", "gap3", "unet"):
        shutil.copytree(workdir / part, tmp_path / part)
    done = main(
        tmp_path, "--config.segment.screening=full", "--config.segment.copies=3", "--config.scans.most=0"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "cases.csv").read_text() == (workdir / "cases.csv").read_text()
    again = [dict(np.load(path)) for path in sorted((tmp_path / "masks").glob("*/*.npz"))]
    for a, b in zip(found, again, strict=True):
        for name in a:
            same = assert_same_scores if name.startswith("scores") else np.testing.assert_array_equal
            same(a[name], b[name])


def test_thresholds_are_tuned_on_the_validation_split(run):
    workdir, _ = run
    before = written(workdir)
    done = main(workdir, "--config.task=tune")
    assert done.returncode == 0, done.stderr[-3000:]
    tuned = json.loads((workdir / "tuned.json").read_text(), parse_constant=pytest.fail)
    positive = {
        (row["series"], row["z"])
        for row in rows(workdir / "records" / "slices.csv")
        if row["split"] == "validation" and row["label"] == "1"
    }
    assert tuned["slices"] == len(positive)
    assert [(t["field"], t["value"]) for t in tuned["trials"]] == [
        ("tau", 0.5), ("tau", 0.8), ("outline", "edge"), ("outline", "eq4"),
    ]  # fmt: skip
    assert set(tuned["segment"]) == {"tau", "outline"}
    # One patient gives no interval.
    assert tuned["trials"][0]["dice"]["low"] is None
    assert (workdir / "tuned.txt").read_text() in done.stdout
    changed = {p.relative_to(workdir).parts[0] for p, at in written(workdir).items() if before.get(p) != at}
    assert changed == {"tuned.json", "tuned.txt", "stamps", "config.json"}


def test_how_much_is_done_at_once_redoes_no_segmentation(run):
    workdir, _ = run
    before = written(workdir)
    done = main(workdir, "--config.segment.batch=3", "--config.segment.copies=2")
    assert done.returncode == 0, done.stderr[-3000:]
    changed = {p.relative_to(workdir).parts[0] for p, at in written(workdir).items() if before.get(p) != at}
    assert not changed & {"masks", "cases.csv", "gap1", "records"}


def test_a_changed_field_redoes_only_what_depends_on_it(run):
    workdir, _ = run
    before = written(workdir)
    done = main(workdir, "--config.segment.tau=0.6", "--config.scans.most=0")
    assert done.returncode == 0, done.stderr[-3000:]
    after = written(workdir)
    changed = {p.relative_to(workdir).parts[0] for p in after if before.get(p) != after[p]}
    assert {"cases.csv", "masks", "table1.csv", "report.html"} <= changed
    assert not changed & {"records", "gap1", "gap2", "gap3", "unet"}


def test_metrics_have_a_row_per_epoch_and_split(run):
    workdir, _ = run
    lines = [json.loads(line) for line in (workdir / "gap2" / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["split"]) for line in lines] == [(1, "train"), (1, "validation")]


@pytest.mark.parametrize(("start", "size"), [("shapes", 96), ("patches", 48)])
def test_an_embedded_start_can_be_made_again(start: str, size: int, tmp_path):
    command = [sys.executable, "main.py", f"--config=configs/pretrain_{start}.py", f"--workdir={tmp_path}"]
    small = ["--config.pretrain.patches=40", "--config.train.epochs=1", "--config.model.width=0.0625"]
    small += ["--config.model.start=random", f"--config.model.size={size}", "--config.data.workers=1"]
    run = subprocess.run(command + small, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    trunk = load_trunk(start, str(tmp_path / f"{start}_trunk.npz"))
    assert trunk.layers["conv5_3"]["kernel"].shape == (3, 3, 32, 32)
    assert ("gap5" in trunk.layers) == (start == "patches")
    assert "40 " in trunk.name


GRID = (
    "--config.data.agreement=3", "--config.data.max_scans=3", "--config.model.start=random",
    "--config.data.thickness=(3.0,3.0)", "--config.model.width=0.0625", "--config.model.size=96",
    "--config.train.epochs=1", "--config.grid.rates=(1e-3,3e-3)", "--config.grid.decays=(0.99,)",
    "--config.grid.batches=(8,)", "--config.fit.input=stream",
)  # fmt: skip


def test_the_grid_is_one_table_and_resumes(run, tmp_path):
    """Two rates, on the records of the run; one of two trainings is lost and done again, the other stays."""
    for name in ("records", "stamps"):
        shutil.copytree(run[0] / name, tmp_path / name)
    first = main(tmp_path, *GRID, "--config.models=('gap1',)", config="grid")
    assert first.returncode == 0, first.stderr[-3000:]
    table = rows(tmp_path / "grid.csv")
    assert sorted(float(row["rate"]) for row in table) == [0.001, 0.003]
    assert [float(row["accuracy"]) for row in table] == sorted(
        (float(r["accuracy"]) for r in table), reverse=True
    )
    assert all(float(r["accuracy_low"]) <= float(r["accuracy"]) <= float(r["accuracy_high"]) for r in table)
    assert (tmp_path / "grid.txt").read_text() in first.stdout
    kept, lost = (
        tmp_path / "grid" / "gap1" / f"rate {rate} decay 0.99 batch 8" for rate in ("0.001", "0.003")
    )
    assert not (kept / "checkpoints").exists()
    before = written(kept)
    (tmp_path / "stamps" / "grid" / "gap1" / f"{lost.name}.json").unlink()
    shutil.rmtree(lost)
    again = main(tmp_path, *GRID, "--config.models=('gap1',)", config="grid")
    assert again.returncode == 0, again.stderr[-3000:]
    assert written(kept) == before
    assert (lost / "metrics.jsonl").exists()
    assert "train 1-GAP" in again.stderr


def test_the_grid_refuses_what_it_can_not_search(run):
    for argument, words in (
        ("--config.models=('gap1','unet')", "the grid is over the weakly supervised networks' settings"),
        ("--config.grid.decays=()", "config.grid: rates, decays and batches need a value each"),
    ):
        given = [other for other in GRID if other.split("=")[0] != argument.split("=")[0]]
        failed = main(run[0], *given, argument, config="grid")
        assert failed.returncode == 1
        assert failed.stderr.startswith("error: ")
        assert words in failed.stderr
