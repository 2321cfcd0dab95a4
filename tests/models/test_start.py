import dataclasses
import json
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vgg_files

from wsns.errors import InputError
from wsns.models import vgg_gap
from wsns.models.conv import FACTOR
from wsns.models.preprocess import KERAS, LUNG, TORCHVISION
from wsns.models.weights import embedded, files
from wsns.models.weights import start as pretrained
from wsns.models.weights.files import LAYERS


def zeros(module):
    """Parameters of a network's shapes, without the seconds that random ones take."""
    start = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), start)


@pytest.mark.parametrize("kind", ["h5", "pth", "safetensors"])
def test_trunk_carries_the_layers_and_the_preprocessing_of_its_file(tmp_path, kind):
    layers = vgg_files.random_layers()
    path = tmp_path / f"w.{kind}"
    {
        "h5": vgg_files.write_keras,
        "pth": vgg_files.write_torch,
        "safetensors": vgg_files.write_safetensors,
    }[kind](path, layers)
    trunk = pretrained.load_trunk("imagenet", str(path))
    assert trunk.preprocessing == (KERAS if kind == "h5" else TORCHVISION)
    jax.tree.map(np.testing.assert_array_equal, trunk.layers, layers)
    assert "not known to be ImageNet's" in trunk.name


def test_trunk_with_real_kernels_says_what_was_verified(tmp_path, imagenet_kernels):
    layers, exact = vgg_files.real_layers(imagenet_kernels)
    vgg_files.write_keras(tmp_path / "w.h5", layers)
    trunk = pretrained.load_trunk("imagenet", str(tmp_path / "w.h5"))
    assert trunk.preprocessing == KERAS
    assert trunk.name == (
        "ImageNet weights (the original VGG16, Keras format, 9 of 26 arrays to the bit, the others changed)"
    )
    assert sorted(pretrained.read_imagenet(str(tmp_path / "w.h5")).exact) == sorted(exact)


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "w.h5"
    vgg_files.write_keras(path, vgg_files.random_layers(0))
    reads = []
    read = files.read
    monkeypatch.setattr(files, "read", lambda path: reads.append(path) or read(path))
    first = pretrained.load_trunk("imagenet", str(path)).layers
    assert pretrained.load_trunk("imagenet", str(path)).layers is first
    assert len(reads) == 1
    path.unlink()
    changed = vgg_files.random_layers(1)
    vgg_files.write_keras(path, changed)
    os.utime(path, ns=(1, 1))
    again = pretrained.load_trunk("imagenet", str(path)).layers
    np.testing.assert_array_equal(again["conv5_3"]["kernel"], changed["conv5_3"]["kernel"])


def test_with_trunk_replaces_the_trunk_only(tmp_path):
    params = zeros(vgg_gap.VGG(width=1 / 16))
    packed = tmp_path / "trunk.npz"
    made_by = {"patches": 1, "version": 1}
    packed.write_bytes(embedded.pack(jax.tree.map(jnp.ones_like, params), made_by, heads=False))
    merged = pretrained.with_trunk(params, pretrained.load_trunk("shapes", str(packed)))
    assert all((merged[layer]["kernel"] == 1).all() for layer in LAYERS)
    for layer in ("gap5", "classifier"):
        np.testing.assert_array_equal(merged[layer]["kernel"], params[layer]["kernel"])


def test_trunk_of_another_width_is_refused(tmp_path):
    vgg_files.write_keras(tmp_path / "w.h5", vgg_files.random_layers())
    trunk = pretrained.load_trunk("imagenet", str(tmp_path / "w.h5"))
    params = zeros(vgg_gap.VGG(width=1 / 8))
    with pytest.raises(InputError, match=r"conv1_1 is \(3, 3, 3, 64\).*\(3, 3, 3, 8\).*model\.width"):
        pretrained.with_trunk(params, trunk)


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "IMAGENET_FILE", tmp_path / "weights" / "w.h5")
    with pytest.raises(
        InputError, match=r"weights/w\.h5: no such file.*configs/weights\.py.*model\.weights="
    ):
        pretrained.load_trunk("imagenet", "")
    with pytest.raises(InputError, match=r"mine\.h5: no such file"):
        pretrained.load_trunk("imagenet", str(tmp_path / "mine.h5"))
    with pytest.raises(InputError, match=r"model\.start='magic'"):
        pretrained.load_trunk("magic")


def test_weights_lie_in_the_checkout_by_default():
    assert (pretrained.IMAGENET_FILE.parents[1] / "main.py").is_file()
    assert pretrained.IMAGENET_FILE.name == pretrained.KERAS_FILE


def test_a_random_start_has_no_layers():
    trunk = pretrained.load_trunk("random")
    assert trunk.layers == {}
    assert trunk.preprocessing == LUNG


def test_another_file_in_the_place_of_a_shapes_trunk_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file; make it with"):
        pretrained.load_trunk("shapes", str(tmp_path / "none.npz"))
    vgg_files.write_keras(tmp_path / "w.h5", vgg_files.random_layers())
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(_file("shapes").read_bytes()[:1000])
    for name in ("w.h5", "other.npz", "cut.npz"):
        with pytest.raises(InputError, match=rf"{name}: is no start on shapes; make it with"):
            pretrained.load_trunk("shapes", str(tmp_path / name))


@pytest.mark.parametrize("start", embedded.STARTS)
@pytest.mark.parametrize("gaps", [1, 3])
def test_embedded_starts_fit_the_demo_and_say_what_they_are(start: str, gaps: int):
    trunk = pretrained.load_trunk(start)
    params = zeros(vgg_gap.VGG(gaps=gaps, width=1 / 8))
    merged = pretrained.with_trunk(params, trunk)
    assert jax.tree.map(jnp.shape, merged) == jax.tree.map(jnp.shape, params)
    assert np.isfinite(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(merged)])).all()
    assert "not ImageNet" in trunk.name
    assert _file(start).stat().st_size < 4 * 2**20


def test_heads_come_with_their_part_of_the_classifier(tmp_path):
    made_by = {"patches": 1, "version": 1, "channels": "same"}
    three = zeros(vgg_gap.VGG(gaps=3, width=1 / 16))
    three["classifier"]["kernel"] = jnp.arange(3 * 64 * 2, dtype=jnp.float32).reshape(-1, 2)
    (tmp_path / "p.npz").write_bytes(embedded.pack(three, made_by, heads=True))
    trunk = pretrained.load_trunk("patches", str(tmp_path / "p.npz"))
    one = pretrained.with_trunk(zeros(vgg_gap.VGG(gaps=1, width=1 / 16)), trunk)
    assert "gap4" not in one
    np.testing.assert_array_equal(one["classifier"]["kernel"], np.arange(128.0).reshape(64, 2))
    whole = pretrained.with_trunk(three, trunk)
    np.testing.assert_array_equal(whole["classifier"]["kernel"], three["classifier"]["kernel"])


def test_a_start_made_from_imagenet_keeps_its_preprocessing_and_the_heads_scale(tmp_path):
    params = zeros(vgg_gap.VGG(gaps=1, width=1 / 16))
    params["gap5"] = params["gap5"] | {FACTOR: jnp.float32(0.25)}
    made_by = {"patches": 7, "version": 1, "channels": "same", "after": "ImageNet weights (mine)",
               "preprocessing": json.loads(json.dumps(dataclasses.asdict(KERAS)))}  # fmt: skip
    (tmp_path / "p.npz").write_bytes(embedded.pack(params, made_by, heads=True))
    trunk = pretrained.load_trunk("patches", str(tmp_path / "p.npz"))
    assert trunk.preprocessing == KERAS
    assert "ImageNet weights (mine): 7 patches" in trunk.name
    assert "not ImageNet" not in trunk.name
    assert pretrained.with_trunk(zeros(vgg_gap.VGG(gaps=1, width=1 / 16)), trunk)["gap5"][FACTOR] == 0.25
    assert FACTOR not in pretrained.with_trunk(params, pretrained.load_trunk("random"))["conv1_1"]


def _file(start: str) -> pathlib.Path:
    return pathlib.Path(embedded.__file__).with_name(embedded.STARTS[start].file)


def test_real_kernels_have_the_layout_that_flax_expects(imagenet_kernels):
    """The real conv1_1 and conv1_2 through Flax equal a correlation written out with NumPy."""
    file = np.load(imagenet_kernels / "vgg16_blocks1-3_keras.npz")
    kernel, bias = file["block1_conv1/kernel"], file["block1_conv1/bias"]
    module = vgg_gap.VGG(head_filters=8)
    image = np.random.default_rng(0).uniform(-100, 100, (1, 16, 16, 3)).astype(np.float32)
    params = zeros(module)
    params["conv1_1"] = {"kernel": kernel, "bias": bias}
    got = module.apply({"params": params}, image).activations["conv1_1"]
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)))
    want = sum(padded[i : i + 16, j : j + 16] @ kernel[i, j] for i in range(3) for j in range(3)) + bias
    np.testing.assert_allclose(got[0], np.maximum(want, 0), rtol=1e-3, atol=1e-2)
