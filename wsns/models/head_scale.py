"""Heads at unit scale: by what each head's input is divided, so that training doesn't depend on the trunk's units.

The original VGG16 answers in hundreds: on CT the rms of conv3_3 is about 370, of conv4_3 66, of conv5_3 5.5. Heads that
stand on it as it is diverge at the paper's learning rates. So each head's input is divided by the rms of its source, a
constant that belongs to the weights: measured once, kept among the head's parameters, never trained. Maps stay linear
in the head's output (Eq. 2 and 3 hold). The paper doesn't say what its authors did.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wsns.data.synthetic import patches, scanner
from wsns.models.conv import FACTOR
from wsns.models.preprocess import Preprocessing, prepare
from wsns.models.vgg_gap import BLOCKS, HEAD_BLOCKS, VGG
from wsns.models.weights.files import Layers

SEED = 0
DIGITS = 3
"""Significant ones of an rms: what differs beyond, from device to device, is rounding."""


@functools.cache
def reference_slices(size: int, factor: int) -> np.ndarray:
    """Returns synthetic CT slices (6, size, size) int16 in HU, at six heights of a chest; always the same.

    Args:
        size: pixels along the edge of a network's input.
        factor: pixels of the scan along the edge of one of these.
    """
    drawn = patches.patches(SEED, 1, size=size, factor=factor, looks=scanner.Ranges())
    return drawn.hu[:: patches.PER_SLICE]


def source_rms(
    layers: Layers,
    preprocessing: Preprocessing,
    *,
    size: int,
    factor: int,
    window: tuple[float, float],
    gaps: int = len(HEAD_BLOCKS),
) -> dict[str, float]:
    """Returns the rms over `reference_slices` of what each head of a trunk stands on, by the head's name.

    Args:
        layers: of conv1_1 to conv5_3, as `wsns.models.weights.files` has them.
        preprocessing: of their source network.
        size: pixels along the edge of the network's input.
        factor: pixels of the scan along the edge of one of these.
        window: HU mapped to black and white.
        gaps: of how many heads, the coarsest first.
    """
    module = VGG(gaps=1, width=layers["conv1_1"]["bias"].shape[0] / BLOCKS[0][0], head_filters=1)
    blank = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))["params"]
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), blank) | layers

    @jax.jit
    def mean_squares(image: jax.Array) -> list[jax.Array]:
        images = prepare(image[None], size=size, window=window, preprocessing=preprocessing)
        output: Any = module.apply({"params": params}, images)
        return [jnp.square(output.activations[f"conv{block}_3"]).mean() for block in HEAD_BLOCKS[:gaps]]

    squares = [jax.device_get(mean_squares(image)) for image in reference_slices(size, factor)]
    rms = np.sqrt(np.mean(squares, axis=0))
    return {f"gap{block}": float(f"{value:.{DIGITS}g}") for block, value in zip(HEAD_BLOCKS, rms)}


def words(rms: Mapping[str, float]) -> str:
    """Returns what each head stands on and its rms: 'conv5_3 5.66, conv4_3 66.2'."""
    return ", ".join(f"conv{head[-1]}_3 {value:g}" for head, value in rms.items())


def factors(rms: Mapping[str, float]) -> dict[str, dict[str, jax.Array]]:
    """Returns the constants (), to merge into the heads' parameters by the head's name; a silent source keeps 1."""
    return {head: {FACTOR: jnp.float32(1 / value if value > 0 else 1.0)} for head, value in rms.items()}
