import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wsns.errors import InputError
from wsns.models.vgg import VGG, Output
from wsns.training import checkpoints, loop, objectives
from wsns.training import step as steps

ROOT = pathlib.Path(__file__).resolve().parents[1]
OPTIONS = loop.LoopOptions(epochs=3, batch=4, seed=1, flip=True)


def linear(params, images):
    """A network of two parameters: bright slices are nodule slices."""
    score = images.mean(axis=(1, 2, 3)) * params["classifier"] + params["conv1_1"]
    return Output(jnp.stack([-score, score], axis=-1), (), {})


def prepare(hu):
    return hu[..., None].astype(jnp.float32)


def toy(n=10):
    rng = np.random.default_rng(0)
    label = (np.arange(n) % 2).astype(np.int32)
    hu = rng.normal(size=(n, 8, 8)).astype(np.float32) + label[:, None, None] - 0.5
    return {"hu": hu, "label": label}


def start():
    return {"classifier": jnp.zeros(()), "conv1_1": jnp.zeros(())}


def fit(directory, options=OPTIONS, data=None, rate=1.0):
    optimiser = objectives.sgd(rate, 0.99, 3, 0.9, 0.1)
    objective = objectives.classification(linear, prepare)
    loop.fit("toy", objective, optimiser, start(), data or toy(), toy(), options, directory, "accuracy")
    return checkpoints.best_params(directory / "checkpoints")


def test_training_learns_and_writes_its_log(tmp_path):
    fit(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["split"]) for row in rows][:2] == [(1, "train"), (1, "validation")]
    assert len(rows) == 6
    assert rows[-1]["accuracy"] == 1.0
    assert rows[-1]["loss"] < rows[1]["loss"] < np.log(2)
    assert list((tmp_path / "tensorboard").iterdir())


def test_resumed_run_ends_bit_identical(tmp_path):
    whole = fit(tmp_path / "whole")
    fit(tmp_path / "halves", loop.LoopOptions(epochs=1, batch=4, seed=1, flip=True))
    resumed = fit(tmp_path / "halves")
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)
    logs = [(tmp_path / d / "metrics.jsonl").read_text().splitlines() for d in ("whole", "halves")]
    stripped = [[{k: v for k, v in json.loads(row).items() if k != "seconds"} for row in log] for log in logs]
    assert stripped[0] == stripped[1]


def test_padding_does_not_count():
    data = toy(5)
    objective = objectives.classification(linear, prepare)
    params = {"classifier": jnp.float32(0.3), "conv1_1": jnp.float32(0.1)}
    eval_step = steps.make_eval_step(objective)
    padded = loop.evaluate(eval_step, steps.replicate(params, 1), data, 4, 1)
    exact = objective(params, data)
    np.testing.assert_allclose(padded["loss"], exact.loss.mean(), rtol=1e-6)
    np.testing.assert_allclose(padded["score"], exact.score.mean(), rtol=1e-6)


def test_trunk_learns_at_its_share_of_the_rate():
    optimiser = objectives.sgd(1.0, 0.5, 2, 0.0, 0.1)
    params = {"conv1_1": {"kernel": jnp.ones(2)}, "gap5": {"kernel": jnp.ones(2)}}
    state = optimiser.init(params)
    gradients = jax.tree.map(jnp.ones_like, params)
    seen = []
    for _ in range(3):
        updates, state = optimiser.update(gradients, state, params)
        seen.append((float(updates["conv1_1"]["kernel"][0]), float(updates["gap5"]["kernel"][0])))
    np.testing.assert_allclose(seen, [(-0.1, -1.0), (-0.1, -1.0), (-0.05, -0.5)], rtol=1e-6)


def test_soft_dice_by_hand():
    reference = jnp.array([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    probability = jnp.array([[[1.0, 0.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(objectives.soft_dice(probability, reference), [2 / (1.5 + 2), 0.0])


def test_localisation_asks_each_position_of_each_scale():
    """One channel a scale, weight 1, bias 0: the logits are the maps themselves."""
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[0, 1, 3] = 1
    coarse = jnp.array([[[-9.0, 9.0], [-9.0, -9.0]], [[-9.0, -9.0], [-9.0, 9.0]]])[..., None]
    fine = jnp.where(jnp.asarray(mask) > 0, 9.0, -9.0)[..., None]
    dense = {"kernel": jnp.array([[0.0, 1.0], [0.0, 1.0]]), "bias": jnp.zeros(2)}
    objective = objectives.localisation(lambda *_: Output(jnp.zeros((2, 2)), (coarse, fine), {}), prepare)
    out = objective({"classifier": dense}, {"hu": np.zeros((2, 4, 4)), "mask": mask})
    assert out.loss[0] < 0.01
    np.testing.assert_allclose(out.loss[1], 9 / 4, rtol=1e-2)
    np.testing.assert_array_equal(out.score, [1.0, 0.0])


def test_score_of_the_segmentation_counts_nodule_slices_only():
    objective = objectives.segmentation(lambda _, images: images[..., 0], prepare)
    hu = np.full((2, 4, 4), -1.0, np.float32)
    hu[:, 0, :2] = 1.0
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[0, 0, :4] = 1
    out = objective({}, {"hu": hu, "mask": mask})
    np.testing.assert_allclose(out.score * out.counts, [2 * 2 / 6, 0.0])
    np.testing.assert_array_equal(out.counts, [1.0, 0.0])


def test_diverging_loss_stops_with_the_last_good_checkpoint_named(tmp_path):
    fit(tmp_path, loop.LoopOptions(epochs=1, batch=4, seed=1, flip=False))
    data = toy()
    data["hu"][3] = np.inf
    with pytest.raises(InputError, match=r"the loss is nan in epoch 2 .*checkpoint is that of epoch 1"):
        fit(tmp_path, OPTIONS, data)
    with checkpoints.open_manager(tmp_path / "checkpoints") as manager:
        assert manager.latest_step() == 1


def shuffled(data, seed):
    return next(loop.batches(data, len(data["hu"]), np.random.default_rng(seed), flip=True))


def test_order_depends_on_the_generator_alone_and_keeps_pairs_together():
    data = {"hu": np.arange(24.0).reshape(6, 2, 2), "label": np.arange(6)}
    a, b = (shuffled(data, [3, 1]) for _ in range(2))
    np.testing.assert_array_equal(a["hu"], b["hu"])
    np.testing.assert_array_equal(a["hu"].min(axis=(1, 2)), 4 * a["label"])
    assert sorted(a["label"]) == list(range(6))
    assert list(a["label"]) != list(range(6))


def test_image_and_mask_are_mirrored_together_and_the_data_stay_as_they_are():
    images = np.random.default_rng(0).normal(size=(20, 4, 4))
    before = images.copy()
    out = shuffled({"hu": images, "mask": images > 0}, 0)
    np.testing.assert_array_equal(out["hu"] > 0, out["mask"])
    assert not np.array_equal(np.sort(out["hu"][:, 0, 0]), np.sort(images[:, 0, 0]))
    np.testing.assert_array_equal(images, before)


def test_every_example_stands_once_per_epoch_whatever_the_batch():
    data = {"hu": np.zeros((7, 2, 2)), "label": np.arange(7)}
    parts = list(loop.batches(data, 3, np.random.default_rng(1)))
    seen = np.concatenate([part["label"][part["weight"] > 0] for part in parts])
    assert sorted(seen) == list(range(7))
    assert all(len(part["label"]) == 3 for part in parts)


PARALLEL = """
import sys
import wsns, jax, jax.numpy as jnp, numpy as np
from wsns.models.vgg import VGG
from wsns.models.preprocess import LUNG, prepare
from wsns.training import objectives, step as steps
assert jax.local_device_count() == int(sys.argv[1])
module = VGG(gaps=1, width=1/16)
def ready(hu): return prepare(hu, size=32, window=(-1000, 400), preprocessing=LUNG)
objective = objectives.classification(lambda p, x: module.apply({"params": p}, x), ready)
optimiser = objectives.sgd(0.1, 0.99, 3, 0.9, 0.1)
params = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
n = jax.local_device_count()
state = steps.replicate(steps.init_state(params, optimiser), n)
train, check = steps.make_train_step(objective, optimiser), steps.make_eval_step(objective)
rng = np.random.default_rng(0)
hu = rng.uniform(-1000, 400, (8, 32, 32)).astype(np.float32)
batch = {"hu": hu, "label": np.arange(8, dtype=np.int32) % 2, "weight": np.array([1]*7 + [0], np.float32)}
for _ in range(3):
    state, means = train(state, steps.shard(batch, n))
print(float(steps.unreplicate(means)["loss"]))
final = steps.means(steps.unreplicate(check(state.params, steps.shard(batch, n))))
print(final["loss"], final["score"])
print(float(sum(np.abs(leaf).sum() for leaf in jax.tree.leaves(steps.unreplicate(state.params)))))
"""


def test_two_devices_equal_one():
    results = []
    for devices in (1, 2):
        env = os.environ | {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_PLATFORMS": "cpu",
        }
        run = subprocess.run(
            [sys.executable, "-c", PARALLEL, str(devices)], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr[-2000:]
        results.append([float(value) for value in run.stdout.split()])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4)


def test_batch_that_devices_cannot_share_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 3)
    with pytest.raises(InputError, match="batch=4 can't be divided among 3 devices"):
        fit(tmp_path)


def test_small_vgg_overfits_a_batch():
    """Bright squares against none: the loss of a 1/16-width 3-GAP falls to nearly nothing."""
    rng = np.random.default_rng(0)
    hu = rng.normal(size=(8, 32, 32)).astype(np.float32) * 0.1
    label = (np.arange(8) % 2).astype(np.int32)
    hu[label == 1, 8:16, 8:16] += 2
    module = VGG(gaps=3, width=1 / 16, pool="mean")

    def images(values):
        return jnp.repeat(values[..., None], 3, axis=-1)

    params = jax.jit(module.init)(jax.random.key(0), images(hu))["params"]
    optimiser = optax.adam(3e-3)
    train = steps.make_train_step(
        objectives.classification(lambda p, x: module.apply({"params": p}, x), images), optimiser
    )
    state = steps.replicate(steps.init_state(params, optimiser), 1)
    batch = steps.shard({"hu": hu, "label": label, "weight": np.ones(8, np.float32)}, 1)
    losses = []
    for _ in range(60):
        state, means = train(state, batch)
        losses.append(float(steps.unreplicate(means)["loss"]))
    assert losses[0] > 0.5
    assert losses[-1] < 0.01
