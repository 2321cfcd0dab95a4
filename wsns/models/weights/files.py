"""From a file of weights to the 13 convolutions of VGG16, or one line that says what the file is instead.

What a file is, its first bytes say, not its name.
"""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from wsns.errors import InputError
from wsns.models.vgg_gap import BLOCKS
from wsns.models.weights import formats

Layers = dict[str, dict[str, np.ndarray]]

LAYERS = tuple(f"conv{b}_{i}" for b, (_, depth) in enumerate(BLOCKS, start=1) for i in range(1, depth + 1))
PARTS = ("kernel", "bias")

_READERS: Mapping[str, tuple[Callable[[pathlib.Path], formats.Arrays], tuple[str, ...]]] = {
    "Keras": (formats.from_keras, formats.KERAS_NAMES),
    "NumPy": (formats.from_numpy, formats.KERAS_NAMES),
    "PyTorch": (formats.from_torch, formats.TORCH_NAMES),
    "safetensors": (formats.from_safetensors, formats.TORCH_NAMES),
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read(path: pathlib.Path) -> tuple[Layers, str]:
    """Returns the convolutions of a file as float32, kernels (3, 3, in, out), and its format.

    The channels of the first layer stay in the file's order. The format is 'Keras', 'NumPy', 'PyTorch' or
    'safetensors'.

    Raises:
        InputError: if the file isn't there, is damaged, or holds anything but VGG16.
    """
    kind = recognise(path)
    reader, names = _READERS[kind]
    found = reader(path)
    _check_names(path, found, names)
    name = iter(names)
    return {
        layer: {part: _checked(path, own := next(name), found[own], shape(layer, part)) for part in PARTS}
        for layer in LAYERS
    }, kind


def changed_at(path: pathlib.Path) -> int:
    """Returns when a file was last changed, in ns; 0 where there is none, of which `read` says what is wrong."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def shape(layer: str, part: str) -> tuple[int, ...]:
    """Returns the shape of one of VGG16's arrays: ('conv1_1', 'kernel') has (3, 3, 3, 64)."""
    block, number = int(layer[4]) - 1, int(layer[6])
    filters = BLOCKS[block][0]
    if part == "bias":
        return (filters,)
    before = BLOCKS[block - 1][0] if block else 3
    return (3, 3, before if number == 1 else filters, filters)


def recognise(path: pathlib.Path) -> str:
    """Returns the format of a file by its first bytes: 'Keras', 'NumPy', 'PyTorch' or 'safetensors'.

    Raises:
        InputError: if there is no such file, or it is none of the four.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if head.startswith(_HDF5):
        return "Keras"
    if head.startswith(_ZIP) and _first_name(head).endswith(b".npy"):
        return "NumPy"
    if head.startswith((_ZIP, _OLD_TORCH)):
        return "PyTorch"
    if head[8:9] == b"{":
        return "safetensors"
    raise InputError(
        f"{path}: {_instead(head)}; expected VGG16 as Keras's .h5, PyTorch's .pth, a .safetensors or a .npz"
    )


def _first_name(head: bytes) -> bytes:
    """Returns the name of the first file in a zip file: of an array in NumPy's, of a pickle in PyTorch's."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _instead(head: bytes) -> str:
    if not head:
        return "is empty"
    if head.lstrip().startswith(b"<"):
        return "is a web page, saved in the place of the weights"
    return "is no file of weights"


def _check_names(path: pathlib.Path, found: formats.Arrays, names: tuple[str, ...]) -> None:
    if missing := [name for name in names if name not in found]:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{path}: {missing[0]}{others} missing; expected the 13 convolutions of VGG16")
    if extra := [name for name in found if name not in names]:
        raise InputError(
            f"{path}: holds {extra[0]}, which VGG16 doesn't have; neither VGG19 nor batch normalisation fits"
        )


def _checked(path: pathlib.Path, name: str, array: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    if array.shape != wanted:
        order = " as (height, width, in, out)" if array.ndim == 4 else ""
        raise InputError(f"{path}: {name} is {array.shape}{order}, VGG16's is {wanted}")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {name} holds numbers that are not finite: damaged, get it again")
    return array
