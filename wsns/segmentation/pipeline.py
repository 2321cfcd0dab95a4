"""The method on slices: NAM, scope, phases, candidates, R-NAM screening, in this order, for each variant.

The 1-GAP network detects, gives the first scope C1 and screens; the NAM of a 2- or 3-GAP network only narrows
the scope ("Multi-GAP Segmentation").
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from wsns.data.lungs.hull import hull
from wsns.data.records.neighbours import stacked
from wsns.errors import InputError
from wsns.segmentation.batches import blocks, padded
from wsns.segmentation.energy import lung_box
from wsns.segmentation.icm import icm
from wsns.segmentation.nam import ReadFunction, Reading
from wsns.segmentation.options import Options
from wsns.segmentation.regions import Screen, choose_regions, propose, score_regions
from wsns.segmentation.results import SliceResult

Network = tuple[ReadFunction, Any]
"""What reads slices, and the network's parameters."""


class Slices(NamedTuple):
    """Slices to be segmented.

    `hu` is (N, S, S) in HU; `lungs` (N, S, S) int, 1 and 2 for the two lungs, 0 elsewhere; `spacing` (N,) mm per
    pixel; `counts` (N,) how many nodules to look for where one is detected, at least 1; `beside` (N, 2, S, S) in HU the
    slices below and above, for networks that see them. All but the networks looks at the slice alone.
    """

    hu: np.ndarray
    lungs: np.ndarray
    spacing: np.ndarray
    counts: np.ndarray
    beside: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """What the networks see, in HU: (N, S, S), or (N, 3, S, S) with the slices below and above."""
        return self.hu if self.beside is None else stacked(self.hu, self.beside)

    def take(self, rows: Any) -> "Slices":
        """Returns some of the slices."""
        given = {name: values[rows] for name, values in self._asdict().items() if values is not None}
        return Slices(**given)


def segment_slices(
    slices: Slices,
    networks: Mapping[int, Network],
    screen: Screen,
    options: Options,
    *,
    ahead: Callable[..., Iterator[Any]] = map,
    each: Callable[..., Iterator[Any]] = map,
) -> Iterator[SliceResult]:
    """Segments slices, in their order, one result at a time.

    A result holds all intermediate steps (megabytes): keep what is needed of it and drop it.

    Args:
        slices: N of them.
        networks: by number of GAPs: 1 (needed) and any of 2 and 3.
        screen: of the 1-GAP network, see `wsns.segmentation.residual_nam_windows.screen` (or `screening.screen`).
        options: the thresholds.
        ahead: like `map`; one that works in the background proposes the next candidates while these are screened.
        each: like `map`, over the slices of a block; one with threads uses the processor's other cores.

    Raises:
        InputError: without a 1-GAP network, or on a count below 1.
    """
    if 1 not in networks:
        raise InputError(f"networks are {sorted(networks)}: scope and screening need the 1-GAP network")
    if (np.asarray(slices.counts) < 1).any():
        raise InputError("counts must be at least 1: detection says in which slices no nodule is sought")

    def begin(block: slice) -> tuple[np.ndarray, Reading, list[SliceResult]]:
        part = slices.take(block)
        seen = part.seen
        readings = read_slices(seen, networks, options.batch)
        return seen, readings[1], propose_slices(part, readings, options, each)

    return (
        choose_regions(scored, options)
        for seen, reading, proposed in ahead(begin, blocks(len(slices.hu), options.batch))
        for scored in score_regions(proposed, range(len(seen)), seen, reading, screen)
    )


def read_slices(seen: np.ndarray, networks: Mapping[int, Network], size: int) -> dict[int, Reading]:
    """Reads N slices (N, ..., S, S), see `Slices.seen`, at most `size`, with each network; padded to that."""
    rows = padded(seen, size)
    return {gaps: _read(read, params, rows) for gaps, (read, params) in networks.items()}


def propose_slices(
    slices: Slices,
    readings: Mapping[int, Reading],
    options: Options,
    each: Callable[..., Iterator[Any]] = map,
) -> list[SliceResult]:
    """Finds what each slice's screening then chooses from; see `segment_slices` and `regions.propose`."""
    count = len(slices.hu)
    probabilities = {gaps: np.asarray(reading.probability)[:count] for gaps, reading in readings.items()}
    nams = {gaps: np.asarray(reading.nam)[:count] for gaps, reading in readings.items()}
    rows = np.flatnonzero(probabilities[1] >= options.detect)
    labels = compute_labels(slices.hu[rows], slices.lungs[rows], options)
    phases = dict(zip(rows.tolist(), labels, strict=True))

    def result(n: int) -> SliceResult:
        own = {gaps: stack[n] for gaps, stack in nams.items()}
        scores = {gaps: float(stack[n]) for gaps, stack in probabilities.items()}
        if n not in phases:
            return SliceResult(scores, own, detected=False)
        hu, lungs, spacing, sought = (values[n] for values in slices[:4])
        closed = hull(lungs, spacing, options.hull_closing, options.hull_part)
        regions, whole = propose(hu, lungs, spacing, sought, own, phases[n], closed, options)
        return SliceResult(scores, own, True, phases[n], closed, regions, whole)

    return list(each(result, range(count)))


def compute_labels(hu: np.ndarray, lungs: np.ndarray, options: Options) -> np.ndarray:
    """Returns the phases (N, S, S) int8 of slices (N, S, S) in HU; all 0 where the candidates stand on none."""
    labels = np.zeros(hu.shape, np.int8)
    if options.candidates != "phases":
        return labels
    means = np.array(options.means, np.float32)
    for block in blocks(len(hu), options.batch):
        rows = padded(hu[block], options.batch), padded(lungs[block], options.batch)
        found = _phases(*rows, means, options.beta, options.sweeps, options.reestimate)
        labels[block] = found[: block.stop - block.start]
    return labels


@functools.partial(jax.jit, static_argnums=0)
def _read(read: ReadFunction, params: Any, hu: jax.Array) -> Reading:
    return read(params, hu)


@functools.partial(jax.jit, static_argnames=("sweeps", "reestimate"))
def _phases(
    hu: jax.Array, lungs: jax.Array, means: jax.Array, beta: float, sweeps: int, reestimate: bool
) -> jax.Array:
    def one(image: jax.Array, lung: jax.Array) -> jax.Array:
        return icm(image, lung_box(lung), means, beta, sweeps, reestimate).labels

    return jax.vmap(one)(hu, lungs)
