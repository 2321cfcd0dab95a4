import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import ROOT
from training_cases import linear, prepare, start, toy

from wsns.models.unet import UNet
from wsns.models.vgg_gap import VGG
from wsns.training import batching, loop
from wsns.training import losses as objectives
from wsns.training import step as steps
from wsns.training.augment import augment

OBJECTIVE = objectives.classification(linear, prepare)
PARAMS = {"classifier": jnp.float32(0.3), "conv1_1": jnp.float32(0.1)}


def one_step(data, batch, portions=1, augmentation=None):
    """Returns state and figures after one step over all of `data`."""
    optimiser = objectives.sgd(1.0, 0.99, 3, 0.9, 0.1, ("conv1_1",))
    step = steps.make_train_step(OBJECTIVE, optimiser, portions=portions, augmentation=augmentation)
    examples = batching.Feed(batching.InMemory(data), batch, portions)
    (part,) = examples.batches(np.arange(examples.count))
    state, shown = step(steps.place(steps.init_state(PARAMS, optimiser), 1), part, examples.data)
    return jax.tree.map(np.asarray, (steps.unreplicate(state), steps.unreplicate(shown)))


def test_padding_does_not_count():
    data = toy(5)
    examples = batching.Feed(batching.InMemory(data), 4)
    padded = loop.evaluate(steps.make_eval_step(OBJECTIVE), steps.replicate(PARAMS, 1), examples)
    exact = OBJECTIVE(PARAMS, data)
    np.testing.assert_allclose(padded["loss"], exact.loss.mean(), rtol=1e-6)
    np.testing.assert_allclose(padded["score"], exact.score.mean(), rtol=1e-6)


def test_a_step_is_that_of_optax_on_the_mean_loss():
    data = toy(6)
    state, shown = one_step(data, 8)
    gradients = jax.grad(lambda p: OBJECTIVE(p, data).loss.mean())(PARAMS)
    np.testing.assert_allclose(state.params["classifier"], 0.3 - gradients["classifier"], rtol=1e-5)
    np.testing.assert_allclose(state.params["conv1_1"], 0.1 - 0.1 * gradients["conv1_1"], rtol=1e-5)
    np.testing.assert_allclose(shown["gradient_norm"], optax.tree.norm(gradients), rtol=1e-5)
    np.testing.assert_allclose(shown["loss"], OBJECTIVE(PARAMS, data).loss.mean(), rtol=1e-6)
    assert state.sums["examples"] == 6
    assert state.step == 1


@pytest.mark.parametrize("portions", [2, 3, 6])
def test_portions_add_up_to_the_same_step(portions):
    """Padding falls into the last portion; mirroring and shifting belong to the place in the batch."""

    def moved(images, key, position):
        return augment(images, key, position, flip=True, shift=2)

    whole = one_step(toy(5), 6, augmentation=moved)
    parts = one_step(toy(5), 6, portions, augmentation=moved)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), parts, whole)


def test_placed_copies_stay_what_they_were():
    tree = {"a": np.arange(3), "b": np.float32(2)}
    placed = steps.place(tree, 1)
    assert placed["a"].shape == (1, 3)
    jax.tree.map(np.testing.assert_array_equal, steps.unreplicate(placed), tree)


PARALLEL = """
import sys
import wsns, jax, jax.numpy as jnp, numpy as np
from wsns.models.vgg_gap import VGG
from wsns.models.preprocess import LUNG, prepare
from wsns.training import batching, loop, losses, step as steps
from wsns.training.augment import augment
n = jax.local_device_count()
assert n == int(sys.argv[1])
module = VGG(gaps=1, width=1/16)
def ready(hu): return prepare(hu, size=32, window=(-1000, 400), preprocessing=LUNG)
objective = losses.classification(lambda p, x: module.apply({"params": p}, x), ready)
optimiser = losses.sgd(0.1, 0.99, 3, 0.9, 0.1, ("conv1_1", "conv1_2"))
params = module.init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 32, 32, 3)))["params"]
state = steps.place(steps.init_state(params, optimiser), n)
def moved(images, key, position): return augment(images, key, position, flip=True, shift=3)
train = steps.make_train_step(objective, optimiser, augmentation=moved, portions=int(sys.argv[2]))
rng = np.random.default_rng(0)
hu = rng.uniform(-1000, 400, (7, 32, 32)).astype(np.float32)
examples = batching.InMemory({"hu": hu, "label": np.arange(7, dtype=np.int32) % 2})
data = batching.Feed(examples, 7, int(sys.argv[2]), resident=n > 1)
for epoch in range(3):
    for part in data.batches(batching.order(0, epoch, 7)):
        state, means = train(state, part, data.data)
print(float(steps.unreplicate(means)["loss"]))
final = loop.evaluate(steps.make_eval_step(objective), state.params, data)
print(final["loss"], final["score"])
print(float(sum(np.abs(leaf).sum() for leaf in jax.tree.leaves(steps.unreplicate(state.params)))))
"""


def on_devices(devices, portions=1):
    """Returns what three steps of batches of seven come to on so many devices."""
    env = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    arguments = [sys.executable, "-c", PARALLEL, str(devices), str(portions)]
    run = subprocess.run(arguments, cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return [float(value) for value in run.stdout.split()]


def test_any_number_of_devices_equals_one():
    """Seven slices, augmented, from the devices' memory or not, on two devices, and on four in two portions."""
    one = on_devices(1)
    np.testing.assert_allclose(on_devices(2), one, rtol=1e-4)
    np.testing.assert_allclose(on_devices(4, 2), one, rtol=1e-4)


def overfit(module, objective, batch, *, rate=3e-3, steps_taken=80):
    """Returns the loss of each step on one batch, over and over."""
    params = first_params(module, batch)
    optimiser = optax.adam(rate)
    train = steps.make_train_step(objective, optimiser)
    data = batching.Feed(batching.InMemory(batch), len(batch["hu"]))
    (part,) = data.batches(np.arange(data.count))
    state, losses = steps.place(steps.init_state(params, optimiser), 1), []
    for _ in range(steps_taken):
        state, shown = train(state, part, data.data)
        losses.append(float(steps.unreplicate(shown)["loss"]))
    return losses


def first_params(module, batch):
    """By the generator that compiles fastest."""
    return module.init(jax.random.key(0, impl="rbg"), images(batch["hu"]))["params"]


def images(hu):
    return jnp.repeat(hu[..., None].astype(jnp.float32), 3, axis=-1)


def squares(n=8):
    """Slices with a bright square, and slices without."""
    rng = np.random.default_rng(0)
    hu = rng.normal(size=(n, 32, 32)).astype(np.float32) * 0.1
    label = (np.arange(n) % 2).astype(np.int32)
    hu[label == 1, 8:16, 8:16] += 2
    return {"hu": hu, "label": label}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_small_vgg_overfits_a_batch(dtype):
    module = VGG(gaps=3, width=1 / 16, dtype=dtype)
    objective = objectives.classification(lambda p, x: module.apply({"params": p}, x), images)
    losses = overfit(module, objective, squares())
    assert losses[0] > 0.5
    assert losses[-1] < 0.01


def test_parameters_and_gradients_stay_float32_in_half_precision():
    module = VGG(gaps=2, width=1 / 16, dtype=jnp.bfloat16)
    batch = squares(2)
    params = first_params(module, batch)
    out = module.apply({"params": params}, images(batch["hu"]))
    assert out.logits.dtype == jnp.float32
    assert {value.dtype for value in out.activations.values()} == {jnp.dtype(jnp.bfloat16)}
    gradients = jax.grad(lambda p: module.apply({"params": p}, images(batch["hu"])).logits.sum())(params)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, gradients))} == {jnp.dtype(jnp.float32)}


def test_half_precision_is_near_single_precision():
    batch = squares(4)
    single, half = (VGG(gaps=3, width=1 / 16, dtype=dtype) for dtype in (jnp.float32, jnp.bfloat16))
    params = first_params(single, batch)
    one, two = (np.asarray(m.apply({"params": params}, images(batch["hu"])).logits) for m in (single, half))
    assert 0 < np.abs(one - two).max() < 0.1 * np.abs(one).max()


@pytest.mark.parametrize(("encoder", "loss"), [("unet", "slice"), ("vgg", "batch")])
def test_small_unet_overfits_a_batch(encoder, loss):
    """Of two slices with a square and one without."""
    module = UNet(width=1 / 16, encoder=encoder, trunk_width=1 / 16)
    objective = objectives.segmentation(lambda p, x: module.apply({"params": p}, x), images, loss)
    batch = squares(4)
    drawn = {"hu": batch["hu"][1:], "nodules": (batch["hu"][1:] > 1).astype(np.uint8)}
    losses = overfit(module, objective, drawn, rate=1e-2, steps_taken=150)
    assert losses[0] > -0.5
    assert losses[-1] < -0.97


def test_start_and_first_sums_are_as_they_should():
    state = steps.init_state(start(), optax.sgd(0.1), 5)
    np.testing.assert_array_equal(state.key, jax.random.key_data(jax.random.key(5)))
    assert all(value == 0 for value in state.sums.values())
