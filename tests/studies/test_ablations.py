import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from absl import flags
from evaluation_cases import random_cases

from configs import ablations as config
from wsns import dispatch
from wsns.errors import InputError
from wsns.evaluation.cases import write_cases
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps
from wsns.studies.comparison import ablations as step
from wsns.studies.comparison.ablations import variants
from wsns.tasks import train

BETA = ("beta 1", {"segment.beta": 1.0})
SEED = ("another seed", {"seed": 1})


def of(*listed):
    own = config.get_config("testing")
    own.ablations, own.models = listed, ("gap1",)
    return own


@pytest.mark.parametrize("base", ["table1", "demo", "testing"])
def test_every_ablation_of_the_config_is_legal_and_changes_something(base):
    own = config.get_config(base)
    own.model.start, own.model.width = "random", 1 / 8
    own.ablations = tuple(each for each in own.ablations if each[0] != "random start")
    dispatch._check(own)
    made = variants(own)
    assert len(made) > 15
    unchanged = own.to_dict()
    for name, overrides in own.ablations:
        found = made[name].to_dict()
        changed = {
            f"{section}.{field}"
            for section in step.SECTIONS
            if isinstance(found[section], dict)
            for field in found[section]
            if found[section][field] != unchanged[section][field]
        } | {section for section in ("models", "seed") if found[section] != unchanged[section]}
        assert changed == set(overrides)


def test_values_take_the_kind_of_their_field_and_the_config_stays():
    own = of(("beta 1", {"segment.beta": 1, "models": ("gap1", "gap2"), "segment.means": [-900, -500]}))
    before = own.to_dict()
    made = variants(own)["beta 1"]
    assert (made.segment.beta, made.models) == (1.0, ("gap1", "gap2"))
    assert isinstance(made.segment.beta, float)
    assert made.segment.means == (-900, -500)
    assert "ablations" not in made
    assert own.to_dict() == before


def test_a_base_that_is_no_config_is_refused():
    with pytest.raises(flags.IllegalFlagValueError, match=r"there is no configs/nonsense\.py"):
        config.get_config("nonsense")


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ((), "config.ablations is empty"),
        ((("a", {"segment.betta": 1.0}),), "'a' sets 'segment.betta'"),
        ((("a", {"data.agreement": 2}),), "'a' sets 'data.agreement'"),
        ((("a", {"segment": {"beta": 1.0}}),), "'a' sets 'segment'"),
        ((("a", {"segment.beta": "much"}),), "'a' sets segment.beta='much'"),
        ((("a", {"segment.beta": -1.0}),), r"'a': config\.segment\.beta=-1\.0: must be at least 0"),
        ((("a", {"segment.fill": "nothing"}),), "'a': .*choose one of parenchyma, floor, mean"),
        ((("a", {"models": ("gap2",)}),), "'a': .*add 'gap1'"),
        ((("a", {"model.start": "imagenet"}),), "'a': config.model.width=0.0625"),
        ((BETA, BETA), "'beta 1' is taken already"),
        ((("base", {}),), "'base' is taken already"),
        ((("a/b", {}),), "'a/b' can't be the name of a folder"),
        (((".", {}),), "can't be the name of a folder"),
        ((("", {}),), "can't be the name of a folder"),
    ],
)
def test_bad_ablations_are_one_line_before_anything_is_done(listed, words, tmp_path):
    with pytest.raises(InputError, match=words) as caught:
        dispatch.run(of(*listed), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A run's folder with a network that says of which seed it is, and steps that take no time."""
    done = []

    def trained(own, folder, stamps):
        for name in own.models:
            wanted = train.inputs(own, folder, name)
            if not stamps.is_done(name, wanted):
                stamps.begin(name, wanted, folder / name)
                files.write_text(folder / name / "of", str(own.seed))
                done.append(f"train {own.seed} in {folder.name}")
                stamps.mark_done(name, wanted)

    def segmented(own, folder, stamps):
        wanted = {"segment": own.segment.to_dict(), "network": train.inputs(own, folder, "gap1")}
        if not stamps.is_done("segment", wanted):
            stamps.begin("segment", wanted, folder / "cases.csv")
            assert (folder / "gap1" / "of").read_text() == str(own.seed)
            cases = random_cases(0, patients=3)
            found = [replace(case, dice=case.dice / (1 + own.seed)) if case.tp else case for case in cases]
            write_cases(folder / "cases.csv", found)
            done.append(f"segment in {folder.name}")
            stamps.mark_done("segment", wanted)

    monkeypatch.setattr(step.train, "train", trained)
    monkeypatch.setattr(step, "segment", segmented)
    workdir = tmp_path / "run"
    files.write_json(
        workdir / "records" / "accounting.json", {"data_fingerprint": "d", "source": "LIDC twin"}
    )
    files.write_json(workdir / "stamps" / "records.json", {"fingerprint": "r", "inputs": {}})

    def go(*listed, seed=0):
        own = of(*listed)
        own.seed = seed
        done.clear()
        files.write_json(workdir / "config.json", own.to_dict())
        files.write_json(workdir / "environment.json", {"data": {"split_fingerprint": "s"}})
        for act in (trained, segmented):
            act(own, workdir, Stamps(workdir))
        step.ablations(own, workdir, Stamps(workdir))
        return list(done)

    return workdir, go


def test_what_an_ablation_does_not_change_is_shared_and_the_rest_is_its_own(base, capsys):
    workdir, go = base
    assert go(BETA, SEED) == [
        "train 0 in run", "segment in run", "segment in beta 1", "train 1 in another seed", "segment in another seed",
    ]  # fmt: skip
    out, err = capsys.readouterr()
    assert out == (workdir / "ablations.txt").read_text()
    assert "ablation 1 of 2: beta 1\n" in err
    assert "ablation 2 of 2: another seed\n" in err
    beta, seed = (workdir / "ablations" / name for name in ("beta 1", "another seed"))
    assert [(folder / "gap1").is_symlink() for folder in (beta, seed)] == [True, False]
    assert all((folder / "records").resolve() == workdir / "records" for folder in (beta, seed))
    assert "\n- beta 1: segment.beta 1.0 (0.3)\n" in out
    assert "\n- another seed: seed 1 (0)\n" in out
    assert "\nas base: beta 1\n" in out
    assert "Not the same data" not in out
    rows = files.read_rows(workdir / "ablations.csv")
    assert {row["run"] for row in rows} == {"base", "beta 1", "another seed"}
    assert all(float(row["difference"]) == 0 for row in rows if row["run"] == "beta 1" and row["difference"])


def test_the_same_again_does_nothing_and_a_moved_run_still_holds(base, tmp_path):
    workdir, go = base
    go(BETA, SEED)
    assert go(BETA, SEED) == []
    moved = tmp_path / "moved"
    workdir.rename(moved)
    assert (moved / "ablations" / "beta 1" / "gap1" / "of").read_text() == "0"


def test_an_interrupted_command_goes_on_where_it_was(base, monkeypatch):
    workdir, go = base
    whole = step.segment

    def interrupted(own, folder, stamps):
        if folder.name == "another seed":
            raise KeyboardInterrupt
        whole(own, folder, stamps)

    monkeypatch.setattr(step, "segment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go(BETA, SEED)
    assert "beta 1" in (workdir / "ablations.txt").read_text()
    monkeypatch.setattr(step, "segment", whole)
    assert go(BETA, SEED) == ["segment in another seed"]


def test_a_changed_base_takes_back_what_is_no_longer_shared_and_never_harms_it(base):
    workdir, go = base
    go(BETA, SEED)
    # Now the base is what the ablation was: its own network goes, and the base's takes its place.
    done = go(BETA, SEED, seed=1)
    assert done == ["train 1 in run", "segment in run", "segment in beta 1"]
    assert (workdir / "ablations" / "another seed" / "gap1").is_symlink()
    # And back: the link goes, not what it points to, and its stamp vouches for nothing.
    done = go(BETA, SEED, seed=0)
    assert done == [
        "train 0 in run", "segment in run", "segment in beta 1", "train 1 in another seed",
    ]  # fmt: skip
    assert (workdir / "gap1" / "of").read_text() == "0"
    own = workdir / "ablations" / "another seed" / "gap1"
    assert not own.is_symlink()
    assert (own / "of").read_text() == "1"


@pytest.mark.slow
def test_the_command_ends_in_the_table_that_the_runs_alone_would_give(tmp_path):
    """Two ablations of one small network, and the same field set by hand in a copy of the run."""
    small = ("--config.models=('gap1',)", "--config.scans.most=0")
    listed = "(('tau 0.8',{'segment.tau':0.8}),('pool sum',{'model.pool':'sum'}))"

    def main(workdir, config, *arguments):
        command = [
            sys.executable,
            "main.py",
            f"--config=configs/{config}",
            f"--workdir={workdir}",
            *small,
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    first = main(tmp_path / "run", "ablations.py:testing", f"--config.ablations={listed}")
    assert (tmp_path / "run" / "ablations.txt").read_text() == first.stdout[
        first.stdout.index("3 runs, each") :
    ]
    again = main(tmp_path / "run", "ablations.py:testing", f"--config.ablations={listed}")
    assert again.stdout == first.stdout
    assert "segment  " not in again.stderr
    for name in ("records", "stamps", "gap1"):
        shutil.copytree(tmp_path / "run" / name, tmp_path / "alone" / name)
    main(tmp_path / "alone", "testing.py", "--config.task=segment", "--config.segment.tau=0.8")
    ablation = tmp_path / "run" / "ablations" / "tau 0.8"
    assert (tmp_path / "alone" / "cases.csv").read_text() == (ablation / "cases.csv").read_text()
    assert (tmp_path / "run" / "ablations" / "pool sum" / "gap1" / "metrics.jsonl").exists()
    assert not (tmp_path / "run" / "ablations" / "pool sum" / "gap1").is_symlink()
