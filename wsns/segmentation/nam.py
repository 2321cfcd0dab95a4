"""Nodule activation maps (Eq. 1-3): the feature maps, weighted as the classifier weights them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from wsns.errors import InputError


class Reading(NamedTuple):
    """What a network says about slices: the nodule's `probability` (B,), the `nam` (B, S, S), and what is `kept`."""

    probability: jax.Array
    nam: jax.Array
    kept: Any = None


ReadFunction = Callable[[Any, jax.Array], Reading]
"""`read(params, hu (B, S, S) or (B, 3, S, S) in HU) -> Reading`, pure; the same object for every call."""


class HasMaps(Protocol):
    """What a network returns, as far as this package uses it."""

    logits: jax.Array
    maps: tuple[jax.Array, ...]


def nodule_weights(kernel: jax.Array, contrast: str = "difference") -> jax.Array:
    """Returns the weight (K,) of each feature for the nodule class.

    Args:
        kernel: (K, 2), the final layer; class 1 is "nodule".
        contrast: 'difference' (nodule minus normal weight: the map then explains the margin between the two
            scores) or 'nodule' (the nodule weight alone).

    Raises:
        InputError: on any other `contrast`.
    """
    if contrast == "difference":
        return kernel[:, 1] - kernel[:, 0]
    if contrast == "nodule":
        return kernel[:, 1]
    raise InputError(f"contrast is {contrast!r}: use 'difference' or 'nodule'")


def scale_maps(maps: Sequence[jax.Array], weights: jax.Array) -> tuple[jax.Array, ...]:
    """Returns the NAM of each scale at its own resolution, signed (Eq. 2): sum over k of w_k a_k.

    With mean pooling the means of the result, summed over scales, are the score without its bias (Eq. 3);
    with sum pooling its sums are.

    Args:
        maps: per scale (B, h, w, F) activations that go into global pooling.
        weights: (sum of F,) in the order in which the pooled features are concatenated.

    Returns:
        Per scale (B, h, w).

    Raises:
        InputError: if there are not as many weights as channels.
    """
    widths = [m.shape[-1] for m in maps]
    if sum(widths) != weights.shape[0]:
        raise InputError(f"{weights.shape[0]} weights for maps of {widths} channels: not of one network")
    starts = [sum(widths[:i]) for i in range(len(widths))]
    return tuple(
        jnp.einsum("bhwk,k->bhw", m, weights[start : start + width])
        for m, start, width in zip(maps, starts, widths, strict=True)
    )


def nam(maps: Sequence[jax.Array], weights: jax.Array, size: int, pool: str = "mean") -> jax.Array:
    """Returns the (multi-GAP) NAM (B, size, size): the scales' maps, bilinearly up-sampled and summed.

    Up-sampling keeps a map's mean, not its sum. With mean pooling, therefore, the mean of the result is the score
    without its bias (Eq. 3). With sum pooling a scale counts in the score by its number of cells, and so it does here,
    with that of the coarsest as one: the mean of the result, times the coarsest scale's number of cells, is the score
    without its bias. With log-mean-exp pooling the map is that of mean pooling, and Eq. 3 does not hold.

    Args:
        maps: see `scale_maps`, coarsest first.
        weights: see `scale_maps`.
        size: pixels along the edge of the result.
        pool: the network's global pooling; all but 'sum' have the map of 'mean'.
    """
    scales = scale_maps(maps, weights)
    upsampled = [jax.image.resize(scale, (scale.shape[0], size, size), "bilinear") for scale in scales]
    if pool == "sum":
        cells = [scale[0].size for scale in scales]
        upsampled = [each * (own / cells[0]) for each, own in zip(upsampled, cells, strict=True)]
    return sum(upsampled[1:], start=upsampled[0])


def nothing(output: Any, images: jax.Array) -> None:
    """Keeps nothing of a pass over images (B, H, W, 3)."""


@functools.lru_cache(maxsize=16)
def read_function(
    apply: Callable[[Any, jax.Array], HasMaps],
    prepare: Callable[[jax.Array], jax.Array],
    size: int,
    contrast: str = "difference",
    keep: Callable[[Any, jax.Array], Any] = nothing,
    pool: str = "mean",
) -> ReadFunction:
    """Composes preparation, network and NAM into the one function that segmentation calls.

    The same arguments give the same function: jitted callers take it as a static argument, and a new one compiles anew.

    Args:
        apply: `apply(params, images)`, the network; its result has `logits` (B, 2) and `maps`.
        prepare: turns HU crops (B, S, S) or (B, 3, S, S) into the network's input.
        size: S, pixels along the crop's edge.
        contrast: see `nodule_weights`.
        keep: `keep(output, images)`, what else is wanted of the pass.
        pool: of the network, see `nam`.

    Returns:
        `read(params, hu)`; `params['classifier']['kernel']` is the final layer.
    """

    def read(params: Any, hu: jax.Array) -> Reading:
        images = prepare(hu)
        output = apply(params, images)
        weights = nodule_weights(params["classifier"]["kernel"], contrast)
        probability = jax.nn.softmax(output.logits)[:, 1]
        return Reading(probability, nam(output.maps, weights, size, pool), keep(output, images))

    return read
