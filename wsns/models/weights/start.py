"""Where a VGG16 trunk starts: ImageNet's weights, the embedded shapes trunk, or random numbers."""

import dataclasses
import functools
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from wsns.errors import InputError
from wsns.models.preprocess import LUNG, Preprocessing
from wsns.models.weights import embedded, files, identify
from wsns.models.weights.files import Layers

KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
_CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
_WEIGHTS = _CHECKOUT / "weights" if (_CHECKOUT / "main.py").is_file() else pathlib.Path.home() / ".cache/wsns"
IMAGENET_FILE = _WEIGHTS / KERAS_FILE
"""Where ImageNet's weights lie for all runs: in the checkout, or in the home folder of an installed package."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trunk:
    """The parameters of conv1_1 … conv5_3 by name, and how their input is made.

    Layers that are missing start at random. `name` says what a result stands on, in words for a report. `channels` is
    the `model.channels` that the trunk can be used with, empty for any.
    """

    layers: Layers
    preprocessing: Preprocessing
    name: str
    channels: str = ""

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
        start: 'imagenet', 'shapes' or 'patches' (embedded) or 'random'.
        weights: for 'imagenet' VGG16's weights in a file of Keras, NumPy, PyTorch or safetensors, empty for
            `IMAGENET_FILE`; for 'shapes' and 'patches' another such file, empty for the embedded one.

    Raises:
        InputError: for another word, or a file that is not there or not what it should be.
    """
    if start == "random":
        return Trunk({}, LUNG, "random start")
    if start in embedded.STARTS:
        made = embedded.read(start, weights)
        return Trunk(made.layers, made.preprocessing, made.name, made.channels)
    if start == "imagenet":
        read = read_imagenet(weights)
        return Trunk(read.layers, read.preprocessing, read.name)
    raise InputError(f"config.model.start={start!r}: choose 'imagenet', 'patches', 'shapes' or 'random'")


def read_imagenet(weights: str = "") -> identify.Identity:
    """Reads a file of VGG16's weights, `IMAGENET_FILE` by default, and says whose numbers they are.

    Raises:
        InputError: if the file is not there or not what it should be.
    """
    path = pathlib.Path(weights) if weights else IMAGENET_FILE
    if not weights and not path.exists():
        raise InputError(
            f"{path}: no such file; `python main.py --config=configs/weights.py` fetches it, or give the path of one "
            "you have (--config.model.weights=…), or start from config.model.start='shapes' (width 1/8) or 'random'"
        )
    return _read_imagenet(path, files.changed_at(path))


@functools.lru_cache(maxsize=1)
def _read_imagenet(path: pathlib.Path, stamp: int) -> identify.Identity:
    """Reads a file once for all networks of a run; `stamp` tells a changed file from the one read before."""
    layers, kind = files.read(path)
    return identify.identify(layers, kind, path)


def with_trunk(params: Mapping[str, Any], trunk: Trunk) -> dict[str, Any]:
    """Returns a network's parameters with the trunk's layers in the place of its own.

    Of the heads that a trunk may bring, those that the network has are taken, with their part of the classifier.

    Raises:
        InputError: if a layer has another shape than in the network.
    """
    merged = dict(params)
    for layer, arrays in _of_network(trunk.layers, params).items():
        want = jax.tree.map(jnp.shape, params[layer])
        have = {part: jnp.shape(array) for part, array in arrays.items() if part in want}
        if want != have:
            raise InputError(
                f"{trunk.name}: {layer} is {have['kernel']}, the network's is {want['kernel']}; "
                "set config.model.width to the width that the trunk was made for, or config.model.start='random'"
            )
        merged[layer] = jax.tree.map(jnp.asarray, arrays)
    return merged


def _of_network(layers: Layers, params: Mapping[str, Any]) -> Layers:
    """Leaves out heads that the network doesn't have, and their rows of the classifier; the coarsest come first."""
    own = {layer: arrays for layer, arrays in layers.items() if layer in params}
    if "classifier" in own:
        rows = params["classifier"]["kernel"].shape[0]
        own["classifier"] = own["classifier"] | {"kernel": own["classifier"]["kernel"][:rows]}
    return own
