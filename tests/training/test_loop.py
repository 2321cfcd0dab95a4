"""The loop on a network of two parameters: log, resuming, killing, bad losses."""

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from training_cases import OPTIONS, fit, rows, subject, toy

from wsns.errors import InputError
from wsns.training import batching, checkpoints, loop


def options(**changes):
    return loop.LoopOptions(**{"epochs": 3, "batch": 4, "seed": 1, "flip": True} | changes)


def assert_same(one, two):
    jax.tree.map(
        np.testing.assert_array_equal, *(checkpoints.best_params(d / "checkpoints") for d in (one, two))
    )
    assert rows(one) == rows(two)


def newest(directory):
    with checkpoints.open_manager(directory / "checkpoints") as manager:
        return manager.latest_step()


def test_training_learns_and_writes_its_log(tmp_path):
    fit(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["step"], line["split"]) for line in lines] == [
        (epoch, 3 * epoch, split) for epoch in (1, 2, 3) for split in ("train", "validation")
    ]
    assert lines[-1]["accuracy"] == 1.0
    assert lines[-1]["loss"] < lines[1]["loss"] < np.log(2)
    assert all(line["slices_per_second"] > 0 for line in lines)
    assert list((tmp_path / "tensorboard").iterdir())


def test_best_epoch_is_kept_beside_the_two_latest(tmp_path):
    """A rate of zero: all epochs are equal, and the newest of the best counts."""
    fit(tmp_path, options(epochs=5), rate=0.0)
    with checkpoints.open_manager(tmp_path / "checkpoints") as manager:
        assert sorted(manager.all_steps()) == [12, 15]
        assert manager.best_step() == 15


def fit_by_hits(directory, hit, epochs=4, score=None):
    """Trains with `hit` of the parameter to choose by; one of three slices doesn't count. `score` is of it, too."""
    toys = subject()

    def check(params, batch):
        own, value = toys.objective(params, batch), params["classifier"]
        counts = (batch["row"] % 3 > 0).astype(jnp.float32)
        own = own._replace(more={"hit": (hit(value) * counts, counts)})
        return own._replace(score=score(value) * own.counts) if score else own

    by_hits = dataclasses.replace(toys, check=check, choose="hit")
    loop.fit(by_hits, batching.InMemory(toy()), batching.InMemory(toy()), options(epochs=epochs), directory)
    return checkpoints.best_params(directory / "checkpoints")


def test_the_epoch_can_be_chosen_by_another_measure_than_the_score_and_a_resumed_run_chooses_it_too(tmp_path):
    """Hits are most where the parameter is what the second of four epochs makes it."""
    second = fit(tmp_path / "two", options(epochs=2))["classifier"]

    def hit(value):
        return jnp.exp(-jnp.abs(value - second))

    assert fit_by_hits(tmp_path / "whole", hit)["classifier"] == second
    train, checked = (
        [row for row in rows(tmp_path / "whole") if row["split"] == split]
        for split in ("train", "validation")
    )
    assert checked[1]["hit"] == pytest.approx(1.0)
    assert max(row["hit"] for row in checked if row["epoch"] != 2) < 0.999
    assert checked[-1]["accuracy"] >= checked[1]["accuracy"]
    assert not any("hit" in row for row in train)
    for epochs in (1, 4):
        fit_by_hits(tmp_path / "parts", hit, epochs)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_between_epochs_of_equal_hits_the_score_decides(tmp_path):
    """The parameter grows, and the score falls with it: the first epoch is the best, not the newest."""
    fit_by_hits(tmp_path, lambda _: jnp.float32(0.5), score=lambda value: jnp.exp(-value))
    checked = [row for row in rows(tmp_path) if row["split"] == "validation"]
    assert {row["hit"] for row in checked} == {0.5}
    scores = [row["accuracy"] for row in checked]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]
    with checkpoints.open_manager(tmp_path / "checkpoints") as manager:
        assert manager.best_step() == checked[0]["step"]


@pytest.mark.parametrize("moved", [{"flip": False}, {"flip": True, "shift": 2}])
def test_resumed_run_ends_bit_identical(tmp_path, moved):
    fit(tmp_path / "whole", options(**moved))
    fit(tmp_path / "halves", options(epochs=1, **moved))
    fit(tmp_path / "halves", options(**moved))
    assert_same(tmp_path / "whole", tmp_path / "halves")


@pytest.mark.parametrize("resident", [True, False])
def test_stopped_within_an_epoch_it_goes_on_within_the_epoch(tmp_path, resident):
    """The fifth of nine steps fails; a checkpoint is due after each."""
    fit(tmp_path / "whole")

    class Failing(batching.InMemory):
        count = 0

        def take(self, rows):
            self.count += 1
            if self.count == 5:
                raise OSError("the disk is gone")
            return super().take(rows)

    examples = Failing(toy())
    with pytest.raises(OSError, match="the disk is gone"):
        loop.fit(subject(), examples, batching.InMemory(toy()), options(save_minutes=0), tmp_path / "stopped")
    assert newest(tmp_path / "stopped") == 4
    fit(tmp_path / "stopped", options(save_minutes=0, resident=resident))
    assert_same(tmp_path / "whole", tmp_path / "stopped")


KILLED = """
import sys, time, pathlib
import wsns
from training_cases import OPTIONS, fit, toy
import dataclasses
from wsns.training import batching
class Slow(batching.InMemory):
    def take(self, rows):
        time.sleep(0.03)
        return super().take(rows)
batching.InMemory = Slow
fit(pathlib.Path(sys.argv[1]), dataclasses.replace(OPTIONS, epochs=12, save_minutes=0))
"""


def test_killed_at_random_it_ends_bit_identical(tmp_path):
    """SIGKILL, again and again, at moments that nobody chose, from the first checkpoint on."""
    fit(tmp_path / "whole", options(epochs=12))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'helpers'}"}
    seen = []
    for _ in range(3):
        run = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        before = seen[-1] if seen else 0
        while steps_on_disk(tmp_path / "killed") <= before and run.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        seen.append(steps_on_disk(tmp_path / "killed"))
    assert 0 < seen[0] < seen[1] < seen[2] < 36
    last = subprocess.run(command, env=env, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr[-2000:]
    assert_same(tmp_path / "whole", tmp_path / "killed")


def steps_on_disk(directory):
    """Returns the newest complete checkpoint's step, 0 without one."""
    folder = directory / "checkpoints"
    names = os.listdir(folder) if folder.exists() else []
    return max((int(name) for name in names if name.isdigit()), default=0)


def test_diverging_loss_stops_with_step_and_last_good_checkpoint(tmp_path):
    fit(tmp_path, options(epochs=1, flip=False))
    data = toy()
    data["hu"][3] = np.inf
    with pytest.raises(
        InputError, match=r"loss is nan in step [456]; the last good .*checkpoints/3, of step 3\."
    ):
        fit(tmp_path, OPTIONS, data)
    assert newest(tmp_path) == 3


def test_gradient_that_is_not_finite_stops_before_the_state_is_kept(tmp_path):
    """The loss of the first step is finite, the norm of its gradient is not: 1e25 squared."""
    data = toy(4)
    data["hu"][:] = 1e25 * (2 * data["label"][:, None, None] - 1)
    with pytest.raises(InputError, match=r"gradient norm is (inf|nan) in step 1; nothing is saved yet"):
        fit(tmp_path, options(save_minutes=0, flip=False), data)
    assert newest(tmp_path) is None


def test_full_device_is_one_line(tmp_path, monkeypatch):
    def full(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.\nmore")

    monkeypatch.setattr(loop, "_fit", full)
    with pytest.raises(InputError, match=r"toy: the device's memory.*99 bytes\.\).*fit\.portions=2"):
        fit(tmp_path)


def test_bar_shows_slices_loss_accuracy_and_where_it_resumed(tmp_path, capsys):
    fit(tmp_path, options(epochs=1))
    capsys.readouterr()
    fit(tmp_path, options(epochs=2))
    last = re.split(r"[\r\n]+", capsys.readouterr().err.strip())[-1]
    assert re.search(
        r"train toy +100% .* 20/20 .*slices.*loss \d\.\d{3} accuracy \d\.\d{3} validation \d\.\d{3}", last
    )
