import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from configs import demo, table1
from wsns.errors import InputError
from wsns.models import factory, preprocess, size, vgg_gap
from wsns.models.unet import UNet

# 14,714,688 for VGG16 up to conv5_3; each head a 3x3 convolution to 1,024 filters; two outputs.
PARAMETERS = {
    1: 14_714_688 + (9 * 512 + 1) * 1024 + 1024 * 2 + 2,
    2: 14_714_688 + 2 * (9 * 512 + 1) * 1024 + 2048 * 2 + 2,
    3: 14_714_688 + 2 * (9 * 512 + 1) * 1024 + (9 * 256 + 1) * 1024 + 3072 * 2 + 2,
}
# Counted layer by layer: two convolutions a level, one after each resize, one to
# the output; scale and offset of the normalisations.
UNET_PARAMETERS = 34_525_121


# Two per multiplication, by side of the map and channels before and after: block by block, then the heads.
TRUNK_FLOPS = 18 * (
    384**2 * (3 * 64 + 64 * 64)
    + 192**2 * (64 * 128 + 128 * 128)
    + 96**2 * (128 * 256 + 2 * 256 * 256)
    + 48**2 * (256 * 512 + 2 * 512 * 512)
    + 24**2 * 3 * 512 * 512
)
HEAD_FLOPS = (18 * 24**2 * 512 * 1024, 18 * 48**2 * 512 * 1024, 18 * 96**2 * 256 * 1024)


@pytest.mark.parametrize("gaps", [1, 2, 3])
def test_full_width_network_has_the_size_of_vgg16_and_its_heads(gaps):
    network = factory.build(paper(), f"gap{gaps}")
    assert size.parameters(network.module, 384) == PARAMETERS[gaps]
    assert size.flops(network.module, 384) == TRUNK_FLOPS + sum(HEAD_FLOPS[:gaps]) + 2 * gaps * 1024 * 2


def test_full_width_unet_has_its_size():
    """Level by level: down, and up again with the skip beside what comes from below."""
    module = factory.build(paper(), "unet").module
    assert size.parameters(module, 384) == UNET_PARAMETERS
    filters = (3, 64, 128, 256, 512, 1024)
    total = 0
    for level in range(5):
        before, own = filters[level : level + 2]
        here = before * own + own * own
        if level < 4:
            here += 2 * own * own + 2 * own * own + own * own
        total += 18 * (384 // 2**level) ** 2 * here
    assert size.flops(module, 384) == total + 2 * 384**2 * 64


@pytest.mark.parametrize("name", factory.MODELS)
def test_operations_are_those_that_xla_counts(name):
    """XLA leaves out what falls on the padding, and counts additions, normalisation and pooling."""
    module = factory.build(paper(), name).module
    images = jax.ShapeDtypeStruct((1, 384, 384, 3), jnp.float32)
    params = jax.eval_shape(module.init, jax.random.key(0), images)
    counted = jax.jit(module.apply).lower(params, images).cost_analysis()["flops"]
    assert size.flops(module, 384) == pytest.approx(counted, rel=0.04)


@pytest.mark.parametrize(
    ("name", "parameters"), [("gap1", 304_682), ("gap2", 378_794), ("gap3", 416_042), ("unet", 304_801)]
)
def test_the_demos_networks_have_their_size(name, parameters):
    config = demo.get_config()
    assert size.parameters(factory.build(config, name).module, config.model.size) == parameters


def paper():
    """The paper's config, with a start that needs no file."""
    config = table1.get_config()
    config.model.start = "random"
    return config


def test_heads_have_the_strides_of_their_blocks():
    module = vgg_gap.VGG(gaps=3, width=1 / 16)
    images = jnp.zeros((2, 64, 96, 3))
    out = module.apply(module.init(jax.random.key(0), images), images)
    assert [m.shape for m in out.maps] == [(2, 4, 6, 64), (2, 8, 12, 64), (2, 16, 24, 64)]
    assert out.logits.shape == (2, 2)
    assert {"conv1_1", "conv2_2", "conv3_3", "conv5_3", "gap5", "gap4", "gap3"} <= set(out.activations)


@pytest.mark.parametrize("pool", ["mean", "sum"])
def test_score_is_the_pooled_and_weighted_map(pool):
    module = vgg_gap.VGG(gaps=2, width=1 / 16, pool=pool)
    images = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    variables = module.init(jax.random.key(0), images)
    out = module.apply(variables, images)
    dense = variables["params"]["classifier"]
    pooled = np.concatenate([getattr(np.asarray(m), pool)(axis=(1, 2)) for m in out.maps], axis=-1)
    np.testing.assert_allclose(out.logits, pooled @ dense["kernel"] + dense["bias"], rtol=1e-4, atol=1e-5)


def test_log_mean_exp_lies_between_mean_and_maximum():
    x = jax.random.normal(jax.random.key(0), (3, 5, 7, 4))
    pooled = vgg_gap.global_pool(x, "lse")
    assert (pooled > x.mean(axis=(1, 2))).all()
    assert (pooled < x.max(axis=(1, 2))).all()
    np.testing.assert_allclose(vgg_gap.global_pool(jnp.full((1, 3, 3, 2), 5.0), "lse"), 5.0, rtol=1e-6)


def test_a_pooling_is_one_of_the_table_and_no_other_word():
    x = jax.random.normal(jax.random.key(0), (3, 5, 7, 4))
    for word, pool in vgg_gap.POOLS.items():
        np.testing.assert_array_equal(vgg_gap.global_pool(x, word), pool.function(x))
    with pytest.raises(InputError, match="pool is 'nonsense'"):
        vgg_gap.global_pool(x, "nonsense")


def test_max_pool_equals_flax():
    x = jax.random.normal(jax.random.key(0), (2, 6, 8, 3))
    np.testing.assert_array_equal(vgg_gap.max_pool(x), nn.max_pool(x, (2, 2), (2, 2)))


@pytest.mark.parametrize("encoder", ["unet", "vgg"])
def test_unet_keeps_the_size(encoder):
    module = UNet(width=1 / 32, encoder=encoder, trunk_width=1 / 32)
    out, _ = jax.eval_shape(module.init_with_output, jax.random.key(0), jnp.zeros((2, 32, 48, 3)))
    assert out.shape == (2, 32, 48)


def test_prepare_windows_reduces_and_normalises():
    hu = np.full((1, 4, 4), -1000, np.int16)
    hu[0, :2, :2] = [[400, 400], [400, 3000]]
    keras = preprocess.prepare(hu, size=2, window=(-1000, 400), preprocessing=preprocess.KERAS)
    assert keras.shape == (1, 2, 2, 3)
    np.testing.assert_allclose(keras[0, 0, 0], 255 - np.array(preprocess.KERAS.mean), rtol=1e-6)
    np.testing.assert_allclose(keras[0, 1, 1], -np.array(preprocess.KERAS.mean), rtol=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("preprocessing", [preprocess.KERAS, preprocess.TORCHVISION, preprocess.LUNG])
def test_prepare_gives_each_of_three_slices_a_channel(factor, preprocessing):
    hu = np.random.default_rng(0).integers(-1200, 600, (2, 3, 12, 12)).astype(np.int16)
    given = {"size": 12 // factor, "window": (-1000, 400), "preprocessing": preprocessing}
    images = preprocess.prepare(hu, **given)
    for channel in range(3):
        alone = preprocess.prepare(hu[:, channel], **given)[..., channel]
        np.testing.assert_allclose(images[..., channel], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "channels", "neighbours", "word"),
    [
        ("gap1", "neighbors", 3.0, "'same' or 'neighbours'"),
        ("unet", "rgb", 3.0, "'same' or 'neighbours'"),
        ("gap1", "neighbours", 0.0, "set config.data.neighbours"),
        ("unet", "neighbours", 0.0, "set config.data.neighbours"),
    ],
)
def test_channels_that_cannot_be_are_refused(name, channels, neighbours, word):
    config = demo.get_config()
    config.model.channels, config.data.neighbours = channels, neighbours
    with pytest.raises(InputError, match=word):
        factory.build(config, name)


def test_a_start_with_heads_is_refused_for_other_channels_than_its_own():
    config = demo.get_config()
    config.data.neighbours, config.model.channels = 0.0, "same"
    with pytest.raises(
        InputError, match=r"'same': the patches start was made with 'neighbours'; make another"
    ):
        factory.build(config, "gap1")
    config.model.start = "shapes"
    factory.build(config, "gap1")


def test_unet_with_the_trunk_starts_as_the_weak_networks_do():
    config = demo.get_config()
    config.unet.encoder = "vgg"
    networks = {name: factory.build(config, name) for name in ("gap1", "unet")}
    weak, unet = (network.first_params(0, 32) for network in networks.values())
    trunk = set(weak) & set(unet)
    assert trunk == networks["gap1"].loaded == networks["unet"].loaded
    assert len(trunk) == 13
    for layer in trunk:
        jax.tree.map(np.testing.assert_array_equal, weak[layer], unet[layer])
    assert not any(layer.startswith("gap") for layer in unet)
    config.unet.encoder = "unet"
    assert not factory.build(config, "unet").loaded


def test_all_networks_see_the_same_channels():
    hu = np.random.default_rng(0).integers(-1000, 400, (1, 3, 384, 384)).astype(np.int16)
    config = demo.get_config()
    for encoder in ("unet", "vgg"):
        config.unet.encoder = encoder
        images = [factory.build(config, name).prepare(hu) for name in ("gap3", "unet")]
        np.testing.assert_array_equal(*images)
        assert images[0].shape == (1, 192, 192, 3)


def test_prepare_refuses_a_size_without_whole_factor():
    with pytest.raises(ValueError, match="no whole factor"):
        preprocess.prepare(np.zeros((1, 48, 48)), size=32, window=(0, 1), preprocessing=preprocess.LUNG)


def test_xla_reduces_right():
    """jaxlib 0.10.2 returned 0.8 % less without the flag that `import wsns` sets (jax issue 39103)."""
    rows = jnp.ones((32769, 3)) * 104.5
    result = jax.jit(jax.vmap(lambda row: jnp.sum(jnp.square(jnp.eye(3) @ row))))(rows)
    np.testing.assert_allclose(result, 3 * 104.5**2, rtol=1e-6)


def test_jitted_gradient_equals_the_eager_one():
    module = vgg_gap.VGG(gaps=1, width=1 / 16, pool="lse")
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    params = jax.jit(module.init)(jax.random.key(0), images)["params"]

    def loss(p):
        return (module.apply({"params": p}, images).logits ** 2).sum()

    jitted = jax.jit(jax.grad(loss))(params)
    with jax.disable_jit():
        eager = jax.grad(loss)(params)
    for a, b in zip(jax.tree.leaves(jitted), jax.tree.leaves(eager), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-6)
