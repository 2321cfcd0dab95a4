"""The method on slices: NAM, scope, phases, candidates, R-NAM screening, in this order, for each variant.

The 1-GAP network detects, gives the first scope C1 and screens; the NAM of a 2- or 3-GAP network only narrows
the scope ("Multi-GAP Segmentation").
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from wsns.data.lungs.hull import hull
from wsns.errors import InputError
from wsns.segmentation.batches import blocks, padded
from wsns.segmentation.candidates import candidates
from wsns.segmentation.icm import icm, lung_box
from wsns.segmentation.nam import NamFunction
from wsns.segmentation.options import Options
from wsns.segmentation.results import Region, SliceResult
from wsns.segmentation.scope import first_scopes, narrowed_scope, smooth
from wsns.segmentation.screening import Masking, choose, fill_values, screen_many

Network = tuple[NamFunction, Any]
"""A NAM function and the network's parameters."""

Regions = dict[int, tuple[Region, ...]]
"""One slice's regions, one per nodule sought, by number of GAPs."""


def segment_slices(
    hu: np.ndarray,
    lungs: np.ndarray,
    spacing: np.ndarray,
    counts: np.ndarray,
    networks: Mapping[int, Network],
    options: Options,
) -> Iterator[SliceResult]:
    """Segments slices, in their order, one result at a time.

    A result holds all intermediate steps (megabytes): keep what is needed of it and drop it.

    Args:
        hu: (N, S, S) in HU.
        lungs: (N, S, S) int, 1 and 2 for the two lungs, 0 elsewhere.
        spacing: (N,) mm per pixel.
        counts: (N,) how many nodules to look for, at least 1.
        networks: by number of GAPs: 1 (needed) and any of 2 and 3.
        options: the thresholds.

    Raises:
        InputError: without a 1-GAP network, or on a count below 1.
    """
    if 1 not in networks:
        raise InputError(f"networks are {sorted(networks)}: scope and screening need the 1-GAP network")
    if (np.asarray(counts) < 1).any():
        raise InputError("counts must be at least 1: leave slices in which no nodule is sought out")
    return itertools.chain.from_iterable(
        _segment_block(hu[block], lungs[block], spacing[block], counts[block], networks, options)
        for block in blocks(len(hu), options.batch)
    )


def compute_nams(hu: np.ndarray, network: Network, batch: int) -> np.ndarray:
    """Returns the NAMs (N, S, S) float32 of slices (N, S, S) in HU, `batch` at a time."""
    nams = np.zeros(hu.shape, np.float32)
    for block in blocks(len(hu), batch):
        rows = padded(hu[block].astype(np.float32), batch)
        nams[block] = _nam(*network, rows)[: block.stop - block.start]
    return nams


def compute_labels(hu: np.ndarray, lungs: np.ndarray, options: Options) -> np.ndarray:
    """Returns the phases (N, S, S) int8 of slices (N, S, S) in HU, `options.batch` at a time."""
    labels = np.zeros(hu.shape, np.int8)
    means = np.array(options.means, np.float32)
    for block in blocks(len(hu), options.batch):
        rows = padded(hu[block], options.batch), padded(lungs[block], options.batch)
        labels[block] = _phases(*rows, means, options.beta, options.sweeps)[: block.stop - block.start]
    return labels


def find_regions(
    nams: Mapping[int, np.ndarray],
    labels: np.ndarray,
    hull: np.ndarray,
    spacing: float,
    count: int,
    options: Options,
) -> tuple[Regions, bool]:
    """Finds one slice's scopes and candidates, not yet screened, for every variant.

    Args:
        nams: NAM (S, S) by number of GAPs.
        labels: (S, S) int, the phases.
        hull: (S, S) bool, the closed lungs.
        spacing: mm per pixel.
        count: nodules to look for.
        options: the thresholds.

    Returns:
        The regions, and whether their scope is the whole hull for want of a positive 1-GAP NAM.
    """
    smoothed = {gaps: smooth(nam, options.sigma) for gaps, nam in nams.items()}
    firsts, whole_lung = first_scopes(smoothed[1], hull, options.tau, count)

    def region(first: np.ndarray, gaps: int) -> Region:
        scope = first
        if gaps > 1:
            scope = narrowed_scope(smoothed[gaps], hull, first, options.tau, options.reach)
        found = candidates(
            *(labels, scope, hull, spacing),
            openings=options.openings,
            min_area=options.min_area,
            limit=options.max_candidates,
        )
        unscored = np.full(len(found.masks), -np.inf, np.float32)
        return Region(first, scope, found.masks, found.cut, unscored, None)

    return {gaps: tuple(region(first, gaps) for first in firsts) for gaps in sorted(nams)}, whole_lung


def screen_regions(
    found: Sequence[Regions],
    hu: np.ndarray,
    lungs: np.ndarray,
    nams: np.ndarray,
    network: Network,
    options: Options,
) -> list[Regions]:
    """Scores the candidates of many slices together, those that variants share once, and chooses.

    Args:
        found: N slices' regions, see `find_regions`.
        hu: (N, S, S) in HU.
        lungs: (N, S, S), not 0 inside the lungs.
        nams: (N, S, S), the 1-GAP NAMs.
        network: the 1-GAP network.
        options: the thresholds.

    Returns:
        The regions with `scores` and `chosen`.
    """
    maskings: dict[tuple[int, int, bytes], Masking] = {}
    for n, regions in enumerate(found):
        for r, region in _numbered(regions):
            values = fill_values(hu[n], lungs[n], region.candidates, options.fill)
            for mask, value in zip(region.candidates, values, strict=True):
                maskings.setdefault((n, r, mask.tobytes()), Masking(n, mask, float(value), region.first))
    changes = screen_many(*network, hu, nams, list(maskings.values()), options.batch)
    score = dict(zip(maskings, changes, strict=True))

    def screened(n: int, r: int, region: Region) -> Region:
        scores = np.array([score[n, r, mask.tobytes()] for mask in region.candidates], np.float32)
        chosen = choose(scores, region.candidates, options.outline)
        return dataclasses.replace(region, scores=scores, chosen=chosen)

    return [
        {gaps: tuple(screened(n, r, region) for r, region in enumerate(v)) for gaps, v in regions.items()}
        for n, regions in enumerate(found)
    ]


def _segment_block(
    hu: np.ndarray,
    lungs: np.ndarray,
    spacing: np.ndarray,
    counts: np.ndarray,
    networks: Mapping[int, Network],
    options: Options,
) -> Iterator[SliceResult]:
    maps = {gaps: compute_nams(hu, network, options.batch) for gaps, network in networks.items()}
    labels = compute_labels(hu, lungs, options)
    nams = [{gaps: stack[n] for gaps, stack in maps.items()} for n in range(len(hu))]
    hulls = [hull(lung, mm, options.hull_closing, options.hull_part) for lung, mm in zip(lungs, spacing)]
    found = [
        find_regions(nams[n], labels[n], hulls[n], spacing[n], counts[n], options) for n in range(len(hu))
    ]
    screened = screen_regions([regions for regions, _ in found], hu, lungs, maps[1], networks[1], options)
    for n, (_, whole_lung) in enumerate(found):
        yield SliceResult(nams[n], labels[n], hulls[n], screened[n], whole_lung)


def _numbered(regions: Regions) -> Iterator[tuple[int, Region]]:
    for variant in regions.values():
        yield from enumerate(variant)


@functools.partial(jax.jit, static_argnums=0)
def _nam(nam_fn: NamFunction, params: Any, hu: jax.Array) -> jax.Array:
    return nam_fn(params, hu)


@functools.partial(jax.jit, static_argnames="sweeps")
def _phases(hu: jax.Array, lungs: jax.Array, means: jax.Array, beta: float, sweeps: int) -> jax.Array:
    return jax.vmap(lambda image, lung: icm(image, lung_box(lung), means, beta, sweeps))(hu, lungs)
