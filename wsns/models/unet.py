"""The fully supervised baseline: a U-Net (Ronneberger et al. 2015) with same-size convolutions."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from wsns.models.conv import Conv
from wsns.models.vgg import max_pool

GROUP = 2
FILTERS = (64, 128, 256, 512, 1024)


class UNet(nn.Module):
    """Four levels down and up, two 3x3 convolutions each, skips by concatenation.

    Group normalisation and a start at rare pixels (5 %) are ours: without them the Dice of a few pixels in
    tens of thousands gives no direction, and the output goes to empty and stays there.

    The way up is a bilinear resize and a convolution: XLA's transposed convolution is some thirty times
    slower than that on a CPU.

    Attributes:
        width: factor on the numbers of filters; 1 is the original's 64 to 1,024.
        dtype: of the computation; parameters stay float32.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps prepared images (B, H, W, 3), H and W multiples of 16, to logits (B, H, W) of 'nodule'."""
        x = images.astype(self.dtype)
        skips = []
        for level, filters in enumerate(FILTERS):
            if level:
                x = max_pool(x)
            x = self._two_convs(x, filters, f"down{level + 1}")
            skips.append(x)
        for level in reversed(range(len(FILTERS) - 1)):
            skip = skips[level]
            x = jax.image.resize(x, (*skip.shape[:3], x.shape[-1]), "bilinear")
            x = self._conv(FILTERS[level], f"up{level + 1}_resized")(x)
            x = self._two_convs(jnp.concatenate([skip, x], axis=-1), FILTERS[level], f"up{level + 1}")
        rare = nn.initializers.constant(-3.0)
        return nn.Conv(1, (1, 1), bias_init=rare, name="output")(x)[..., 0].astype(jnp.float32)

    def _two_convs(self, x: jax.Array, filters: int, name: str) -> jax.Array:
        for layer in (1, 2):
            x = self._conv(filters, f"{name}_{layer}")(x)
            x = nn.relu(nn.GroupNorm(num_groups=None, group_size=GROUP, name=f"{name}_{layer}_norm")(x))
        return x

    def _conv(self, filters: int, name: str) -> Conv:
        return Conv(round(filters * self.width), self.dtype, nn.initializers.he_normal(), name=name)
