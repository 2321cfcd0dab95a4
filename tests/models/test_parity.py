"""Converted weights compute what the network that they come from computes: Keras's and PyTorch's own VGG16."""

import os
import subprocess
import sys

import conftest
import jax
import numpy as np
import pytest
import vgg_files

from wsns.models import vgg_gap
from wsns.models.preprocess import KERAS, TORCHVISION, prepare
from wsns.models.weights import files
from wsns.models.weights import start as pretrained

SIZE = 64
WINDOW = (-1000.0, 400.0)


@pytest.fixture(scope="module")
def hu():
    """A slice like CT in HU: air, a body with two lungs, noise; some of it outside the window."""
    y, x = np.mgrid[:SIZE, :SIZE] / (SIZE - 1) - 0.5
    image = np.where((x / 0.48) ** 2 + (y / 0.4) ** 2 < 1, 40.0, -1024.0)
    image[(((abs(x) - 0.22) / 0.15) ** 2 + (y / 0.3) ** 2) < 1] = -850
    image[(x**2 + (y - 0.25) ** 2) < 0.004] = 900
    return (image + np.random.default_rng(0).normal(0, 30, image.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def grey(hu):
    """The same as a picture in 0…255."""
    return ((np.clip(hu, *WINDOW) - WINDOW[0]) / (WINDOW[1] - WINDOW[0]) * 255).astype(np.float32)


@pytest.fixture(scope="module")
def keras_run(tmp_path_factory, grey):
    folder = tmp_path_factory.mktemp("keras")
    np.save(folder / "grey.npy", grey)
    script = conftest.ROOT / "tests" / "helpers" / "keras_network.py"
    environment = os.environ | {"KERAS_BACKEND": "jax", "KERAS_HOME": str(folder)}
    run = subprocess.run(
        [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    with np.load(folder / "activations.npz") as file:
        return folder, dict(file)


@pytest.fixture(scope="module")
def torch_run(tmp_path_factory, grey):
    """VGG16's features as torchvision builds them, and every stage's output in (H, W, C)."""
    import torch

    folder = tmp_path_factory.mktemp("torch")
    layers = vgg_files.random_layers(2)
    vgg_files.write_torch(folder / "vgg16.pth", layers)
    vgg_files.write_safetensors(folder / "vgg16.safetensors", layers)
    stages, channels = [], 3
    for filters, depth in vgg_gap.BLOCKS:
        for _ in range(depth):
            stages += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU()]
            channels = filters
        stages.append(torch.nn.MaxPool2d(2, 2))
    features = torch.nn.Sequential(*stages)
    state = torch.load(folder / "vgg16.pth", weights_only=True)
    features.load_state_dict(
        {name.removeprefix("features."): array for name, array in state.items() if "features" in name}
    )
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = ((torch.from_numpy(grey / 255).expand(1, 3, SIZE, SIZE) - mean) / std).contiguous()
    outputs = []
    with torch.no_grad():
        for stage in features:
            x = stage(x)
            outputs.append(x[0].permute(1, 2, 0).numpy())
    return folder, outputs


def activations(hu, trunk):
    """Every convolution's activation of our network, and each block's pooled end."""
    module = vgg_gap.VGG(gaps=1, head_filters=8)
    images = prepare(hu[None], size=SIZE, window=WINDOW, preprocessing=trunk.preprocessing)
    start = jax.eval_shape(module.init, jax.random.key(0), images)["params"]
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), start)
    params = pretrained.with_trunk(zeros, trunk)
    got = jax.jit(module.apply)({"params": params}, images).activations
    convolutions = {name: got[name] for name in files.LAYERS}
    pools = {
        f"pool{b}": vgg_gap.max_pool(got[f"conv{b}_{depth}"])
        for b, (_, depth) in enumerate(vgg_gap.BLOCKS, start=1)
    }
    return {name: np.asarray(value[0]) for name, value in (convolutions | pools).items()}


def agree(got, want, name):
    """A relative 1e-4 of the stage's own scale, over all and at the worst place; and the stage is alive."""
    assert got.shape == want.shape, name
    assert (want > 0).mean() > 0.1, name
    assert np.linalg.norm(got - want) < 1e-4 * np.linalg.norm(want), name
    assert abs(got - want).max() < 1e-4 * abs(want).max(), name


@pytest.mark.parametrize("file", ["notop.h5", "whole.h5", "keras3.weights.h5"])
def test_every_stage_equals_kerass_network(keras_run, hu, file):
    folder, wanted = keras_run
    trunk = pretrained.load_trunk("imagenet", str(folder / file))
    assert trunk.preprocessing == KERAS
    got = activations(hu, trunk)
    for name, value in got.items():
        source = f"block{name[4]}_pool" if name.startswith("pool") else vgg_files.keras_layer(name)
        agree(value, wanted[source][0], name)
    assert len(wanted) == len(got) == 18


@pytest.mark.parametrize("file", ["vgg16.pth", "vgg16.safetensors"])
def test_every_stage_equals_pytorchs_network(torch_run, hu, file):
    folder, wanted = torch_run
    trunk = pretrained.load_trunk("imagenet", str(folder / file))
    assert trunk.preprocessing == TORCHVISION
    got = activations(hu, trunk)
    places = [place + 1 for place in vgg_files.TORCH_PLACES] + [4, 9, 16, 23, 30]
    for name, place in zip(got, places, strict=True):
        agree(got[name], wanted[place], name)


def test_the_other_preprocessing_would_be_seen(torch_run, hu):
    """The comparison can fail: with Keras's preprocessing PyTorch's network computes something else."""
    folder, wanted = torch_run
    trunk = pretrained.load_trunk("imagenet", str(folder / "vgg16.pth"))
    mixed = pretrained.Trunk(trunk.layers, KERAS, "mixed up")
    with pytest.raises(AssertionError):
        agree(activations(hu, mixed)["conv5_3"], wanted[vgg_files.TORCH_PLACES[-1] + 1], "conv5_3")
