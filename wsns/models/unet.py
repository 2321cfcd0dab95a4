"""The fully supervised baseline: a U-Net (Ronneberger et al. 2015) with same-size convolutions."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from wsns.models.conv import Conv
from wsns.models.vgg_gap import BLOCKS, max_pool

FILTERS = (64, 128, 256, 512, 1024)
ENCODERS = ("unet", "vgg")
Encoder = Literal["unet", "vgg"]


class UNet(nn.Module):
    """A way down and a way up of four levels, joined by concatenation.

    The way down is the original's, two 3x3 convolutions per level, or VGG16's trunk, in the layers' own names: then it
    can start from what the weakly supervised networks start from. Both end at stride 16. What the trunk hands on is
    normalised, as its layers are of very different scale.

    Group normalisation and a start at rare pixels (5 %) are ours: without them the Dice of a few pixels in
    tens of thousands gives no direction, and the output goes to empty and stays there.

    The way up is a bilinear resize and a convolution: XLA's transposed convolution is some thirty times
    slower than that on a CPU.

    Attributes:
        width: factor on the numbers of filters; 1 is the original's 64 to 1,024.
        encoder: the way down, 'unet' or 'vgg'.
        trunk_width: factor on VGG16's numbers of filters.
        group: channels that are normalised together.
        bias: first value of the logits' bias.
        dtype: of the computation; parameters stay float32.
    """

    width: float = 1.0
    encoder: Encoder = "unet"
    trunk_width: float = 1.0
    group: int = 2
    bias: float = -3.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps prepared images (B, H, W, 3), H and W multiples of 16, to logits (B, H, W) of 'nodule'."""
        down = self._trunk if self.encoder == "vgg" else self._down
        *skips, x = down(images.astype(self.dtype))
        for level, skip in reversed(list(enumerate(skips))):
            x = jax.image.resize(x, (*skip.shape[:3], x.shape[-1]), "bilinear")
            x = self._conv(FILTERS[level], f"up{level + 1}_resized")(x)
            x = self._two_convs(jnp.concatenate([skip, x], axis=-1), FILTERS[level], f"up{level + 1}")
        first = nn.initializers.constant(self.bias)
        return nn.Conv(1, (1, 1), bias_init=first, name="output")(x)[..., 0].astype(jnp.float32)

    def normalised(self) -> list[int]:
        """Returns the different numbers of filters that are normalised, all multiples of `group` in a network."""
        up = [round(filters * self.width) for filters in FILTERS]
        trunk = [round(filters * self.trunk_width) for filters, _ in BLOCKS]
        return sorted({*up} if self.encoder == "unet" else {*up[:-1], *trunk})

    def _down(self, x: jax.Array) -> list[jax.Array]:
        found = []
        for level, filters in enumerate(FILTERS):
            x = self._two_convs(max_pool(x) if level else x, filters, f"down{level + 1}")
            found.append(x)
        return found

    def _trunk(self, x: jax.Array) -> list[jax.Array]:
        found = []
        for block, (filters, depth) in enumerate(BLOCKS, start=1):
            x = max_pool(x) if block > 1 else x
            for layer in range(1, depth + 1):
                conv = Conv(round(filters * self.trunk_width), self.dtype, name=f"conv{block}_{layer}")
                x = nn.relu(conv(x))
            found.append(self._norm(f"conv{block}_norm")(x))
        return found

    def _two_convs(self, x: jax.Array, filters: int, name: str) -> jax.Array:
        for layer in (1, 2):
            x = self._conv(filters, f"{name}_{layer}")(x)
            x = nn.relu(self._norm(f"{name}_{layer}_norm")(x))
        return x

    def _norm(self, name: str) -> nn.GroupNorm:
        return nn.GroupNorm(num_groups=None, group_size=self.group, name=name)

    def _conv(self, filters: int, name: str) -> Conv:
        return Conv(round(filters * self.width), self.dtype, nn.initializers.he_normal(), name=name)
