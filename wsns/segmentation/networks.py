"""From trained networks to the method: what reads slices, what screens candidates, and what both are told of slices."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from wsns.data.records.schema import Slices
from wsns.errors import InputError
from wsns.models import factory
from wsns.models.preprocess import enlarge
from wsns.segmentation import pipeline, residual_nam, residual_nam_windows
from wsns.segmentation.batches import blocks, padded
from wsns.segmentation.nam import nothing, read_function
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network
from wsns.segmentation.regions import Screen

Trained = Mapping[str, tuple[factory.Network, Any]]
"""By name a network and its parameters."""


def weak_networks(
    config: ConfigDict, trained: Trained, options: Options
) -> tuple[dict[int, Network], Screen]:
    """Returns the weakly supervised networks by number of GAPs, and the screening by the 1-GAP network."""
    weak = {int(name[-1]): of for name, of in trained.items() if name != "unet"}
    incrementally = options.screening == "incremental"
    pool = config.model.pool
    networks = {}
    for gaps, (network, params) in weak.items():
        keep = residual_nam_windows.keep if incrementally and gaps == 1 else nothing
        read = read_function(network.apply, network.prepare, config.data.crop, options.contrast, keep, pool)
        networks[gaps] = read, params
    read, params = networks[1]
    if incrementally:
        own = functools.partial(residual_nam_windows.screen, contrast=options.contrast)
        first = functools.partial(own, read, weak[1][0].prepare, params)
    else:
        first = functools.partial(residual_nam.screen, read, params)
    return networks, functools.partial(first, chunk=options.copies)


def method_input(slices: Slices, channels: str) -> pipeline.Slices:
    """Returns what the method is told of slices: never an outline, but whether there may be two nodules.

    Args:
        slices: of the records.
        channels: `config.model.channels`, what its networks see.

    Raises:
        InputError: if they see the slices below and above, and the records don't hold them.
    """
    beside = slices.beside if channels == "neighbours" else None
    if beside is not None and not beside.shape[1]:
        raise InputError(
            "config.model.channels='neighbours', but these records hold no slices below and above: build them "
            "again with config.data.neighbours"
        )
    return pipeline.Slices(slices.hu, slices.lungs, slices.spacing, np.maximum(slices.count, 1), beside)


def segment_supervised(
    network: factory.Network, params: Any, slices: pipeline.Slices, batch: int
) -> Iterator[np.ndarray]:
    """Yields the U-Net's probability (S, S) of each pixel of slices, as `method_input` returns them."""
    for block in blocks(len(slices.hu), batch):
        hu = padded(slices.take(block).seen, batch)
        found = _pixel_probability(network.module, network.prepare, params, hu)
        yield from np.asarray(found)[: block.stop - block.start]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _pixel_probability(module: Any, prepare: Any, params: Any, hu: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(enlarge(module.apply({"params": params}, prepare(hu)), hu.shape[-1]))
