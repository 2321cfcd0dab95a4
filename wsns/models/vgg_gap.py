"""VGG16 with one, two or three Conv+GAP heads (section 2.1 of the paper).

pool5 and the fully connected layers of VGG16 are gone. After conv5_3 (1-GAP), also after conv4_3 (2-GAP),
also after conv3_3 (3-GAP) stands a 3x3 convolution with ReLU and a global pooling; the pooled features of
all heads are concatenated, coarsest first, into one fully connected layer with two outputs.

A head may have a constant by which its source is multiplied, see `wsns.models.head_scale`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from wsns.errors import InputError
from wsns.models.conv import Conv

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
HEAD_BLOCKS = (5, 4, 3)
HEAD_FILTERS = 1024
NODULE = 1
LSE_SHARPNESS = 6.0


class Output(NamedTuple):
    """What a forward pass returns.

    `logits` is (B, 2), normal and nodule. `maps` holds, coarsest first, what each head pools:
    (B, h_s, w_s, F), after the ReLU. `activations` holds every convolution's output by name.
    """

    logits: jax.Array
    maps: tuple[jax.Array, ...]
    activations: dict[str, jax.Array]


def max_pool(x: jax.Array) -> jax.Array:
    """Halves height and width, which must be even: (B, H, W, C) to (B, H/2, W/2, C).

    By a reshape, which XLA compiles to faster code on a CPU than `reduce_window`, forwards and backwards.
    """
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def pool_mean(x: jax.Array) -> jax.Array:
    """Returns the mean over all positions: (B, h, w, F) to (B, F)."""
    return x.mean(axis=(1, 2))


def pool_sum(x: jax.Array) -> jax.Array:
    """Returns the sum over all positions: (B, h, w, F) to (B, F). It is Eq. 1; the mean differs by a constant."""
    return x.sum(axis=(1, 2))


def pool_lse(x: jax.Array) -> jax.Array:
    """Returns the log-mean-exp over all positions: (B, h, w, F) to (B, F).

    Of the activations times `LSE_SHARPNESS`, divided by it, between mean and maximum: a nodule of a few positions is
    not averaged away, but Eq. 3 no longer holds.
    """
    positions = x.shape[1] * x.shape[2]
    return (jax.nn.logsumexp(LSE_SHARPNESS * x, axis=(1, 2)) - jnp.log(positions)) / LSE_SHARPNESS


class Pool(NamedTuple):
    """A global pooling: its function, (B, h, w, F) to (B, F), and what a report calls it."""

    function: Callable[[jax.Array], jax.Array]
    title: str


POOLS: Mapping[str, Pool] = {
    "mean": Pool(pool_mean, "mean"),
    "sum": Pool(pool_sum, "sum (Eq. 1)"),
    "lse": Pool(pool_lse, "log-mean-exp"),
}
"""By the words of `config.model.pool`."""


def global_pool(x: jax.Array, pool: str) -> jax.Array:
    """Pools (B, h, w, F) over all positions to (B, F), by one of `POOLS`.

    Raises:
        InputError: on any other `pool`.
    """
    if pool not in POOLS:
        raise InputError(f"pool is {pool!r}: use one of {', '.join(POOLS)}")
    return POOLS[pool].function(x)


class VGG(nn.Module):
    """The trunk and `gaps` heads.

    Attributes:
        gaps: 1, 2 or 3 heads.
        width: factor on the trunk's and heads' numbers of filters; 1 is VGG16.
        head_filters: filters of each head at width 1.
        pool: global pooling, one of `POOLS`.
        dtype: of the computation; parameters stay float32.
    """

    gaps: int = 1
    width: float = 1.0
    head_filters: int = HEAD_FILTERS
    pool: str = "mean"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> Output:
        """Maps prepared images (B, H, W, 3), H and W multiples of 16, to an `Output`."""
        activations = {}
        x = images.astype(self.dtype)
        for block, (filters, depth) in enumerate(BLOCKS, start=1):
            if block > 1:
                x = max_pool(x)
            for layer in range(1, depth + 1):
                name = f"conv{block}_{layer}"
                x = activations[name] = nn.relu(self._conv(filters, name)(x))
        maps = []
        for block in HEAD_BLOCKS[: self.gaps]:
            name = f"gap{block}"
            source = activations[f"conv{block}_3"]
            activations[name] = nn.relu(self._conv(self.head_filters, name)(source))
            maps.append(activations[name])
        features = jnp.concatenate([global_pool(m.astype(jnp.float32), self.pool) for m in maps], axis=-1)
        logits = nn.Dense(2, name="classifier")(features)
        return Output(logits, tuple(maps), activations)

    def _conv(self, filters: int, name: str) -> Conv:
        return Conv(round(filters * self.width), self.dtype, name=name)
