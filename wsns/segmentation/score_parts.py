"""A score taken apart (Eq. 1 to 3): how much of it each scale's activation map accounts for."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from wsns.errors import InputError
from wsns.segmentation.nam import HasMaps, nodule_weights, scale_maps


class Explained(NamedTuple):
    """`score` (B,) of the nodule, its `bias` (), and what each scale adds: `scales` (B, gaps), coarsest first.

    Eq. 3: score = bias + the sum of scales.
    """

    score: jax.Array
    bias: jax.Array
    scales: jax.Array


def explain(output: HasMaps, params: Any, pool: str, contrast: str = "difference") -> Explained:
    """Takes a network's scores apart.

    Args:
        output: of the forward pass of B slices.
        params: the network's parameters.
        pool: 'mean' or 'sum', the pooling of the forward pass.
        contrast: see `wsns.segmentation.nam.nodule_weights`.

    Raises:
        InputError: on any other pooling, which isn't linear in the map: Eq. 3 does not hold for it.
    """
    if pool not in ("mean", "sum"):
        raise InputError(
            f"pool is {pool!r}: a score is the mean or the sum of its map with 'mean' or 'sum' only"
        )
    final = params["classifier"]
    weights = nodule_weights(final["kernel"], contrast)
    score, bias = (nodule_weights(both, contrast) for both in (output.logits, final["bias"][None]))
    pooled = [getattr(nam, pool)(axis=(1, 2)) for nam in scale_maps(output.maps, weights)]
    return Explained(score, bias[0], jnp.stack(pooled, axis=1))
