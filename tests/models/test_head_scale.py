"""Heads at unit scale: the constants belong to the weights, change no map's linearity, and let training begin."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import vgg_files

from configs import demo, table1
from wsns.data.synthetic import patches, scanner
from wsns.errors import InputError
from wsns.models import factory, head_scale
from wsns.models.conv import FACTOR
from wsns.models.preprocess import LUNG
from wsns.models.vgg_gap import VGG
from wsns.segmentation.nam import nodule_weights, scale_maps
from wsns.training import batching, losses
from wsns.training import step as steps

SIZE = 64


def config(path, size=SIZE, **model):
    own = table1.get_config()
    own.model.update({"weights": str(path), "size": size, "head_filters": 16, **model})
    own.data.crop = size
    return own


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights whose layers answer in thousands, whoever's they are."""
    layers = vgg_files.random_layers()
    layers["conv1_1"] = {part: 30 * array for part, array in layers["conv1_1"].items()}
    path = tmp_path_factory.mktemp("weights") / "w.h5"
    vgg_files.write_keras(path, layers)
    return path


@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_each_head_sees_its_source_at_unit_scale(weights, name):
    network = factory.build(config(weights), name)
    params = network.first_params(0, SIZE)
    hu = head_scale.reference_slices(SIZE, 1)
    seen = network.apply(params, network.prepare(hu)).activations
    heads = sorted((head for head in params if head.startswith("gap")), reverse=True)
    assert len(heads) == int(name[-1])
    for head in heads:
        source = np.asarray(seen[f"conv{head[-1]}_3"])
        assert np.sqrt(np.square(source).mean()) > 20
        assert np.sqrt(np.square(source * params[head][FACTOR]).mean()) == pytest.approx(1, rel=0.01)


def test_the_constant_is_a_factor_on_the_heads_input_and_nothing_else(weights):
    plain = factory.build(config(weights, head_scale="none"), "gap2").first_params(0, SIZE)
    network = factory.build(config(weights), "gap2")
    params = network.first_params(0, SIZE)
    by_hand = {
        layer: {part: value for part, value in parts.items() if part != FACTOR}
        for layer, parts in params.items()
    }
    jax.tree.map(np.testing.assert_array_equal, plain, by_hand)
    for head in ("gap5", "gap4"):
        by_hand[head]["kernel"] = by_hand[head]["kernel"] * params[head][FACTOR]
    images = network.prepare(head_scale.reference_slices(SIZE, 1))
    got, want = network.apply(params, images), network.apply(by_hand, images)
    np.testing.assert_allclose(got.logits, want.logits, rtol=1e-4)


def test_the_score_is_still_the_mean_of_the_maps(weights):
    network = factory.build(config(weights), "gap3")
    params = network.first_params(0, SIZE)
    output = network.apply(params, network.prepare(head_scale.reference_slices(SIZE, 1)[:2]))
    maps = scale_maps(output.maps, nodule_weights(params["classifier"]["kernel"]))
    margin = output.logits[:, 1] - output.logits[:, 0]
    np.testing.assert_allclose(sum(m.mean(axis=(1, 2)) for m in maps), margin, rtol=1e-4, atol=1e-5)


def test_training_leaves_the_constant_as_it_is():
    module = VGG(gaps=1, width=1 / 16, head_filters=16)
    params = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    params["gap5"] = params["gap5"] | {FACTOR: jnp.float32(0.37)}
    optimiser = losses.sgd(1e-2, 0.9, 1, 0.9, 0.1, ())
    state = optimiser.init(params)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    slope = jax.jit(jax.grad(lambda p: module.apply({"params": p}, images).logits[:, 1].sum()))
    for _ in range(3):
        gradient = slope(params)
        updates, state = optimiser.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    assert params["gap5"][FACTOR] == np.float32(0.37)


def test_rms_is_that_of_numpy_and_a_silent_source_keeps_its_scale():
    layers = vgg_files.random_layers()
    for layer in ("conv5_3",):
        layers[layer] = {"kernel": np.zeros_like(layers[layer]["kernel"]), "bias": np.zeros(512, np.float32)}
    rms = head_scale.source_rms(layers, LUNG, size=32, factor=1, window=(-1000.0, 400.0))
    assert rms["gap5"] == 0
    assert head_scale.factors(rms)["gap5"][FACTOR] == 1
    assert head_scale.factors({"gap3": 4.0})["gap3"][FACTOR] == 0.25
    assert rms["gap4"] > 0
    assert head_scale.words({"gap5": 5.66, "gap4": 66.2}) == "conv5_3 5.66, conv4_3 66.2"


def test_embedded_and_random_starts_have_no_constant():
    own = demo.get_config()
    for start in ("patches", "random"):
        own.model.start = start
        network = factory.build(own, "gap1")
        assert network.head_rms() == {}
        assert FACTOR not in network.first_params(0, 32)["gap5"]


def test_another_word_is_one_line(weights):
    with pytest.raises(InputError, match=r"config\.model\.head_scale='rms': choose"):
        factory.build(config(weights, head_scale="rms"), "gap1")


def test_the_real_trunk_answers_in_hundreds(vgg16):
    """The scale without which 2- and 3-GAP diverge, as five real LIDC scans have it too (5.4, 67, 390)."""
    trunk = factory.pretrained.load_trunk("imagenet", str(vgg16))
    how = {"size": 384, "factor": 1, "window": (-1000.0, 400.0)}
    rms = head_scale.source_rms(trunk.layers, trunk.preprocessing, **how)
    assert rms == {
        head: pytest.approx(value, rel=0.1) for head, value in (("gap5", 5.5), ("gap4", 66), ("gap3", 370))
    }


def first_steps(path, name, scale, size, count, batch, hu, label):
    """Losses and gradient norms of the first steps at the paper's rates."""
    own = config(path, size=size, head_scale=scale, head_filters=1024)
    network = factory.build(own, name)
    settings = own.train
    optimiser = losses.sgd(
        settings.rates[int(name[-1]) - 1], settings.decay, 100, settings.momentum, settings.trunk_factor, network.loaded
    )  # fmt: skip
    train_step = steps.make_train_step(losses.classification(network.apply, network.prepare), optimiser)
    data = batching.Feed(batching.InMemory({"hu": hu, "label": label}), batch)
    state = steps.place(steps.init_state(network.first_params(0, size), optimiser), jax.local_device_count())
    shown = []
    while len(shown) < count:
        for part in data.batches(batching.order(0, len(shown), len(hu))):
            state, values = train_step(state, part, data.data)
            shown.append(
                [float(value) for value in steps.unreplicate([values["loss"], values["gradient_norm"]])]
            )
    return np.array(shown[:count])


@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_the_papers_networks_begin_to_train_from_the_real_weights(vgg16, name):
    """Full width, five steps at the paper's rates; without the constants 2- and 3-GAP leave at once."""
    hu = np.concatenate([head_scale.reference_slices(SIZE, 1), head_scale.reference_slices(SIZE, 1)[:, ::-1]])
    label = (np.arange(len(hu)) % 2).astype(np.int32)
    shown = first_steps(vgg16, name, "unit", SIZE, 5, 4, hu, label)
    assert np.isfinite(shown).all()
    assert shown[:, 0].max() < 6
    assert (shown[:, 1] > 1e-2).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_sixty_steps_at_full_size(vgg16, name):
    """Full width, 384 pixels, the paper's rates: the loss falls below its start and no unit of a head has died."""
    drawn = patches.patches(1, 2, size=384, factor=1, looks=scanner.Ranges())
    label = drawn.mask.any(axis=(1, 2)).astype(np.int32)
    some = np.r_[np.flatnonzero(label == 0)[::5][:6], np.flatnonzero(label)[::5][:6]]
    shown = first_steps(vgg16, name, "unit", 384, 60, 4, drawn.hu[some], label[some])
    assert np.isfinite(shown).all()
    assert shown[-9:, 0].mean() < shown[:3, 0].mean()
    assert np.median(shown[-9:, 1]) > 1e-2
