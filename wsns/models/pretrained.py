"""Where a VGG16 trunk starts: ImageNet's weights, the embedded shapes trunk, or random numbers."""

import dataclasses
import functools
import io
import json
import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wsns.errors import InputError
from wsns.models import imagenet, weight_files
from wsns.models.preprocess import LUNG, Preprocessing
from wsns.models.weight_files import LAYERS, PARTS, Layers

SHAPES_TRUNK = pathlib.Path(__file__).with_name("shapes_trunk.npz")
KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
IMAGENET_FILE = pathlib.Path(__file__).resolve().parents[2] / "weights" / KERAS_FILE
"""Where ImageNet's weights lie in a checkout, for all its runs; `configs/weights.py` fetches them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trunk:
    """The parameters of conv1_1 … conv5_3 by name (none: a random start), and how their input is made.

    `name` says what a result stands on, in words for a report.
    """

    layers: Layers
    preprocessing: Preprocessing
    name: str

    @property
    def checksum(self) -> str:
        """CRC-32 of all numbers: another file under the same path is another start."""
        value = 0
        for array in jax.tree.leaves(self.layers):
            value = zlib.crc32(array.tobytes(), value)
        return f"{value:08x}"


def load_trunk(start: str, weights: str = "") -> Trunk:
    """Returns the trunk that a config asks for.

    Args:
        start: 'imagenet', 'shapes' (embedded) or 'random'.
        weights: for 'imagenet' VGG16's weights in a file of Keras, PyTorch or safetensors, empty for
            `IMAGENET_FILE`; for 'shapes' another such trunk, empty for the embedded one.

    Raises:
        InputError: for another word, or a file that is not there or not what it should be.
    """
    if start == "random":
        return Trunk({}, LUNG, "random start")
    if start == "shapes":
        return _from_shapes(weights)
    if start == "imagenet":
        read = read_imagenet(weights)
        return Trunk(read.layers, read.preprocessing, read.name)
    raise InputError(f"model.start={start!r}: choose 'imagenet', 'shapes' or 'random'")


def read_imagenet(weights: str = "") -> imagenet.Identity:
    """Reads a file of VGG16's weights, `IMAGENET_FILE` by default, and says whose numbers they are.

    Raises:
        InputError: if the file is not there or not what it should be.
    """
    path = pathlib.Path(weights) if weights else IMAGENET_FILE
    if not weights and not path.exists():
        raise InputError(
            f"{path}: no such file; `python main.py --config=configs/weights.py` fetches it, or give the path of one "
            "you have (--config.model.weights=…), or start from model.start='shapes' (width 1/8) or 'random'"
        )
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0  # the reader says in words what is wrong
    return _read_imagenet(path, stamp)


@functools.lru_cache(maxsize=1)
def _read_imagenet(path: pathlib.Path, stamp: int) -> imagenet.Identity:
    """Reads a file once for all networks of a run; `stamp` tells a changed file from the one read before."""
    layers, kind = weight_files.read(path)
    return imagenet.identify(layers, kind, path)


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
        f"{layer}/{part}": np.asarray(params[layer][part], np.float16) for layer in LAYERS for part in PARTS
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, made_by=np.array(json.dumps(made_by, sort_keys=True)), **arrays)
    return buffer.getvalue()


def _from_shapes(weights: str) -> Trunk:
    path = pathlib.Path(weights) if weights else SHAPES_TRUNK
    how = "make it with `python main.py --config=configs/pretrain_shapes.py`"
    if not path.exists():
        raise InputError(f"{path}: no such file; {how}")
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as raw, np.load(raw) as file:
            layers: Layers = {
                layer: {part: file[f"{layer}/{part}"].astype(np.float32) for part in PARTS}
                for layer in LAYERS
            }
            made_by = json.loads(str(file["made_by"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no shapes trunk; {how}, or set model.start='imagenet'") from error
    name = (
        f"shapes trunk (not ImageNet: {made_by['patches']} synthetic patches, version {made_by['version']})"
    )
    return Trunk(layers, LUNG, name)
