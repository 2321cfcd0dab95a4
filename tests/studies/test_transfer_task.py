"""Networks trained on a twin and tried on scans held out: the task and the step 'real', on phantoms."""

import csv
import json
import shutil

import numpy as np
import phantom
import pytest
from ml_collections import ConfigDict

from configs import testing, transfer
from wsns import dispatch
from wsns.data.lidc.annotations import load_scans
from wsns.data.records import plan as planning
from wsns.errors import InputError
from wsns.run import figures as pictures
from wsns.runtime import workdir as files
from wsns.studies.synthetic_to_real import real_step, trials
from wsns.studies.synthetic_to_real.predictions import COLUMNS, Trial, nam_name
from wsns.studies.synthetic_to_real.task import check

# Of one there are two scans.
HELD_OUT = ("LIDC-IDRI-0365", "LIDC-IDRI-0957")
OTHERS = ("LIDC-IDRI-0323", "LIDC-IDRI-0719", "LIDC-IDRI-0886", "LIDC-IDRI-0983")
KEYS = {
    *("auc", "auc_low", "auc_high", "hit", "hit_low", "hit_high", "hit_chance", "auc_lung_area"),
    *("method", "slices", "nodules", "seeds"),
}


@pytest.fixture(scope="module", autouse=True)
def sources():
    """A database of six patients; a folder holds phantoms of two, the twin is phantoms too. Reports have no figures."""
    scans = {uid: scan for uid, scan in load_scans().items() if scan.patient in (*HELD_OUT, *OTHERS)}
    held_out = {uid: scan for uid, scan in scans.items() if scan.patient in HELD_OUT}

    def opened(folder, *_, **__):
        return phantom.PhantomSource(held_out, "LIDC-IDRI") if folder else phantom.PhantomSource(scans)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "load_scans", lambda: scans)
        patch.setattr(planning, "open_source", opened)
        patch.setattr(pictures, "draw", lambda run, found: {})
        yield


def config(module=testing, **changes):
    made = module.get_config()
    small = testing.get_config()
    for section in ("model", "train", "segment"):
        made[section] = small[section]
    made.models, made.scans.most, made.evaluate.draws, made.transfer.seeds = ("gap1",), 0, 50, (0, 3)
    made.data.update(max_scans=0, workers=1, agreement=2, crop=256, **changes)
    return made


@pytest.fixture(scope="module")
def own():
    return config(transfer, manual_dir="folder")


@pytest.fixture(scope="module")
def done(own, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("transfer")
    dispatch.run(own, workdir)
    return workdir


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def written(folder):
    return {
        p: p.stat().st_mtime_ns
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink() and p.name != ".lock"
    }


def test_the_figures_are_there_and_none_is_nan(done):
    found = json.loads((done / "transfer.json").read_text(), parse_constant=pytest.fail)
    assert set(found) == KEYS | {"methods", "baselines", "twin"}
    real_rows = rows(done / "real" / "records" / "slices.csv")
    assert found["slices"] == len(real_rows) == 2 * sum(row["label"] == "1" for row in real_rows)
    assert found["seeds"] == 2
    assert set(found["methods"]) == {"1-GAP"}
    # The start is a random one already.
    assert set(found["baselines"]) == {"1-GAP start", "lung area"}
    line = found["methods"]["1-GAP"]["all"]
    assert line["auc"]["value"] == found["auc"] == pytest.approx(sum(line["auc"]["seeds"]) / 2)
    assert {"LIDC-IDRI-0957", "LIDC-IDRI-0365 174616"} < set(found["methods"]["1-GAP"])


def test_every_slice_is_read_by_every_network(done):
    found = rows(done / "transfer_slices.csv")
    assert tuple(found[0]) == (*COLUMNS, "hit")
    validation = [row for row in rows(done / "records" / "slices.csv") if row["split"] == "validation"]
    held_out = rows(done / "real" / "records" / "slices.csv")
    assert len(found) == 2 * 2 * (len(validation) + len(held_out))
    assert {row["patient"] for row in found if row["where"] == "real"} == set(HELD_OUT)
    for row in found:
        assert row["label"] == "1" or row["nodule"] == ""
        assert (row["peak_mm"] != "") == (row["chance"] != "") == (row["nodule"] != "")
        assert row["hit"] == ("" if row["peak_mm"] == "" else str(int(float(row["peak_mm"]) <= 5)))
        assert float(row["lung_area_mm2"]) >= 0


def test_maps_are_kept_of_each_nodule_where_it_is_largest(done):
    folder = done / "seeds" / "0" / "real"
    largest = {
        (row["series"], row["nodule"]): nam_name(row["method"], row["series"], float(row["z"]))
        for row in rows(folder / "readings.csv")
        if (row["where"], row["method"]) == ("real", "1-GAP")
        and row["radius_mm"] == row["nodule_radius_mm"] != ""
    }
    with np.load(folder / "nams.npz") as nams:
        assert set(nams.files) == set(largest.values())
        assert {nams[name].shape for name in nams.files} == {(64, 64)}


def test_nothing_of_the_held_out_patients_is_trained_on(done):
    twin, held_out = (files.read_json(done / part / "split.json") for part in ("records", "real/records"))
    assert set(held_out["patients"].items()) == {(patient, "test") for patient in HELD_OUT}
    assert set(twin["patients"]) == set(OTHERS)
    for seed in (0, 3):
        folder = done / "seeds" / str(seed)
        assert files.read_json(folder / "config.json")["data"]["manual_dir"] == ""
        assert files.read_json(folder / "config.json")["seed"] == seed
        assert (folder / "records").resolve() == done / "records"
        assert (folder / "real" / "gap1").resolve() == folder / "gap1"


def test_the_report_opens_with_every_nodule(done):
    page = (done / "report.html").read_text()
    assert page.index("Trained on synthetic scans, tried on real ones") < page.index("<h2>Table 1</h2>")
    assert "random start" in page
    assert "Each seed" in page
    assert page.count("data:image/png") == 1
    assert "the first seed&#x27;s 1-GAP network, which hits most often" in page
    assert files.read_json(done / "transfer.json")["nodules"] >= 2
    other = (done / "seeds" / "3" / "real" / "report.html").read_text()
    assert "trained on synthetic scans only" in other
    assert "Each seed" not in other


def test_the_same_task_again_redoes_nothing(own, done, capsys):
    before = written(done)
    dispatch.run(own, done)
    assert (done / "transfer.txt").read_text() in capsys.readouterr().out
    changed = {path.name for path, when in written(done).items() if before.get(path) != when}
    assert changed <= {"config.json", "environment.json", "records.json", "gap1.json", "report.html"}


def test_what_is_lost_of_one_seed_is_made_again_alike(own, done):
    before, figures = written(done), (done / "transfer.json").read_text()
    for name in ("readings.csv", "stamps/readings.json", "cases.csv", "stamps/segment.json"):
        (done / "seeds" / "3" / "real" / name).unlink()
    shutil.rmtree(done / "seeds" / "3" / "real" / "masks")
    dispatch.run(own, done)
    assert (done / "transfer.json").read_text() == figures
    for name in ("seeds/3/gap1/metrics.jsonl", "seeds/0/real/readings.csv", "seeds/0/real/cases.csv"):
        assert (done / name).stat().st_mtime_ns == before[done / name]


def test_other_networks_take_back_what_the_old_ones_found(own, done, tmp_path):
    workdir = tmp_path / "other"
    shutil.copytree(done, workdir, symlinks=True)
    folder = workdir / "seeds" / "0"
    seed = ConfigDict(files.read_json(folder / "config.json"))
    before = written(folder / "real" / "masks")
    trials._link(Trial(seed, folder), trials.real_config(seed, "folder"), workdir)
    assert written(folder / "real" / "masks") == before
    seed.train.decay = 0.5
    trials._link(Trial(seed, folder), trials.real_config(seed, "folder"), workdir)
    for gone in ("masks", "cases.csv", "stamps/segment.json", "stamps/evaluate.json"):
        assert not (folder / "real" / gone).exists()
    assert (folder / "gap1" / "metrics.jsonl").exists()
    assert (folder / "real" / "gap1" / "metrics.jsonl").exists()


def test_a_run_on_the_twin_ends_on_real_scans_with_the_same_figures(done, tmp_path, capsys):
    workdir = tmp_path / "run"
    for name in ("records", "stamps", "seeds/0/gap1", "seeds/0/stamps/gap1.json"):
        source, target = done / name, workdir / name.removeprefix("seeds/0/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    run = config(exclude=",".join(HELD_OUT))
    run.real = str(tmp_path)
    dispatch.run(run, workdir)
    said = capsys.readouterr().out
    assert said.endswith(f"report: {workdir / 'real' / 'report.html'}\n")
    assert "One training" in said
    found, whole = (files.read_json(folder / "transfer.json") for folder in (workdir, done))
    assert set(found) == set(whole)
    first = {name: whole["methods"]["1-GAP"]["all"][name]["seeds"][0] for name in ("auc", "hit")}
    assert {name: found[name] for name in first} == first
    assert (found["seeds"], found["slices"]) == (1, whole["slices"])
    assert "Trained on synthetic scans" in (workdir / "real" / "report.html").read_text()
    assert "Trained on synthetic scans" not in (workdir / "report.html").read_text()


def test_a_twin_that_knows_the_patients_is_refused_before_training(tmp_path):
    run = config(exclude="LIDC-IDRI-0957", manual_dir="twin")
    run.real = str(tmp_path)
    with pytest.raises(
        InputError, match=r"nodules of LIDC-IDRI-0365, .*exclude=LIDC-IDRI-0365,LIDC-IDRI-0957$"
    ):
        dispatch.run(run, tmp_path)
    assert not (tmp_path / "gap1").exists()


def test_bad_fields_are_one_line(tmp_path):
    for module, changes, words in (
        (transfer, {"data.manual_dir": ""}, r"config\.data\.manual_dir is empty"),
        (transfer, {"transfer.seeds": ()}, r"config\.transfer\.seeds"),
        (transfer, {"transfer.seeds": (1, 1)}, r"config\.transfer\.seeds=\(1, 1\)"),
        (transfer, {"models": ("gap2",)}, "add 'gap1'"),
        (testing, {"real": "there"}, "leave one of the two empty"),
        (testing, {"real": "there", "data.manual_dir": "twin"}, r"config\.real='there' is not a folder"),
    ):
        bad = config(module, manual_dir="folder").unlock()
        bad.update_from_flattened_dict(changes)
        with pytest.raises(InputError, match=words) as caught:
            dispatch.run(bad, tmp_path)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    check(config(transfer, manual_dir="folder"))


def test_what_a_user_leaves_out_stays_left_out():
    run = config(exclude="LIDC-IDRI-0719, LIDC-IDRI-0957")
    assert trials.excluded(run, HELD_OUT) == "LIDC-IDRI-0365,LIDC-IDRI-0719,LIDC-IDRI-0957"
    held_out = trials.real_config(run, "folder")
    assert (held_out.data.exclude, held_out.data.held_out, run.data.held_out) == ("", True, False)
    real_step.check(run)
