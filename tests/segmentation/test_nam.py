from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.transform import resize

from wsns.errors import InputError
from wsns.models.vgg_gap import VGG
from wsns.segmentation.nam import nam, nodule_weights, read_function, scale_maps

SHAPES = ((6, 6, 5), (12, 12, 4), (24, 24, 3))


def network(gaps, seed=0):
    """Random activations of `gaps` scales, a final layer and its bias."""
    rng = np.random.default_rng(seed)
    maps = tuple(jnp.asarray(rng.random((2, *shape)), jnp.float32) for shape in SHAPES[:gaps])
    features = sum(shape[-1] for shape in SHAPES[:gaps])
    return maps, jnp.asarray(rng.normal(size=(features, 2)), jnp.float32), rng.normal(size=2)


@pytest.mark.parametrize("gaps", [1, 2, 3])
@pytest.mark.parametrize("pool", [np.mean, np.sum])
def test_score_without_bias_is_the_pooled_map(gaps, pool):
    maps, kernel, bias = network(gaps)
    pooled = np.concatenate([pool(np.asarray(m, float), axis=(1, 2)) for m in maps], axis=1)
    scores = pooled @ np.asarray(kernel, float) + bias
    margin = scores[:, 1] - scores[:, 0]
    per_scale = scale_maps(maps, nodule_weights(kernel))
    total = sum(pool(np.asarray(m, float), axis=(1, 2)) for m in per_scale)
    np.testing.assert_allclose(margin - (bias[1] - bias[0]), total, rtol=1e-4, atol=1e-4)


def test_nodule_contrast_explains_the_nodule_score_alone():
    maps, kernel, _ = network(1)
    expected = np.tensordot(np.asarray(maps[0]), np.asarray(kernel)[:, 1], axes=1)
    np.testing.assert_allclose(scale_maps(maps, nodule_weights(kernel, "nodule"))[0], expected, rtol=1e-5)


@pytest.mark.parametrize("gaps", [1, 2, 3])
def test_map_is_the_sum_of_the_enlarged_scales(gaps):
    maps, kernel, _ = network(gaps)
    weights = nodule_weights(kernel)
    expected = sum(
        np.stack([resize(np.asarray(m, float), (48, 48), order=1, mode="edge") for m in scale])
        for scale in scale_maps(maps, weights)
    )
    np.testing.assert_allclose(nam(maps, weights, 48), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gaps", [1, 2, 3])
@pytest.mark.parametrize("pool", ["mean", "sum"])
def test_mean_of_the_enlarged_map_is_the_score(gaps, pool):
    """With sum pooling times the number of the coarsest scale's cells: finer scales count by theirs."""
    maps, kernel, _ = network(gaps)
    weights = nodule_weights(kernel)
    score = sum(getattr(np.asarray(m, float), pool)(axis=(1, 2)) for m in scale_maps(maps, weights))
    factor = 36 if pool == "sum" else 1
    found = nam(maps, weights, 48, pool)
    np.testing.assert_allclose(factor * np.asarray(found, float).mean(axis=(1, 2)), score, rtol=1e-4)


def test_other_poolings_leave_the_scales_as_they_are():
    maps, kernel, _ = network(3)
    weights = nodule_weights(kernel)
    np.testing.assert_array_equal(nam(maps, weights, 48, "lse"), nam(maps, weights, 48))


def test_map_is_signed():
    maps = (jnp.ones((1, 3, 3, 2)),)
    result = nam(maps, nodule_weights(jnp.array([[3.0, 1.0], [0.0, 0.5]])), 12)
    np.testing.assert_allclose(result, np.full((1, 12, 12), -1.5), rtol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("gaps", [1, 2, 3])
def test_the_network_s_margin_is_its_map_pooled(gaps, pool):
    images = jnp.asarray(np.random.default_rng(1).normal(size=(2, 32, 48, 3)), jnp.float32)
    network = VGG(gaps=gaps, width=1 / 16, head_filters=64, pool=pool)
    first = jax.jit(network.init)(jax.random.key(2, impl="rbg"), images)["params"]
    params = jax.tree.map(lambda kernel: 1.5 * kernel, first)
    params["classifier"]["bias"] = jnp.array([0.25, -0.5])
    output = network.apply({"params": params}, images)
    margin = np.asarray(output.logits[:, 1] - output.logits[:, 0], float) + 0.75
    per_scale = scale_maps(output.maps, nodule_weights(params["classifier"]["kernel"]))
    reduce = np.mean if pool == "mean" else np.sum
    total = sum(reduce(np.asarray(scale, float), axis=(1, 2)) for scale in per_scale)
    assert [scale.shape for scale in per_scale] == [(2, 2 * 2**n, 3 * 2**n) for n in range(gaps)]
    assert (abs(margin) > 1e-4).all()
    np.testing.assert_allclose(margin, total, rtol=1e-5, atol=1e-6 * abs(total).max())


def test_reading_composes_preparation_network_and_map():
    maps, kernel, _ = network(2)
    params = {"classifier": {"kernel": kernel}}

    def apply(params, images):
        assert images.shape == (2, 24, 24, 3)
        logits = jnp.array([[0.0, 0.0], [0.0, np.log(3.0)]])
        return SimpleNamespace(logits=logits, maps=tuple(m * images.mean() for m in maps))

    def prepare(hu):
        return jnp.repeat(hu[:, ::2, ::2, None] / 100, 3, axis=-1)

    hu = jnp.full((2, 48, 48), 250.0)
    reading = read_function(apply, prepare, 48)(params, hu)
    np.testing.assert_allclose(reading.nam, 2.5 * nam(maps, nodule_weights(kernel), 48), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(reading.probability, [0.5, 0.75], rtol=1e-6)
    assert reading.kept is None
    summed = read_function(apply, prepare, 48, pool="sum")(params, hu)
    np.testing.assert_allclose(
        summed.nam, 2.5 * nam(maps, nodule_weights(kernel), 48, "sum"), rtol=1e-4, atol=1e-5
    )
    keeping = read_function(apply, prepare, 48, keep=lambda output, images: (output.maps[0], images))
    kept, images = keeping(params, hu).kept
    np.testing.assert_array_equal(kept, maps[0] * images.mean())


def test_unknown_contrast_and_foreign_weights_are_refused():
    maps, kernel, _ = network(2)
    with pytest.raises(InputError, match="contrast"):
        nodule_weights(kernel, "margin")
    with pytest.raises(InputError, match="not of one network"):
        scale_maps(maps[:1], nodule_weights(kernel))
