"""A start from some layers of VGG16: what is there is loaded and named, at the scale that random layers need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vgg_files

from configs import table1
from configs import weights as weights_config
from wsns.errors import InputError
from wsns.models import build, partial, pretrained, vgg
from wsns.models.preprocess import KERAS, TORCHVISION, prepare
from wsns.tasks import weights as task

FIRST = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3")
WRITERS = {
    "h5": vgg_files.write_keras,
    "npz": vgg_files.write_numpy,
    "pth": vgg_files.write_torch,
    "safetensors": vgg_files.write_safetensors,
}


def random_part(names=FIRST):
    layers = vgg_files.random_layers()
    return {name: layers[name] for name in names}


def shapes(module):
    start = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), start)


@pytest.fixture
def real(imagenet_kernels):
    return str(imagenet_kernels / "vgg16_blocks1-3_keras.npz")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_part_is_loaded_from_every_format_and_named(tmp_path, kind):
    layers = random_part()
    WRITERS[kind](tmp_path / f"w.{kind}", layers)
    trunk = pretrained.load_trunk("imagenet-partial", str(tmp_path / f"w.{kind}"))
    scale = partial.SCALE if kind in ("h5", "npz") else 1
    assert list(trunk.layers) == list(FIRST)
    for name in FIRST:
        np.testing.assert_array_equal(trunk.layers[name]["kernel"], layers[name]["kernel"])
        np.testing.assert_array_equal(trunk.layers[name]["bias"] * scale, layers[name]["bias"])
    assert trunk.preprocessing.mean == (KERAS if scale > 1 else TORCHVISION).mean
    assert trunk.name.startswith("part of a VGG16 with other numbers")
    assert trunk.name.endswith("conv1_1 … conv3_3 loaded; conv4_1 … conv5_3 start at random")


def test_real_kernels_are_told_by_their_digests(real):
    trunk = pretrained.load_trunk("imagenet-partial", real)
    assert trunk.name == (
        "part of ImageNet weights (the original VGG16, NumPy format, 8 of 14 arrays to the bit, the others changed): "
        "conv1_1 … conv3_3 loaded, of them conv3_1 … conv3_3 not to the bit; conv4_1 … conv5_3 start at random (the "
        "file has only kernel or bias of conv4_1 … conv5_1, conv5_3)"
    )
    with np.load(real) as file:
        np.testing.assert_array_equal(trunk.layers["conv1_1"]["kernel"], file["block1_conv1/kernel"])
        np.testing.assert_array_equal(trunk.layers["conv3_3"]["kernel"], file["block3_conv3/kernel"])


def test_with_arrays_that_are_all_exact_none_is_said_to_be_changed(tmp_path, imagenet_kernels):
    layers, _ = vgg_files.real_layers(imagenet_kernels)
    vgg_files.write_numpy(tmp_path / "w.npz", {name: layers[name] for name in FIRST[:4]})
    name = pretrained.load_trunk("imagenet-partial", str(tmp_path / "w.npz")).name
    assert "verified to the bit: 8 of 8 arrays): conv1_1 … conv2_2 loaded; conv3_1 … conv5_3 start" in name


def test_each_loaded_layer_computes_what_it_did_divided_by_the_scale(tmp_path):
    layers = random_part(FIRST[:4])
    vgg_files.write_keras(tmp_path / "w.h5", layers)
    trunk = pretrained.load_trunk("imagenet-partial", str(tmp_path / "w.h5"))
    module = vgg.VGG(head_filters=8)
    hu = np.random.default_rng(0).uniform(-1000, 400, (2, 32, 32)).astype(np.float32)

    def answers(layers, preprocessing):
        images = prepare(hu, size=32, window=(-1000, 400), preprocessing=preprocessing)
        return module.apply({"params": shapes(module) | layers}, images).activations

    want, got = answers(layers, KERAS), answers(trunk.layers, trunk.preprocessing)
    for name in FIRST[:4]:
        assert want[name].max() > 10
        np.testing.assert_allclose(got[name] * partial.SCALE, want[name], rtol=1e-3, atol=1e-3)


def test_real_kernels_answer_with_numbers_of_about_one(real):
    """As much as the random layers after them expect."""
    trunk = pretrained.load_trunk("imagenet-partial", real)
    hu = np.random.default_rng(0).uniform(-1000, 400, (1, 32, 32)).astype(np.float32)
    images = prepare(hu, size=32, window=(-1000, 400), preprocessing=trunk.preprocessing)
    module = vgg.VGG(head_filters=8)
    answers = module.apply({"params": shapes(module) | trunk.layers}, images).activations
    assert all(0.1 < answers[name].std() < 4 for name in FIRST[1:])


def test_only_what_is_there_takes_the_place_of_random_numbers(tmp_path):
    vgg_files.write_numpy(tmp_path / "w.npz", random_part())
    config = table1.get_config()
    config.model.update({"start": "imagenet-partial", "weights": str(tmp_path / "w.npz"), "head_filters": 8})
    network = build.build(config, "gap1")
    assert network.loaded == frozenset(FIRST)
    random = jax.tree.map(lambda leaf: leaf + 1, shapes(network.module))
    merged = pretrained.with_trunk(random, network.start)
    for name in merged:
        same = merged[name]["kernel"] is random[name]["kernel"]
        assert same == (name not in FIRST), name
    with pytest.raises(InputError, match=r"conv1_1 is \(3, 3, 3, 64\).*\(3, 3, 3, 8\).*model\.width"):
        pretrained.with_trunk(shapes(vgg.VGG(width=1 / 8)), network.start)


def test_what_is_no_part_is_refused_in_one_line(tmp_path):
    def refused(layers, words):
        vgg_files.write_numpy(tmp_path / "w.npz", layers)
        with pytest.raises(InputError, match=words) as caught:
            partial.read_part(str(tmp_path / "w.npz"))
        assert "\n" not in str(caught.value)

    some = random_part(("conv1_1", "conv1_2"))
    refused(vgg_files.random_layers(), r"holds all 13 convolutions.*model\.start='imagenet'")
    refused({"conv1_2": some["conv1_2"]}, r"no whole conv1_1 \(kernel and bias\)")
    refused({"conv1_1": {"kernel": some["conv1_1"]["kernel"]}}, "no whole conv1_1")
    refused(some | {"conv3_4": some["conv1_2"]}, r"block3_conv4/kernel, which VGG16 doesn't have")
    refused(some | {"conv2_1": some["conv1_2"]}, r"block2_conv1/kernel is \(3, 3, 64, 64\)")
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        partial.read_part(str(tmp_path / "none.npz"))
    with pytest.raises(
        InputError, match=r"model\.start='imagenet-partial': give the file.*model\.weights=PATH"
    ):
        pretrained.load_trunk("imagenet-partial")


def test_a_run_refuses_another_width_and_fetches_nothing(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(task, "fetch_missing", fetched.append)
    config = table1.get_config()
    config.model.start = "imagenet-partial"
    task.ensure(config)
    assert fetched == []
    config.model.width = 1 / 8
    with pytest.raises(InputError, match=r"model\.width=0\.125: ImageNet's weights have VGG16's own width"):
        task.ensure(config)


def test_the_task_weights_says_what_a_part_holds(tmp_path, capsys):
    config = weights_config.get_config()
    path = str(tmp_path / "w.npz")
    config.model.update({"start": "imagenet-partial", "weights": path})
    vgg_files.write_numpy(path, random_part(("conv1_1", "conv1_2", "conv2_2")))
    task.weights(config, tmp_path)
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["layers"] == "3, conv1_1 … conv1_2, conv2_2, 186,304 parameters"
    assert rows["use"] == f"--config.model.start=imagenet-partial --config.model.weights={path}"


def test_runs_of_layers_are_named_by_their_ends():
    assert partial.spans(()) == ""
    assert partial.spans({"conv5_3"}) == "conv5_3"
    assert partial.spans({"conv2_1", "conv1_2", "conv1_1", "conv3_3", "conv5_1"}) == (
        "conv1_1 … conv2_1, conv3_3, conv5_1"
    )
