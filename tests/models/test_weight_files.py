"""Files of weights: what is VGG16 is read to the bit; what isn't, is named in one line."""

import sys

import h5py
import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import vgg_files

from wsns.errors import InputError
from wsns.models.weights import files


@pytest.fixture(scope="module")
def layers():
    return vgg_files.random_layers()


def equal(got, want):
    jax.tree.map(np.testing.assert_array_equal, got, want)
    assert all(array.dtype == np.float32 for array in jax.tree.leaves(got))


def rounded(layers, dtype):
    return jax.tree.map(lambda array: array.astype(dtype).astype(np.float32), layers)


def change(path, arrays):
    safetensors.numpy.save_file(arrays, path)
    return path


@pytest.mark.parametrize("style", ["2016", "today", "top", "whole", "keras3"])
def test_keras_files_are_read_to_the_bit(tmp_path, layers, style):
    vgg_files.write_keras(tmp_path / "w.h5", layers, style)
    got, kind = files.read(tmp_path / "w.h5")
    assert kind == "Keras"
    equal(got, layers)


@pytest.mark.parametrize("old", [False, True])
def test_torch_files_are_read_to_the_bit(tmp_path, layers, old):
    vgg_files.write_torch(tmp_path / "w.pth", layers, old=old)
    got, kind = files.read(tmp_path / "w.pth")
    assert kind == "PyTorch"
    equal(got, layers)


def test_torch_file_in_half_precision_becomes_float32(tmp_path, layers):
    vgg_files.write_torch(tmp_path / "w.pth", layers, half=True)
    equal(files.read(tmp_path / "w.pth")[0], rounded(layers, ml_dtypes.bfloat16))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_safetensors_of_any_precision_become_float32(tmp_path, layers, dtype):
    vgg_files.write_safetensors(tmp_path / "w.safetensors", layers, dtype)
    got, kind = files.read(tmp_path / "w.safetensors")
    assert kind == "safetensors"
    equal(got, rounded(layers, dtype))


def test_numpy_files_are_read_to_the_bit(tmp_path, layers):
    vgg_files.write_numpy(tmp_path / "w.npz", layers)
    got, kind = files.read(tmp_path / "w.npz")
    assert kind == "NumPy"
    equal(got, layers)


def test_a_numpy_file_of_objects_is_refused_in_one_line(tmp_path):
    np.savez(tmp_path / "w.npz", **{"block1_conv1/kernel": np.array([None])})
    with pytest.raises(InputError, match="not a whole NumPy file") as caught:
        files.read(tmp_path / "w.npz")
    assert "\n" not in str(caught.value)


def test_a_part_of_the_network_is_refused(tmp_path, layers):
    some = {name: layers[name] for name in ("conv1_1", "conv1_2", "conv3_2")}
    vgg_files.write_numpy(tmp_path / "w.npz", some)
    with pytest.raises(InputError, match=r"block2_conv1/kernel and 19 more missing"):
        files.read(tmp_path / "w.npz")


def test_the_content_decides_not_the_name(tmp_path, layers):
    vgg_files.write_safetensors(tmp_path / "w.h5", layers)
    assert files.read(tmp_path / "w.h5")[1] == "safetensors"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in", "is a web page"),
        (b"no weights at all", "is no file of weights"),
        (b"\x89HDF\r\n\x1a\nand no more", "not a whole HDF5 file"),
        (b"PK\x03\x04and no more", "not a whole PyTorch file"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.and no more", r"damaged|not a whole PyTorch file"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{and no more", "not a whole safetensors file"),
    ],
)
def test_what_is_no_weights_file_is_said_in_one_line(tmp_path, content, words):
    path = tmp_path / "w.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        files.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["h5", "npz", "pth", "old.pth", "safetensors"])
@pytest.mark.parametrize("share", [0.5, 0.999])
def test_truncated_files_are_refused_in_one_line(tmp_path, layers, kind, share):
    path = tmp_path / f"w.{kind}"
    if kind == "h5":
        vgg_files.write_keras(path, layers)
    elif kind == "npz":
        vgg_files.write_numpy(path, layers)
    elif kind == "safetensors":
        vgg_files.write_safetensors(path, layers)
    else:
        vgg_files.write_torch(path, layers, old=kind == "old.pth")
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    with pytest.raises(InputError, match=r"get it again|damaged") as caught:
        files.read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_an_unreadable_file_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5: no such file"):
        files.read(tmp_path / "none.h5")
    with pytest.raises(InputError, match="is a directory"):
        files.read(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a directory"):
        files.read(tmp_path / "file" / "w.h5")


def test_other_networks_are_refused_with_the_layer_that_does_not_fit(tmp_path, layers):
    arrays = vgg_files.torch_arrays(layers)
    # VGG16 with batch normalisation: three places per convolution, and vectors in the second.
    places = iter((0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40))
    normalised = {}
    for layer in layers.values():
        place = next(places)
        normalised[f"features.{place}.weight"] = layer["kernel"].transpose(3, 2, 0, 1).copy()
        normalised[f"features.{place}.bias"] = layer["bias"]
        normalised[f"features.{place + 1}.running_mean"] = layer["bias"]
    with pytest.raises(InputError, match=r"features\.2\.weight and \d+ more missing"):
        files.read(change(tmp_path / "bn", normalised))
    extra = arrays | {"features.30.weight": np.zeros((512, 512, 3, 3), np.float32)}
    with pytest.raises(InputError, match=r"holds features\.30\.weight, which VGG16 doesn't have"):
        files.read(change(tmp_path / "longer", extra))
    vgg_files.write_keras(tmp_path / "vgg19.h5", layers)
    with h5py.File(tmp_path / "vgg19.h5", "a") as file:
        file["block3_conv4/block3_conv4/bias:0"] = np.zeros(256, np.float32)
    with pytest.raises(InputError, match=r"holds block3_conv4/bias, which VGG16 doesn't have"):
        files.read(tmp_path / "vgg19.h5")
    with pytest.raises(InputError, match=r"features\.0\.weight and 25 more missing"):
        files.read(change(tmp_path / "other", {"encoder.weight": np.zeros(3)}))


def test_one_wrong_array_is_named_with_what_was_expected(tmp_path, layers):
    arrays = vgg_files.torch_arrays(layers)
    without = {name: array for name, array in arrays.items() if name != "features.28.bias"}
    with pytest.raises(InputError, match=r"features\.28\.bias missing"):
        files.read(change(tmp_path / "less", without))
    narrow = arrays | {"features.5.weight": np.zeros((32, 64, 3, 3), np.float32)}
    with pytest.raises(InputError, match=r"features\.5\.weight is \(3, 3, 64, 32\).*\(3, 3, 64, 128\)"):
        files.read(change(tmp_path / "narrow", narrow))
    broken = arrays | {"features.2.bias": np.full(64, np.nan, np.float32)}
    with pytest.raises(InputError, match=r"features\.2\.bias holds numbers that are not finite"):
        files.read(change(tmp_path / "nan", broken))
    theano = layers | {"conv1_1": layers["conv1_1"] | {"kernel": np.zeros((64, 3, 3, 3), np.float32)}}
    vgg_files.write_keras(tmp_path / "theano.h5", theano, "2016")
    with pytest.raises(InputError, match=r"block1_conv1/kernel is \(64, 3, 3, 3\).*\(3, 3, 3, 64\)"):
        files.read(tmp_path / "theano.h5")


def test_a_torch_file_that_holds_more_than_weights_is_not_run(tmp_path):
    import torch

    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "model.pth")
    with pytest.raises(InputError, match="more than weights"):
        files.read(tmp_path / "model.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(InputError, match="not a whole PyTorch file with VGG16's weights"):
        files.read(tmp_path / "list.pth")


def test_without_torch_its_file_asks_for_it_and_the_others_do_not(tmp_path, layers, monkeypatch):
    vgg_files.write_torch(tmp_path / "w.pth", layers)
    vgg_files.write_safetensors(tmp_path / "w.safetensors", layers)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install torch, or give a \.h5 or \.safetensors"):
        files.read(tmp_path / "w.pth")
    equal(files.read(tmp_path / "w.safetensors")[0], layers)
