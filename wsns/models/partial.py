"""A start from a part of ImageNet's VGG16: what a file has is loaded, the other layers start as new ones do.

The first four blocks of the original answer in hundreds, which its last kernels bring down; random ones pass it on, and
training diverges at once. So the original's part gets its input divided by `SCALE`, and its biases with it: each of its
layers computes what it did, divided by `SCALE`, for ReLU and pooling keep a factor. The kernels stay what they are.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Collection

import numpy as np

from wsns.errors import InputError
from wsns.models import imagenet, weight_files
from wsns.models.preprocess import KERAS, Preprocessing
from wsns.models.weight_files import LAYERS, Layers

START = "imagenet-partial"
"""The word of `model.start` for it."""
SCALE = 512.0
"""About what the original's layers answer with up to block 4; a power of two changes no digit of a bias."""


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """Layers of VGG16 and whose numbers they are; of the layers `incomplete` the file lacks kernel or bias."""

    read: imagenet.Identity
    incomplete: tuple[str, ...]

    @property
    def layers(self) -> Layers:
        """The layers, as a network of unit scale has them; see the module."""
        if not self._is_large:
            return self.read.layers
        return {
            name: parts | {"bias": parts["bias"] / np.float32(SCALE)}
            for name, parts in self.read.layers.items()
        }

    @property
    def preprocessing(self) -> Preprocessing:
        """How the input of `layers` is made."""
        preprocessing = self.read.preprocessing
        return dataclasses.replace(preprocessing, std=(SCALE,) * 3) if self._is_large else preprocessing

    @property
    def name(self) -> str:
        """What a result stands on, in words for a report: which layers were loaded, and which were not."""
        changed = [
            name
            for name, parts in self.read.layers.items()
            if not {f"{name}/{part}" for part in parts} <= {*self.read.exact}
        ]
        known = self.read.network != imagenet.UNKNOWN
        return (
            f"part of {self.read.name}: {spans(self.read.layers)} loaded"
            + (f", of them {spans(changed)} not to the bit" if changed and known else "")
            + f"; {spans({*LAYERS} - {*self.read.layers})} start at random"
            + (f" (the file has only kernel or bias of {spans(self.incomplete)})" if self.incomplete else "")
        )

    @property
    def _is_large(self) -> bool:
        return self.read.preprocessing == KERAS


def read_part(weights: str) -> Part:
    """Reads a file that holds some layers of VGG16.

    Args:
        weights: the file's path.

    Raises:
        InputError: without a path, or if the file is not there or not what it should be.
    """
    if not weights:
        raise InputError(
            f"model.start={START!r}: give the file that has a part of VGG16's layers (--config.model.weights=PATH)"
        )
    path = pathlib.Path(weights)
    return _read_part(path, weight_files.changed_at(path))


def spans(layers: Collection[str]) -> str:
    """Names layers, runs of them by the first and the last: 'conv1_1 … conv2_2, conv3_2'."""
    runs: list[list[str]] = []
    for before, name in zip((None, *LAYERS), LAYERS):
        if name in layers and before in layers:
            runs[-1].append(name)
        elif name in layers:
            runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} … {run[-1]}" for run in runs)


@functools.lru_cache(maxsize=1)
def _read_part(path: pathlib.Path, stamp: int) -> Part:
    """Reads a file once for all networks of a run; `stamp` tells a changed file from the one read before."""
    layers, kind, incomplete = weight_files.read_part(path)
    if len(layers) == len(LAYERS):
        raise InputError(f"{path}: holds all 13 convolutions, no part: set model.start='imagenet'")
    if "conv1_1" not in layers:
        raise InputError(
            f"{path}: holds no whole conv1_1 (kernel and bias), so that what input its layers take can't be known"
        )
    return Part(imagenet.identify(layers, kind, path), incomplete)
