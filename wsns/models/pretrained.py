"""Where a VGG16 trunk starts: ImageNet's weights, the embedded shapes trunk, or random numbers."""

import dataclasses
import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np

from wsns.errors import InputError
from wsns.models.preprocess import KERAS, LUNG, Preprocessing
from wsns.models.vgg import BLOCKS

SHAPES_TRUNK = pathlib.Path(__file__).with_name("shapes_trunk.npz")
LAYERS = tuple(f"conv{b}_{i}" for b, (_, depth) in enumerate(BLOCKS, start=1) for i in range(1, depth + 1))
KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"

Layers = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True, eq=False)
class Trunk:
    """The parameters of conv1_1 … conv5_3 by name (none: a random start), and how their input is made.

    `name` says what a result stands on, in words for a report.
    """

    layers: Layers
    preprocessing: Preprocessing
    name: str


def load_trunk(start: str, weights: str = "") -> Trunk:
    """Returns the trunk that a config asks for.

    Args:
        start: 'imagenet' (needs `weights`), 'shapes' (embedded) or 'random'.
        weights: path of Keras's VGG16 file without the top, `.h5`.

    Raises:
        InputError: for another word, or a file that is not there or not what it should be.
    """
    if start == "random":
        return Trunk({}, LUNG, "random start")
    if start == "shapes":
        return _from_shapes(weights)
    if start == "imagenet":
        return Trunk(_from_keras(weights), KERAS, "ImageNet weights (Keras's VGG16)")
    raise InputError(f"model.start={start!r}: choose 'imagenet', 'shapes' or 'random'")


def with_trunk(params: Mapping[str, Any], trunk: Trunk) -> dict[str, Any]:
    """Returns a network's parameters with the trunk's layers in the place of its own.

    Raises:
        InputError: if a layer has another shape than in the network.
    """
    merged = dict(params)
    for layer, arrays in trunk.layers.items():
        want = jax.tree.map(jnp.shape, params[layer])
        have = jax.tree.map(jnp.shape, arrays)
        if want != have:
            raise InputError(
                f"{trunk.name}: {layer} is {have['kernel']}, the network's is {want['kernel']}; "
                "set model.width to the width that the trunk was made for, or model.start='random'"
            )
        merged[layer] = jax.tree.map(jnp.asarray, arrays)
    return merged


def pack_trunk(params: Mapping[str, Any], made_by: Mapping[str, Any]) -> bytes:
    """Returns a trunk as the bytes of an `.npz` file in half precision, with a note of how it was made."""
    arrays: dict[str, Any] = {
        f"{layer}/{part}": np.asarray(params[layer][part], np.float16)
        for layer in LAYERS
        for part in ("kernel", "bias")
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, made_by=np.array(json.dumps(made_by, sort_keys=True)), **arrays)
    return buffer.getvalue()


def _from_shapes(weights: str) -> Trunk:
    path = pathlib.Path(weights) if weights else SHAPES_TRUNK
    if not path.exists():
        raise InputError(
            f"{path}: no such file; make it with `python main.py --config=configs/pretrain_shapes.py`"
        )
    with np.load(path) as file:
        layers: Layers = {
            layer: {part: file[f"{layer}/{part}"].astype(np.float32) for part in ("kernel", "bias")}
            for layer in LAYERS
        }
        made_by = json.loads(str(file["made_by"]))
    name = (
        f"shapes trunk (not ImageNet: {made_by['patches']} synthetic patches, version {made_by['version']})"
    )
    return Trunk(layers, LUNG, name)


def _from_keras(weights: str) -> Layers:
    path = pathlib.Path(weights)
    if not weights or not path.is_file():
        raise InputError(
            f"model.weights={weights!r}: no such file; put Keras's {KERAS_FILE} somewhere and give its path "
            "(--config.model.weights=…), or start from model.start='shapes' (width 1/8) or 'random'"
        )
    try:
        with h5py.File(path) as file:
            arrays: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: _collect(arrays, name, item))
    except OSError as error:
        raise InputError(f"{path}: not an HDF5 file ({error}); expected Keras's {KERAS_FILE}") from error
    missing = [
        f"{n}/{p}" for n in map(_keras_name, LAYERS) for p in ("kernel", "bias") if f"{n}/{p}" not in arrays
    ]
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} missing; expected Keras's {KERAS_FILE}")
    return {
        layer: {part: arrays[f"{_keras_name(layer)}/{part}"] for part in ("kernel", "bias")}
        for layer in LAYERS
    }


def _keras_name(layer: str) -> str:
    block, number = layer.removeprefix("conv").split("_")
    return f"block{block}_conv{number}"


def _collect(arrays: dict[str, np.ndarray], name: str, item: Any) -> None:
    """Keras wrote `block1_conv1/block1_conv1_W_1:0` in 2016 and `…/kernel:0` since."""
    if not isinstance(item, h5py.Dataset):
        return
    layer = name.split("/")[0]
    part = "kernel" if item.ndim == 4 else "bias"
    arrays[f"{layer}/{part}"] = np.asarray(item, np.float32)
