"""Slices of one lung with round nodules, and a stand-in for the networks that is easy to foresee."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from discs import disc

from wsns.segmentation import residual_nam
from wsns.segmentation.nam import Reading
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Slices, segment_slices

SIZE = 64
OPTIONS = Options(detect=0.0, sigma=1.0, hull_closing=4.0, batch=4)
PARAMS = {"scale": jnp.float32(1.0), "low": jnp.float32(-800.0)}


def brightness(width):
    """A network stand-in: by how much the `width` x `width` pixels around exceed a level, in 1000 HU.

    It finds a nodule where a pixel is denser than -100 HU.
    """

    def read(params, hu):
        window = (1, width, width)
        above = (hu - params["low"]) / 1000
        nam = params["scale"] * jax.lax.reduce_window(above, 0.0, jax.lax.add, window, (1, 1, 1), "SAME")
        return Reading(jax.nn.sigmoid(hu.max(axis=(1, 2)) + 100.0), nam)

    return read


NETWORKS = {1: (brightness(15), PARAMS), 2: (brightness(9), PARAMS), 3: (brightness(5), PARAMS)}


def slices(*nodules, seed=0):
    """Slices with one lung; each entry lists the slice's nodules (row, column, radius)."""
    lung = disc(32, 32, 29)
    rng = np.random.default_rng(seed)
    hu = np.where(lung, -870, 40) + rng.normal(0, 15, (len(nodules), SIZE, SIZE))
    truth = np.zeros(hu.shape, bool)
    for n, places in enumerate(nodules):
        for place in places:
            truth[n] |= disc(*place)
    hu[truth] = 0
    lungs = np.broadcast_to(lung, hu.shape).astype(np.uint8)
    return hu.astype(np.int16), lungs, np.full(len(hu), 0.7), truth


def screener(networks=NETWORKS, options=OPTIONS):
    return functools.partial(residual_nam.screen, *networks.get(1, (None, None)), chunk=options.batch)


def segment(hu, lungs, spacing, counts, networks=NETWORKS, options=OPTIONS, **maps):
    # The stand-in sees the chest wall as bright; a real network has learnt not to.
    slices = Slices(np.where(lungs > 0, hu, -870), lungs, spacing, counts)
    return list(segment_slices(slices, networks, screener(networks, options), options, **maps))
