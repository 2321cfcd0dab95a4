import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import ROOT
from ml_collections import ConfigDict

from configs import gap1, table1, testing
from wsns import dispatch
from wsns.errors import InputError
from wsns.models import factory
from wsns.planning import cost, timing
from wsns.runtime import workdir as files
from wsns.tasks import plan
from wsns.tasks.train import subject_of
from wsns.training import batching, dataset, step_memory
from wsns.training import step as steps

GIB = 2**30


def _config(module=testing, **fields):
    config = module.get_config()
    config.task = "plan"
    config.data.max_scans, config.data.workers = 3, 1
    config.data.thickness = (3.0, 3.0)
    config.update_from_flattened_dict(fields)
    return config


@pytest.fixture
def stubbed(monkeypatch):
    """A machine of 1 TFLOP/s on which a network trains 2 slices a second, reads 10, and needs 1 GiB per slice."""
    asked = []
    monkeypatch.setattr(timing, "matmul_rate", lambda dtype: 1e12)
    monkeypatch.setattr(timing, "speed", lambda *_: timing.Speed(0.5, 0.1))
    monkeypatch.setattr(timing, "search", lambda config, networks, slices: timing.Search(1.0, 2.0))
    monkeypatch.setattr(plan, "compile_step", lambda subject, shapes, batch, portions: -(-batch // portions))
    monkeypatch.setattr(plan, "step_bytes", lambda slices: asked.append(slices) or slices * GIB)
    monkeypatch.setattr(dataset, "memory", lambda: 100 * GIB)
    monkeypatch.setattr(plan, "_from_twin", lambda *_: None)
    monkeypatch.setattr(factory.Network, "first_params", lambda *_: {})
    return asked


def test_the_papers_run_is_planned_without_weights(stubbed, tmp_path, monkeypatch):
    monkeypatch.setattr("wsns.models.weights.start.IMAGENET_FILE", tmp_path / "nowhere")
    monkeypatch.setattr("wsns.tasks.weights.fetch", lambda *_, **__: pytest.fail("nothing is to be fetched"))
    config = _config(table1, **{"plan.rate": 100.0, "plan.share": 0.5, "plan.memory": 16.0})
    dispatch.run(config, tmp_path)
    made = files.read_json(tmp_path / "plan.json")
    parts, own = made["counts"]["parts"], made["networks"]["gap2"]
    train, validation = (
        parts[name]["positive"] + parts[name]["negative"] for name in ("train", "validation")
    )
    assert own["hours"] == pytest.approx(30 * (0.5 * train + 0.1 * validation) / 3600)
    flops = own["forward_flops"] * (3 * train + validation)
    assert own["epoch_flops"] == flops
    assert own["hours_given"] == pytest.approx(30 * flops / 50e12 / 3600)
    assert own["share"] == pytest.approx(own["training_flops"] * 2 / 1e12)
    # Of 16 GiB 12 can be had, and the slices' fraction of a GiB lies there too: 11 slices at once at most.
    assert own["memory"]["whole"] == 30 * GIB
    assert (own["memory"]["portions"], own["memory"]["bytes"]) == (3, 10 * GIB)
    assert made["networks"]["unet"]["training_slices"] == train
    assert (tmp_path / "plan.txt").read_text().count("GAP") >= 3


def test_segmentation_by_hand(stubbed, tmp_path):
    dispatch.run(_config(**{"models": ("gap1", "unet"), "plan.rate": 2.0, "plan.share": 0.5}), tmp_path)
    made = files.read_json(tmp_path / "plan.json")
    found, networks = made["segmentation"], made["networks"]
    tested, whole = found["test_slices"], found["whole_slices"]
    assert whole > tested > 0
    searched = (tested + whole) / 2
    assert found["hours"] == pytest.approx((0.1 * (2 * tested + whole) + 3 * searched) / 3600)
    passes = (tested + whole) * networks["gap1"]["forward_flops"] + tested * networks["unet"]["forward_flops"]
    screening = 2.0 * networks["gap1"]["forward_flops"] / 0.1 / 1e12
    assert found["hours_given"] == pytest.approx((passes / 1e12 + searched * (1.0 + screening)) / 3600)


def test_whole_scans_left_out_and_one_network(stubbed, tmp_path):
    dispatch.run(_config(gap1, **{"scans.most": 0}), tmp_path)
    made = files.read_json(tmp_path / "plan.json")
    assert made["segmentation"]["whole_slices"] == 0
    assert made["networks"]["gap1"]["hours_given"] is made["segmentation"]["hours_given"] is None
    assert list(made["networks"]) == ["gap1"]


def test_all_or_none_held_out(stubbed, tmp_path):
    """Without a training split there is nothing to train, without a test split nothing to segment."""
    dispatch.run(_config(**{"models": ("gap1",), "data.held_out": True}), tmp_path)
    made = files.read_json(tmp_path / "plan.json")
    assert made["networks"]["gap1"]["hours"] == made["networks"]["gap1"]["epoch_flops"] == 0
    assert made["segmentation"]["hours"] > 0
    dispatch.run(_config(**{"models": ("gap1",), "data.max_scans": 1}), tmp_path)
    assert files.read_json(tmp_path / "plan.json")["segmentation"] is None


@pytest.mark.parametrize(("room", "portions"), [(30, 1), (29, 2), (7, 5), (1, 30), (0.5, None)])
def test_portions_that_fit(room, portions):
    config = _config(**{"fit.input": "stream", "plan.memory": room / 0.75})
    fit = plan.fitted(config, cost.portions(30), 10**12, lambda number: -(-30 // number) * GIB)
    assert fit.portions == portions
    assert fit.whole == 30 * GIB
    assert fit.bytes == -(-30 // (portions or 30)) * GIB


def test_waiting_slices_take_of_the_room(monkeypatch):
    def room(place, given=0.0):
        config = _config(**{"fit.input": place, "plan.memory": given})
        return plan.fitted(config, [1], 2 * GIB, lambda _: 0).room / GIB

    assert room("device", 8.0) == room("auto", 8.0) == 4
    assert room("host", 8.0) == room("stream", 8.0) == 6
    # Two of three GiB would leave too little: they wait in the host's memory.
    assert room("auto", 4.0) == 3
    # A processor's own memory is the host's.
    monkeypatch.setattr(dataset, "memory", lambda: 10 * GIB)
    monkeypatch.setattr(jax, "local_devices", lambda: [ConfigDict({"memory_stats": lambda: None})])
    assert room("stream") == pytest.approx(9)
    assert room("auto") == room("host") == pytest.approx(7)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"plan.rate": -1.0}, "config.plan.rate=-1.0"),
        ({"plan.memory": float("nan")}, "config.plan.memory=nan"),
        ({"plan.memory": float("inf")}, "config.plan.memory=inf"),
        ({"plan.share": 0.0}, "config.plan.share=0.0"),
        ({"plan.share": 1.5}, "config.plan.share=1.5"),
        ({"models": ()}, "config.models"),
        ({"models": ("gap4",)}, "config.models"),
        ({"train.batch": 0}, "config.train.batch=0"),
        ({"model.start": "imagenet"}, "model.width"),
        ({"model.start": "nonsense"}, "model.start"),
        ({"data.exclude": "nobody"}, "config.data.exclude"),
        ({"data.manual_dir": "/nowhere"}, "/nowhere"),
    ],
)
def test_bad_input_is_one_line(fields, field, tmp_path):
    with pytest.raises(InputError, match=field) as error:
        dispatch.run(_config(**fields), tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "plan.txt").exists()


def test_a_peak_lies_on_the_nodule():
    nodule = np.zeros((64, 64), bool)
    nodule[10:13, 40:45] = True
    found = timing.peak(nodule)
    assert np.unravel_index(found.argmax(), found.shape) == (11, 42)
    assert found.max() == pytest.approx(1)


def test_a_finished_run_is_planned_from_its_records(testing_run, tmp_path, capsys):
    """The same records by the annotations and by what was built of them; a run's own config.json stays."""
    workdir = tmp_path / "run"
    shutil.copytree(testing_run.workdir, workdir)
    before = (workdir / "config.json").read_bytes()
    config = testing.get_config()
    config.task, config.models = "plan", ("gap1",)
    dispatch.run(config, workdir)
    assert (workdir / "config.json").read_bytes() == before
    made = files.read_json(workdir / "plan.json")
    slices = files.read_rows(workdir / "records" / "slices.csv")
    for part, own in made["counts"]["parts"].items():
        labels = [row["label"] for row in slices if row["split"] == part]
        assert (own["positive"], own["negative"]) == (labels.count("1"), labels.count("0"))
    own = made["networks"]["gap1"]
    assert 0 < own["memory"]["whole"] < GIB
    assert own["memory"]["portions"] == 1
    assert own["speed"]["train"] > own["speed"]["forward"] > 0
    assert made["segmentation"]["seconds_per_search"]["screen"] > 0
    assert capsys.readouterr().out == (workdir / "plan.txt").read_text()


def plan_and_take(out):
    """Plans a training step from two slices, takes steps of eight, in turns; leaves seconds per slice and bytes."""
    config = _config(**{"model.width": 0.5, "model.size": 192})
    subject = subject_of(config, "gap3", factory.build(config, "gap3"), 1)
    example = {"hu": jax.ShapeDtypeStruct((384, 384), np.int16), "label": jax.ShapeDtypeStruct((), np.int32)}
    hu = np.random.default_rng(0).integers(-1000, 400, (8, 384, 384)).astype(np.int16)
    examples_of_eight = batching.InMemory({"hu": hu, "label": np.arange(8, dtype=np.int32) % 2})
    (batch,) = batching.Feed(examples_of_eight, 8).batches(np.arange(8))
    step, part = step_memory.compile_step(subject, example, 8), step_memory.compile_step(subject, example, 2)
    state = steps.place(steps.init_state(subject.params, subject.optimiser), 1)
    Path("/proc/self/clear_refs").write_text("5")  # what compiling took is no part of the peak
    before = _memory("VmRSS")
    state, _ = jax.block_until_ready(step(state, batch, {}))
    took = _memory("VmHWM") - before
    seconds = {"planned": [], "taken": []}
    for _ in range(3):
        seconds["planned"].append(timing.speed(subject, part, example, 2).train)
        began = time.perf_counter()
        for _ in range(2):
            state, _ = jax.block_until_ready(step(state, batch, {}))
        seconds["taken"].append((time.perf_counter() - began) / 16)
    files.write_json(
        out, {"bytes": {"planned": step_memory.step_bytes(step), "taken": took}, "seconds": seconds}
    )


def _memory(kind):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{kind}:")[1].split()[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_seconds_and_memory_are_within_a_factor_of_one_and_a_half(tmp_path):
    """In a process of its own, whose memory nothing else has taken."""
    script = "import pathlib, sys; from test_plan_task import plan_and_take; plan_and_take(pathlib.Path(sys.argv[1]))"
    path = os.pathsep.join(
        map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "helpers", Path(__file__).parent))
    )
    run = [sys.executable, "-c", script, tmp_path / "taken.json"]
    subprocess.run(run, cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": path})
    found = files.read_json(tmp_path / "taken.json")
    seconds = {name: np.median(values) for name, values in found["seconds"].items()}
    assert 1 / 1.5 < seconds["planned"] / seconds["taken"] < 1.5
    assert 1 / 1.5 < found["bytes"]["planned"] / found["bytes"]["taken"] < 1.5
