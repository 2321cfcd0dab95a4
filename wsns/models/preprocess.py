"""From Hounsfield units to what a network takes.

The HU window is mapped to one grey channel, repeated three times, and normalised as the network that the
trunk comes from expects; the normalisation travels with the parameters, so that it can't be mixed up.
"""

import dataclasses

import jax
import jax.numpy as jnp

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
    """Turns crops (B, S, S) in HU into images (B, size, size, 3), by block means where S is larger.

    Args:
        hu: crops, any real type.
        size: height and width of the network's input; S must be a multiple of it.
        window: the HU mapped to black and to white.
        preprocessing: of the trunk's source network.

    Raises:
        ValueError: if S is no multiple of `size`.
    """
    batch, side, _ = hu.shape
    if side % size:
        raise ValueError(f"crops of {side} pixels can't be reduced to {size}: no whole factor")
    low, high = window
    clipped = jnp.clip(hu.astype(jnp.float32), low, high)
    factor = side // size
    # Sums of whole HU are exact: a window of a slice is prepared to the bit as the slice is.
    means = clipped.reshape(batch, size, factor, size, factor).mean(axis=(2, 4))
    grey = (means - low) / (high - low)
    mean, std = jnp.array(preprocessing.mean), jnp.array(preprocessing.std)
    return (grey[..., None] * preprocessing.scale - mean) / std


def enlarge(maps: jax.Array, size: int) -> jax.Array:
    """Interpolates maps (B, h, w) bilinearly to (B, size, size)."""
    return jax.image.resize(maps, (maps.shape[0], size, size), "bilinear")
