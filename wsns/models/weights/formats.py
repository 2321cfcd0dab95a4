"""Four formats of VGG16's weights, each read under the names of its own world.

A reader returns the arrays that belong to convolutions, as float32, kernels as (height, width, in, out), and
leaves the fully connected layers where they are. Whether it found VGG16, `weight_files` says.
"""

import pathlib
import pickle
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import h5py
import ml_dtypes  # noqa: F401  (teaches NumPy the name bfloat16, by which safetensors asks for it)
import numpy as np

from wsns.errors import InputError
from wsns.models.vgg_gap import BLOCKS

Arrays = dict[str, np.ndarray]

_CONVOLUTIONS = [
    f"block{b}_conv{i}" for b, (_, depth) in enumerate(BLOCKS, start=1) for i in range(1, depth + 1)
]
KERAS_NAMES = tuple(f"{layer}/{part}" for layer in _CONVOLUTIONS for part in ("kernel", "bias"))
"""The 26 arrays in Keras's names, first layer first."""


def _torch_names() -> tuple[str, ...]:
    names: list[str] = []
    at = 0
    for _, depth in BLOCKS:
        for _ in range(depth):
            names += [f"features.{at}.weight", f"features.{at}.bias"]
            at += 2  # a convolution and its ReLU
        at += 1  # the block's pooling
    return tuple(names)


TORCH_NAMES = _torch_names()
"""The 26 arrays in torchvision's and timm's names, first layer first."""


def from_keras(path: pathlib.Path) -> Arrays:
    """Reads Keras's HDF5 file: of 2016 or of today, with or without the top, or Keras 3's `.weights.h5`.

    Raises:
        InputError: if the file is damaged.
    """
    found: Arrays = {}

    def collect(name: str, item: Any) -> None:
        known = _keras_name(name)
        if known and isinstance(item, h5py.Dataset):
            found[known] = np.asarray(item, np.float32)

    try:
        with h5py.File(path) as file:
            file.visititems(collect)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, "HDF5", error) from error
    return found


def from_numpy(path: pathlib.Path) -> Arrays:
    """Reads an `.npz` file with Keras's names and order of axes.

    Raises:
        InputError: if the file is damaged.
    """
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as raw, np.load(raw) as file:
            return {known: file[name].astype(np.float32) for name in file if (known := _keras_name(name))}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, "NumPy", error) from error


def from_torch(path: pathlib.Path) -> Arrays:
    """Reads a state dict that `torch.save` wrote, by its old format or as a zip file. No code in it is run.

    Raises:
        InputError: if the file is damaged or holds more than arrays, or if torch isn't installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path}: PyTorch's format, which only torch reads: pip install torch, or give a .h5 or .safetensors"
        ) from error
    try:
        # A zip file is mapped: the fully connected layers, nine tenths of it, are never read.
        state = torch.load(path, weights_only=True, map_location="cpu", mmap=zipfile.is_zipfile(path))
        return _convolutions(state, state.__getitem__, lambda tensor: tensor.detach().float().numpy())
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: damaged, or more than weights; expected what torch.save(model.state_dict(), …) writes"
        ) from error
    except Exception as error:  # a damaged pickle may raise any
        raise _damaged(path, "PyTorch", error) from error


def from_safetensors(path: pathlib.Path) -> Arrays:
    """Reads a `.safetensors` file with torchvision's names, as timm's.

    Raises:
        InputError: if the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return _convolutions(file.keys(), file.get_tensor, lambda array: array.astype(np.float32))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise _damaged(path, "safetensors", error) from error


def _convolutions(
    names: Iterable[str], get: Callable[[str], Any], convert: Callable[[Any], np.ndarray]
) -> Arrays:
    """Takes the arrays of `features`, kernels turned from (out, in, height, width)."""
    arrays = {name: convert(get(name)) for name in names if name.startswith("features.")}
    return {
        name: np.array(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array, order="C")
        for name, array in arrays.items()
    }


def _keras_name(name: str) -> str | None:
    """Says what a dataset is in the names of today's Keras: `block1_conv1/kernel`.

    In 2016 that was `block1_conv1/block1_conv1_W_1:0`; a whole model has `model_weights/` in front; Keras 3's own
    format only counts the convolutions, `layers/conv2d_3/vars/0`.
    """
    if counted := re.fullmatch(r"layers/conv2d(?:_(\d+))?/vars/([01])", name):
        place = 2 * int(counted[1] or 0) + int(counted[2])
        return KERAS_NAMES[place] if place < len(KERAS_NAMES) else name
    named = re.fullmatch(r"(?:model_weights/)?(block\d_conv\d)/(?:.*/)?(.*)", name)
    if not named:
        return None
    return f"{named[1]}/{'kernel' if re.search('kernel|_W', named[2]) else 'bias'}"


def _damaged(path: pathlib.Path, kind: str, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path}: not a whole {kind} file with VGG16's weights ({reason}); get it again")
