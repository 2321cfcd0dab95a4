"""The task 'weights': ImageNet's weights of VGG16, fetched once or taken from a file, checked and reported."""

import hashlib
import pathlib
import re

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.models.weights import start
from wsns.models.weights.identify import Identity
from wsns.models.weights.start import KERAS_FILE, read_imagenet
from wsns.runtime.download import fetch

URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{KERAS_FILE}"
BYTES = 58_889_256
MD5 = "6d6bbae143d832006294945121d1f1fc"
"""As `keras.applications.vgg16` has it."""


def weights(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Prints what the weights of `model.weights` are; without a path, fetches Keras's file if it isn't there.

    Args:
        config: a run's config; only `model.weights` is read.
        workdir: not used: the file serves all runs, and lies in the checkout.

    Raises:
        InputError: if the file can't be fetched, isn't VGG16's, or is damaged.
    """
    given = config.model.weights
    path = pathlib.Path(given) if given else start.IMAGENET_FILE
    if not given:
        fetch_missing(path)
    read = read_imagenet(given)
    if not given:
        _must_be_the_original(read, path)
    use = f"--config.model.weights={given}" if given else "found by every run with model.start='imagenet'"
    print(table(read, path, use))


def ensure(config: ConfigDict) -> None:
    """Fetches ImageNet's weights if a config's networks start from them, and no file is given or there yet.

    Raises:
        InputError: if they can't be fetched, or the networks haven't VGG16's own width.
    """
    check_width(config)
    if config.model.start == "imagenet" and not config.model.weights and _has_trunk(config):
        fetch_missing(start.IMAGENET_FILE)


def check_width(config: ConfigDict) -> None:
    """Refuses ImageNet's weights for networks of another width than VGG16's own.

    Raises:
        InputError: with the field.
    """
    model = config.model
    if model.start == "imagenet" and model.width != 1 and _has_trunk(config):
        raise InputError(
            f"config.model.width={model.width:g}: ImageNet's weights have VGG16's own width; set "
            "config.model.width=1, or config.model.start='shapes' (width 1/8) or 'random'"
        )


def _has_trunk(config: ConfigDict) -> bool:
    return any(name != "unet" or config.unet.encoder == "vgg" for name in config.models)


def fetch_missing(path: pathlib.Path, url: str = URL, size: int = BYTES, md5: str = MD5) -> None:
    """Fetches Keras's file to `path`, unless something lies there; it is kept only if it is the original's to the bit.

    Raises:
        InputError: with what to put where, if it can't be fetched.
    """
    if path.exists():
        return
    try:
        fetch(
            url,
            path,
            size=size,
            md5=md5,
            accept=lambda new: _must_be_the_original(read_imagenet(str(new)), new),
        )
    except InputError as error:
        raise InputError(
            f"{error}; save that file ({size:,} bytes, MD5 {md5}) as {path} yourself, or give the path of weights "
            "that you have (.h5, .pth or .safetensors): --config.model.weights=PATH"
        ) from error


def table(read: Identity, path: pathlib.Path, use: str) -> str:
    """Returns what a file of weights holds and how it is used: a few lines.

    Raises:
        InputError: if the file's name holds another hash than the file has.
    """
    parameters = sum(part.size for layer in read.layers.values() for part in layer.values())
    rows = {
        "file": f"{path} ({path.stat().st_size / 1e6:,.1f} MB)",
        "format": read.kind,
        "numbers": read.network,
        "verified": f"{read.verified}{_named_hash(path)}",
        "preprocessing": str(read.preprocessing),
        "layers": f"{len(read.layers)} convolutions, {parameters:,} parameters",
        "use": use,
    }
    return "\n".join(f"{name:<14} {text}" for name, text in rows.items())


def _must_be_the_original(read: Identity, path: pathlib.Path) -> None:
    if not read.is_original_to_the_bit:
        raise InputError(
            f"{path}: is not Keras's file ({read.network}, {read.verified}); delete it, and the same command fetches "
            "it, or use it as it is: --config.model.weights=PATH"
        )


def _named_hash(path: pathlib.Path) -> str:
    """Checks a file against the hash in its name, which PyTorch's own files carry: `vgg16-397923af.pth`."""
    named = re.fullmatch(r"vgg16\w*(?:-\w+)?-([0-9a-f]{8})\.pth", path.name)
    if not named:
        return ""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(named[1]):
        raise InputError(
            f"{path}: its SHA-256 begins with {found[:8]}, not as its name says: damaged, get it again"
        )
    return f"; SHA-256 begins with {named[1]}, as the name says"
