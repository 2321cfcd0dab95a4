"""Whose numbers a VGG16 holds, and so how its input must be made.

Two networks are called VGG16 with ImageNet weights: the original (Simonyan and Zisserman's Caffe model; Keras
distributes it) sees 0…255 minus means, torchvision's own training (timm distributes it too) sees 0…1 normalised.
Both exist in every format, the original even in torchvision's own list and in both channel orders. So the numbers
decide, not the format: SHA-256 of the original's 26 arrays tells it to the bit, and the sums of the first layer's
kernels tell both networks, and the order of the channels, in rounded or further trained weights too.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import struct
from typing import Any

import numpy as np

from wsns.errors import InputError
from wsns.models.preprocess import KERAS, TORCHVISION, Preprocessing
from wsns.models.weights.files import Layers

ORIGINAL = "the original VGG16"
TORCHVISIONS = "torchvision's VGG16"
UNKNOWN = "a VGG16 with other numbers"

_KNOWN = pathlib.Path(__file__).with_name("vgg16_known.json")
_NEAR = 0.2
"""Norm of the difference between sums of kernels, as a share: half precision gives 0.001, the other network 1.2."""


@dataclasses.dataclass(frozen=True, eq=False)
class Identity:
    """Whose numbers a file holds, and the layers, the first one in the order of the preprocessing's channels.

    `kind` is the file's format; `exact` names the arrays that equal the original's to the bit: 'conv1_1/kernel'.
    """

    network: str
    kind: str
    layers: Layers
    preprocessing: Preprocessing
    exact: tuple[str, ...]

    @property
    def is_original_to_the_bit(self) -> bool:
        """Says whether all 26 arrays are the original's."""
        return len(self.exact) == len(_known()["sha256"])

    @property
    def verified(self) -> str:
        """By what the network was recognised, in words."""
        if self.network == UNKNOWN:
            return "its first layer is neither the original's nor torchvision's"
        arrays = sum(len(parts) for parts in self.layers.values())
        if self.is_original_to_the_bit or len(self.exact) == arrays:
            return f"verified to the bit: {len(self.exact)} of {len(self.exact)} arrays"
        if self.exact:
            return f"{len(self.exact)} of {arrays} arrays to the bit, the others changed"
        exactness = "" if self.network == TORCHVISIONS else ", rounded or trained further"
        return f"recognised by its first layer{exactness}"

    @property
    def name(self) -> str:
        """What a result stands on, in words for a report."""
        if self.network == UNKNOWN:
            return f"{UNKNOWN} ({self.kind} format; not known to be ImageNet's)"
        return f"ImageNet weights ({self.network}, {self.kind} format, {self.verified})"


def identify(layers: Layers, kind: str, path: pathlib.Path) -> Identity:
    """Recognises a network by its numbers; where they are nobody's, the format decides.

    Args:
        layers: as `weight_files.read` returns them, the first in the file's own order of channels; of the others some
            may be missing.
        kind: the file's format. Unknown numbers are taken for BGR minus means under Keras's names, else for
            RGB normalised.
        path: the file, for the error.

    Raises:
        InputError: if all but the first layer is the original's: what input it takes can't be known.
    """
    network, rgb = _recognise(layers["conv1_1"]["kernel"])
    if network == UNKNOWN:
        if exact := _exact(layers):
            raise InputError(
                f"{path}: {len(exact)} arrays are the original VGG16's, but not conv1_1, so that what input it takes "
                "can't be known; get Keras's, torchvision's or timm's own file"
            )
        return Identity(network, kind, layers, KERAS if kind in ("Keras", "NumPy") else TORCHVISION, ())
    preprocessing = KERAS if network == ORIGINAL else TORCHVISION
    wanted_rgb = preprocessing.channels == "RGB"
    ordered = layers if rgb == wanted_rgb else _reversed(layers)
    return Identity(network, kind, ordered, preprocessing, _exact(layers if rgb else _reversed(layers)))


def digest(array: np.ndarray) -> str:
    """Returns SHA-256 of a float32 array () of any shape in the `.npy` format, header padded by NumPy's rule of old."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {array.shape}, }}"
    before = len(b"\x93NUMPY\x01\x00") + 2
    text += " " * (16 - (before + len(text) + 1) % 16) + "\n"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    return hashlib.sha256(header + np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


def _exact(layers: Layers) -> tuple[str, ...]:
    """Names the arrays that are the original's to the bit, of layers whose first has RGB order."""
    arrays = {f"{layer}/{part}": array for layer, parts in layers.items() for part, array in parts.items()}
    known = _known()["sha256"]
    return tuple(name for name in known if name in arrays and digest(arrays[name]) == known[name])


def _recognise(kernel: np.ndarray) -> tuple[str, bool]:
    """Returns the network that a first kernel (3, 3, 3, 64) is of, and whether its channels are in RGB order."""
    sums = kernel.sum(axis=(0, 1))
    for network, name in ((ORIGINAL, "original"), (TORCHVISIONS, "torchvision")):
        known = np.array(_known()["first_layer"][name])
        for rgb, candidate in ((True, sums), (False, sums[::-1])):
            if np.linalg.norm(candidate - known) < _NEAR * np.linalg.norm(known):
                return network, rgb
    return UNKNOWN, False


def _reversed(layers: Layers) -> Layers:
    first = layers["conv1_1"]
    return layers | {"conv1_1": first | {"kernel": np.ascontiguousarray(first["kernel"][:, :, ::-1])}}


@functools.cache
def _known() -> dict[str, Any]:
    return json.loads(_KNOWN.read_text(encoding="utf-8"))
