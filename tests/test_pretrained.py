import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wsns.errors import InputError
from wsns.models import pretrained, vgg
from wsns.models.preprocess import KERAS


def keras_file(path, style, filters=None):
    """Writes random weights in the layout of Keras's VGG16 file, as of 2016 or of today."""
    rng = np.random.default_rng(0)
    written = {}
    channels = 3
    with h5py.File(path, "w") as file:
        for block, (full, depth) in enumerate(vgg.BLOCKS, start=1):
            width = filters or full
            for layer in range(1, depth + 1):
                name = f"block{block}_conv{layer}"
                kernel = rng.normal(size=(3, 3, channels, width)).astype(np.float32)
                bias = rng.normal(size=width).astype(np.float32)
                names = (
                    (f"{name}/{name}_W_1:0", f"{name}/{name}_b_1:0")
                    if style == "2016"
                    else (f"{name}/{name}/kernel:0", f"{name}/{name}/bias:0")
                )
                file[names[0]], file[names[1]] = kernel, bias
                written[f"conv{block}_{layer}"] = {"kernel": kernel, "bias": bias}
                channels = width
    return written


@pytest.mark.parametrize("style", ["2016", "today"])
def test_keras_file_is_read_to_the_bit(tmp_path, style):
    written = keras_file(tmp_path / "w.h5", style, filters=4)
    trunk = pretrained.load_trunk("imagenet", str(tmp_path / "w.h5"))
    assert trunk.preprocessing == KERAS
    assert set(trunk.layers) == set(written)
    jax.tree.map(np.testing.assert_array_equal, trunk.layers, written)


def test_with_trunk_replaces_the_trunk_only(tmp_path):
    module = vgg.VGG(width=1 / 16)
    params = module.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    packed = tmp_path / "trunk.npz"
    made_by = {"patches": 1, "version": 1}
    packed.write_bytes(pretrained.pack_trunk(jax.tree.map(jnp.ones_like, params), made_by))
    merged = pretrained.with_trunk(params, pretrained.load_trunk("shapes", str(packed)))
    assert all((merged[layer]["kernel"] == 1).all() for layer in pretrained.LAYERS)
    for layer in ("gap5", "classifier"):
        np.testing.assert_array_equal(merged[layer]["kernel"], params[layer]["kernel"])


def test_trunk_of_another_width_is_refused(tmp_path):
    keras_file(tmp_path / "w.h5", "today", filters=4)
    trunk = pretrained.load_trunk("imagenet", str(tmp_path / "w.h5"))
    params = vgg.VGG(width=1 / 8).init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    with pytest.raises(InputError, match=r"conv1_1 is \(3, 3, 3, 4\).*model\.width"):
        pretrained.with_trunk(params, trunk)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        pretrained.load_trunk("imagenet", "")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="not an HDF5 file"):
        pretrained.load_trunk("imagenet", str(tmp_path / "text.h5"))
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 64), np.float32)
    with pytest.raises(InputError, match=r"block1_conv1/bias.*missing"):
        pretrained.load_trunk("imagenet", str(tmp_path / "part.h5"))
    with pytest.raises(InputError, match=r"model\.start='magic'"):
        pretrained.load_trunk("magic")


def test_embedded_trunk_fits_the_demo_and_says_what_it_is():
    trunk = pretrained.load_trunk("shapes")
    params = vgg.VGG(width=1 / 8).init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    merged = pretrained.with_trunk(params, trunk)
    assert np.isfinite(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(merged)])).all()
    assert "not ImageNet" in trunk.name
    assert pretrained.SHAPES_TRUNK.stat().st_size < 4 * 2**20


def test_real_kernels_have_the_layout_that_flax_expects(imagenet_kernels):
    """The real conv1_1 and conv1_2 through Flax equal a correlation written out with NumPy."""
    file = np.load(imagenet_kernels / "vgg16_blocks1-3_keras.npz")
    kernel, bias = file["block1_conv1/kernel"], file["block1_conv1/bias"]
    module = vgg.VGG()
    image = np.random.default_rng(0).uniform(-100, 100, (1, 16, 16, 3)).astype(np.float32)
    params = module.init(jax.random.key(0), image)["params"]
    params["conv1_1"] = {"kernel": kernel, "bias": bias}
    got = module.apply({"params": params}, image).activations["conv1_1"]
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)))
    want = sum(padded[i : i + 16, j : j + 16] @ kernel[i, j] for i in range(3) for j in range(3)) + bias
    np.testing.assert_allclose(got[0], np.maximum(want, 0), rtol=1e-3, atol=1e-2)
