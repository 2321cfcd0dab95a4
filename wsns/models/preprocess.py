"""From Hounsfield units to what a network takes.

The HU window is mapped to one grey channel, repeated three times, or that of three slices to a channel each, and
normalised as the network that the
trunk comes from expects; the normalisation travels with the parameters, so that it can't be mixed up.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Triple = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """(grey · scale − mean) / std per channel, grey in 0…1.

    `channels` is the order of `mean`, `std` and the first layer's kernels: 'BGR', 'RGB', or 'grey' for three of
    the same.
    """

    scale: float
    mean: Triple
    std: Triple
    channels: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """Returns what `dataclasses.asdict` and JSON made lists of.

        Raises:
            TypeError: for other values than a `Preprocessing` has.
        """
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)

    def __str__(self) -> str:
        """Returns it in words for a table."""
        divided = "" if set(self.std) == {1.0} else f", divided by {self.std}"
        return f"{self.channels} in 0…{self.scale:g} minus {self.mean}{divided}"


KERAS = Preprocessing(255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "BGR")
"""Caffe's and Keras's VGG16, the original: 0…255 minus the means of ImageNet."""

TORCHVISION = Preprocessing(1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "RGB")
"""torchvision's and timm's VGG16: 0…1, normalised with mean and deviation of ImageNet."""

LUNG = Preprocessing(1.0, (0.15, 0.15, 0.15), (0.2, 0.2, 0.2), "grey")
"""For trunks that saw CT-like grey values only: about zero mean and unit variance inside a lung."""


def prepare(
    hu: jax.Array, *, size: int, window: tuple[float, float], preprocessing: Preprocessing
) -> jax.Array:
    """Turns crops in HU into images (B, size, size, 3), by block means where S is larger.

    Args:
        hu: crops (B, S, S), which become three equal channels, or (B, 3, S, S), three slices that become a channel
            each; any real type.
        size: height and width of the network's input; S must be a multiple of it.
        window: the HU mapped to black and to white.
        preprocessing: of the trunk's source network.

    Raises:
        ValueError: if S is no multiple of `size`.
    """
    *leading, side, _ = hu.shape
    if side % size:
        raise ValueError(f"crops of {side} pixels can't be reduced to {size}: no whole factor")
    low, high = window
    factor = side // size
    clipped = jnp.clip(hu.astype(jnp.float32), low, high).reshape(*leading, size, factor, size, factor)
    if hu.ndim == 4:
        return _three_slices(clipped.sum(axis=(-3, -1)), factor**2, window, preprocessing)
    # Sums of whole HU are exact: a window of a slice is prepared to the bit as the slice is.
    means = clipped.mean(axis=(2, 4))
    grey = (means - low) / (high - low)
    mean, std = jnp.array(preprocessing.mean), jnp.array(preprocessing.std)
    return (grey[..., None] * preprocessing.scale - mean) / std


def _three_slices(
    sums: jax.Array, pixels: int, window: tuple[float, float], preprocessing: Preprocessing
) -> jax.Array:
    """Returns images (B, size, size, 3) of three slices' sums (B, 3, size, size) of so many clipped pixels each.

    It is the same map from HU to what a network takes, as a difference and then a product: of a product and then a
    difference, compilers make one rounding or two, as the shapes have it, and a window would differ from its slice.
    """
    low, high = window
    mean, std = (np.array(values) / preprocessing.scale for values in (preprocessing.mean, preprocessing.std))
    zero = (low + mean * (high - low)) * pixels
    per_hu = 1 / (std * (high - low) * pixels)
    return (jnp.moveaxis(sums, 1, -1) - zero.astype(np.float32)) * per_hu.astype(np.float32)


def enlarge(maps: jax.Array, size: int) -> jax.Array:
    """Interpolates maps (B, h, w) bilinearly to (B, size, size)."""
    return jax.image.resize(maps, (maps.shape[0], size, size), "bilinear")
