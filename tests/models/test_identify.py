"""Whose numbers they are decides the preprocessing, whatever the format: no way to mix the two VGG16 up."""

import csv
import hashlib
import io
import json
import pathlib

import ml_dtypes
import numpy as np
import pytest
import vgg_files

from wsns.errors import InputError
from wsns.models.preprocess import KERAS, TORCHVISION
from wsns.models.weights import identify

WHERE = pathlib.Path("some.file")
FORMATS = ("Keras", "NumPy", "PyTorch", "safetensors")


def with_first(layers, kernel):
    return layers | {"conv1_1": layers["conv1_1"] | {"kernel": kernel}}


def in_precision(layers, dtype):
    return with_first(layers, layers["conv1_1"]["kernel"].astype(dtype).astype(np.float32))


def flipped(layers):
    return with_first(layers, layers["conv1_1"]["kernel"][:, :, ::-1])


@pytest.fixture(scope="module")
def original(imagenet_kernels):
    """The real first blocks, BGR, with random layers behind them."""
    return vgg_files.real_layers(imagenet_kernels)


@pytest.fixture(scope="module")
def torchvisions(imagenet_kernels):
    """torchvision's real first kernel, RGB, with random layers behind it."""
    return with_first(vgg_files.random_layers(), vgg_files.torchvision_first_layer(imagenet_kernels))


@pytest.mark.parametrize("shape", [(3, 3, 3, 64), (64,), (3, 3, 64, 128)])
def test_digest_is_of_an_npy_file_padded_to_sixteen_bytes(shape):
    array = np.random.default_rng(0).standard_normal(shape, np.float32)
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    padded = next(text + b" " * n + b"\n" for n in range(1, 17) if (10 + len(text) + n + 1) % 16 == 0)
    file = b"\x93NUMPY\x01\x00" + bytes([len(padded), 0]) + padded + array.tobytes()
    np.testing.assert_array_equal(np.load(io.BytesIO(file)), array)
    assert identify.digest(array) == hashlib.sha256(file).hexdigest()
    assert identify.digest(np.asfortranarray(array)) == identify.digest(array)


def test_known_digests_are_those_of_the_original(imagenet_kernels):
    with (imagenet_kernels / "arrays.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    known = json.loads(pathlib.Path(identify.__file__).with_name("vgg16_known.json").read_text())
    assert list(known["sha256"].values()) == [row["sha256"] for row in rows]
    names = [f"{row['layer'].replace('block', 'conv').replace('_conv', '_')}/{row['array']}" for row in rows]
    assert list(known["sha256"]) == names


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rgb", [False, True])
def test_the_original_gets_its_own_preprocessing_in_any_format_and_order(original, kind, rgb):
    layers, exact = original
    read = identify.identify(flipped(layers) if rgb else layers, kind, WHERE)
    assert read.network == identify.ORIGINAL
    assert read.preprocessing == KERAS
    np.testing.assert_array_equal(read.layers["conv1_1"]["kernel"], layers["conv1_1"]["kernel"])
    np.testing.assert_array_equal(read.layers["conv3_1"]["kernel"], layers["conv3_1"]["kernel"])
    assert sorted(read.exact) == sorted(exact)
    assert len(exact) == 9
    assert "9 of 26 arrays to the bit, the others changed" in read.name


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rgb", [False, True])
def test_torchvisions_network_gets_its_own_preprocessing_in_any_format_and_order(torchvisions, kind, rgb):
    read = identify.identify(torchvisions if rgb else flipped(torchvisions), kind, WHERE)
    assert read.network == identify.TORCHVISIONS
    assert read.preprocessing == TORCHVISION
    np.testing.assert_array_equal(read.layers["conv1_1"]["kernel"], torchvisions["conv1_1"]["kernel"])
    assert read.exact == ()
    assert read.name.startswith(f"ImageNet weights (torchvision's VGG16, {kind} format")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rounded_networks_are_still_told_apart(original, torchvisions, dtype):
    read = identify.identify(in_precision(flipped(original[0]), dtype), "safetensors", WHERE)
    assert (read.network, read.preprocessing) == (identify.ORIGINAL, KERAS)
    assert "conv1_1/kernel" not in read.exact
    read = identify.identify(in_precision(torchvisions, dtype), "Keras", WHERE)
    assert (read.network, read.preprocessing) == (identify.TORCHVISIONS, TORCHVISION)


def test_unknown_numbers_follow_their_format_and_do_not_pass_for_imagenet():
    layers = vgg_files.random_layers()
    for kind, preprocessing in zip(FORMATS, (KERAS, KERAS, TORCHVISION, TORCHVISION), strict=True):
        read = identify.identify(layers, kind, WHERE)
        assert read.network == identify.UNKNOWN
        assert read.preprocessing == preprocessing
        assert read.layers is layers
        assert not read.name.startswith("ImageNet")


def test_the_original_with_another_first_layer_is_refused(original):
    """As in conversions that fold the preprocessing into the first layer: what input they take is anyone's guess."""
    layers, _ = original
    folded = with_first(layers, layers["conv1_1"]["kernel"] * 255)
    with pytest.raises(InputError, match=r"^some\.file: 8 arrays are the original VGG16's, but not conv1_1"):
        identify.identify(folded, "PyTorch", WHERE)


def test_all_digests_that_match_are_said_to_be_verified(original, monkeypatch):
    layers, exact = original
    known = identify._known()
    monkeypatch.setattr(
        identify, "_known", lambda: known | {"sha256": {name: known["sha256"][name] for name in exact}}
    )
    read = identify.identify(layers, "Keras", WHERE)
    assert read.is_original_to_the_bit
    assert (
        read.name == "ImageNet weights (the original VGG16, Keras format, verified to the bit: 9 of 9 arrays)"
    )


def test_preprocessing_says_what_it_does():
    assert str(KERAS) == "BGR in 0…255 minus (103.939, 116.779, 123.68)"
    assert str(TORCHVISION) == "RGB in 0…1 minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
