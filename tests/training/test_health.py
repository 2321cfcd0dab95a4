"""What says that a network is dead: the figures by hand, and a run of a small VGG with a head that never answers."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training_cases import OPTIONS, prepare, start, subject, toy

from wsns.models.vgg_gap import VGG, Output
from wsns.report.open_choices import training_notes
from wsns.training import batching, loop, losses
from wsns.training.health import CHANCE, faults
from wsns.training.log import read_metrics

QUIET = {"loss": CHANCE, "gradient_norm": 0.1}


def of(fitted=QUIET, loss=CHANCE, batch=30, epochs=2, **live):
    return faults(epochs * [{"train": fitted, "validation": {"loss": loss, **live}}], batch)


def test_a_loss_that_stays_at_chance_with_no_gradient_is_stuck():
    assert of() == of(epochs=3) == ["stuck"]
    assert of(epochs=1) == []
    assert of(QUIET | {"gradient_norm": 0.2}) == []
    assert of(QUIET | {"loss": 0.68}) == []
    assert of(loss=0.7) == []
    assert of({"loss": CHANCE}) == []
    learned = {"train": QUIET, "validation": {"loss": 0.5}}
    still = {"train": QUIET, "validation": {"loss": CHANCE}}
    assert faults([learned, still], 30) == faults([still, learned], 30) == []


def test_the_gradient_of_a_network_without_features_is_below_the_limit():
    """Its classifier's bias alone learns, from batches with more of one class; the limit follows the batch."""
    rng = np.random.default_rng(0)
    for batch in (4, 30):
        share = rng.integers(0, 2, (2000, batch)).mean(axis=1)
        norm = float((math.sqrt(2) * np.abs(share - 0.5)).mean())
        assert of(QUIET | {"gradient_norm": norm}, batch=batch) == ["stuck"]


def test_a_head_is_dead_where_no_unit_lives():
    assert of({"loss": 0.5, "gradient_norm": 3.0}, 0.5, epochs=1, live_gap5=0.001, live_gap4=0.0) == [
        "dead gap4"
    ]


def test_live_is_the_share_of_units_that_answer_anywhere_in_a_slice():
    """Four units of two slices; the second head has none that lives."""
    head = np.zeros((2, 3, 3, 4), np.float32)
    head[0, 1, 2, :3], head[1, 0, 0, 1] = 2.0, 1e-6
    output = Output(jnp.zeros((2, 2)), (jnp.asarray(head), jnp.zeros((2, 6, 6, 4))), {})
    objective = losses.checking(lambda *_: output, prepare)
    more = objective({}, {"hu": np.zeros((2, 4, 4)), "label": np.array([0, 1])}).more
    assert list(more) == ["live_gap5", "live_gap4"]
    np.testing.assert_allclose(more["live_gap5"], [[0.75, 0.25], [1, 1]])
    np.testing.assert_allclose(more["live_gap4"], [[0, 0], [1, 1]])


MODULE = VGG(gaps=2, width=1 / 16)


@pytest.fixture(scope="module")
def params():
    return jax.device_get(MODULE.init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 16, 16, 3)))["params"])


def trained(directory, params, epochs=2):
    """Trains the small VGG on bright and dark slices."""

    def apply(own, images):
        return MODULE.apply({"params": own}, images)

    def ready(hu):
        return jnp.repeat(hu[..., None], 3, axis=-1)

    optimiser = losses.sgd(1e-2, 0.99, 3, 0.9, 0.1, ())
    given = loop.Subject(
        "2-GAP", "accuracy", losses.classification(apply, ready), optimiser, params,
        check=losses.checking(apply, ready), remedy="lower --config.train.rates",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    label = (np.arange(8) % 2).astype(np.int32)
    hu = 10 * (rng.normal(size=(8, 16, 16)) + 2.0 * label[:, None, None]).astype(np.float32)
    data = batching.InMemory({"hu": hu, "label": label})
    loop.fit(given, data, data, dataclasses.replace(OPTIONS, epochs=epochs, flip=False), directory)
    return [row for row in read_metrics(directory) if row["split"] == "validation"]


def test_a_dead_head_is_said_once_on_the_terminal_and_stands_in_the_log_and_the_report(
    tmp_path, params, capsys
):
    dead = params | {"gap5": params["gap5"] | {"bias": np.full_like(params["gap5"]["bias"], -1e3)}}
    checked = trained(tmp_path, dead)
    said = [line for line in capsys.readouterr().err.splitlines() if "gap5" in line]
    assert len(said) == 1
    for part in ("2-GAP", "head gap5", "epoch 1, step 2", "--config.train.rates"):
        assert part in said[0]
    for row in checked:
        assert row["live_gap5"] == 0 < row["live_gap4"]
        assert "dead gap5" in row["faults"]
        assert "dead gap4" not in row["faults"]
    remarks = training_notes({"2-GAP": read_metrics(tmp_path)})
    assert any("2 of 2 epochs of 2-GAP, first in epoch 1, head gap5 is dead" in remark for remark in remarks)


def test_a_healthy_network_is_not_said_to_be_dead(tmp_path, params, capsys):
    checked = trained(tmp_path, params)
    assert "warning" not in capsys.readouterr().err
    assert not any("faults" in row for row in checked)
    assert all(row["live_gap5"] > 0 for row in checked)
    assert training_notes({"2-GAP": read_metrics(tmp_path)}) == []


def test_a_network_that_answers_nothing_is_said_to_be_stuck_and_one_epoch_more_is_told_too(tmp_path, capsys):
    """The toy's logits are 0 whatever it sees, and no gradient comes back; it is said again by a resumed run."""
    toys = subject()

    def nothing(own, images):
        return Output(jnp.zeros((len(images), 2)), (), {})

    still = dataclasses.replace(toys, objective=losses.classification(nothing, prepare), params=start())
    data = batching.InMemory(toy())
    for epochs in (2, 3):
        loop.fit(still, data, data, dataclasses.replace(OPTIONS, epochs=epochs), tmp_path)
        assert capsys.readouterr().err.count("ln 2") == 1  # of a run, in its second epoch or after
    rows = read_metrics(tmp_path)
    assert [row.get("faults") for row in rows if row["split"] == "validation"] == [None, ["stuck"], ["stuck"]]
    assert [row["gradient_norm"] for row in rows if row["split"] == "train"] == [0, 0, 0]
    (remark,) = training_notes({"1-GAP": rows})
    assert "2 of 3 epochs of 1-GAP, first in epoch 2" in remark


def test_logs_of_earlier_versions_have_no_remark():
    assert training_notes({"U-Net": [{"epoch": 1, "split": "validation", "loss": 0.5}], "1-GAP": []}) == []
