"""Starts that ship with the project in place of ImageNet's: made from drawn pictures, at 1/8 of VGG16's width."""

import dataclasses
import io
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from wsns.errors import InputError
from wsns.models.conv import FACTOR
from wsns.models.preprocess import LUNG, Preprocessing
from wsns.models.weights.files import LAYERS, PARTS, Layers


@dataclasses.dataclass(frozen=True)
class Start:
    """An embedded start: its file and config, and in words what the network was taught."""

    file: str
    config: str
    taught: str
    heads: bool


STARTS = {
    "shapes": Start(
        "shapes_trunk.npz",
        "configs/pretrain_shapes.py",
        "shapes trunk (not ImageNet: {patches} drawn patches, version {version}; it was told where blobs lie)",
        False,
    ),
    "patches": Start(
        "patches_trunk.npz",
        "configs/pretrain_patches.py",
        "patches start ({after}: {patches} patches of synthetic chests, version {version}; trunk and heads were "
        "told where their procedural nodules lie)",
        True,
    ),
}


class Read(NamedTuple):
    """What a file holds: `layers` in single precision, `name` in words for a report, `channels` it was made for.

    `channels` is empty where the network may have any. `preprocessing` is that of the trunk it was made from.
    """

    layers: Layers
    name: str
    channels: str
    preprocessing: Preprocessing


def pack(params: Mapping[str, Any], made_by: Mapping[str, Any], *, heads: bool) -> bytes:
    """Returns a trunk, with its heads and classifier if so, as the bytes of an `.npz` file in half precision.

    `made_by` is a note of how it was made.
    """
    arrays: dict[str, Any] = {
        f"{layer}/{part}": np.asarray(params[layer][part], np.float16)
        for layer in params
        if heads or layer in LAYERS
        for part in params[layer]
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, made_by=np.array(json.dumps(made_by, sort_keys=True)), **arrays)
    return buffer.getvalue()


def read(name: str, path: str = "") -> Read:
    """Reads an embedded start, or another file of its kind.

    Args:
        name: of `STARTS`.
        path: of another file; empty for the embedded one.

    Raises:
        InputError: if the file is not there or not what it should be.
    """
    start = STARTS[name]
    file_path = pathlib.Path(path) if path else pathlib.Path(__file__).with_name(start.file)
    how = f"make it with `python main.py --config={start.config}`"
    if not file_path.exists():
        raise InputError(f"{file_path}: no such file; {how}")
    try:
        # Opened here, because np.load leaves a damaged file open.
        with file_path.open("rb") as raw, np.load(raw) as file:
            heads = {key.split("/")[0] for key in file.files if "/" in key}
            layers: Layers = {
                layer: {part: file[f"{layer}/{part}"].astype(np.float32) for part in _parts(file, layer)}
                for layer in sorted(heads.union(LAYERS))
            }
            made_by = json.loads(str(file["made_by"]))
            channels = made_by["channels"] if start.heads else ""
            looks = made_by.get("preprocessing")
            name = start.taught.format(**{"after": "not ImageNet"} | made_by)
            return Read(layers, name, channels, Preprocessing.from_json(looks) if looks else LUNG)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file_path}: is no start on {name}; {how}, or set config.model.start='imagenet'"
        ) from error


def _parts(file: Mapping[str, Any], layer: str) -> list[str]:
    """Returns the parts of a layer: kernel and bias, and of a head that stands on large numbers its factor."""
    return [*PARTS, *([FACTOR] if f"{layer}/{FACTOR}" in file else [])]
