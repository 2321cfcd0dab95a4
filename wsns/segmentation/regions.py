"""The regions of a slice: each variant's scopes and candidates, first proposed on the host, then screened."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.segmentation.candidates import Candidates, candidates
from wsns.segmentation.nam import Reading
from wsns.segmentation.options import Options
from wsns.segmentation.residual_nam import Masking, fill_values
from wsns.segmentation.results import Region, SliceResult
from wsns.segmentation.scope import first_scopes, narrowed_scope, smooth
from wsns.segmentation.selection import choose, edge_gradients
from wsns.segmentation.threshold_candidates import level_candidates

Regions = dict[int, tuple[Region, ...]]
"""One slice's regions, one per nodule sought, by number of GAPs."""

Screen = Callable[[np.ndarray, Reading, Sequence[Masking]], np.ndarray]
"""`screen(hu (N, S, S) or (N, 3, S, S), reading of the 1-GAP network, P maskings)` returns Eq. 4's scores (P,)."""


def propose(
    hu: np.ndarray,
    lungs: np.ndarray,
    spacing: float,
    count: int,
    nams: Mapping[int, np.ndarray],
    labels: np.ndarray,
    hull: np.ndarray,
    options: Options,
) -> tuple[Regions, bool]:
    """Finds one slice's scopes and candidates, not yet screened, for every variant.

    Args:
        hu: (S, S) in HU.
        lungs: (S, S), not 0 inside the lungs.
        spacing: mm per pixel.
        count: nodules to look for.
        nams: NAM (S, S) by number of GAPs.
        labels: (S, S) int, the phases.
        hull: (S, S) bool, the closed lungs.
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
        found = find_candidates(hu, labels, scope, hull, spacing, options)
        fill = fill_values(hu, lungs, found.masks, options.fill)
        edges = edge_gradients(hu, found.masks)
        return Region(
            first, scope, found.masks, found.cut, fill, edges, np.full(len(fill), -np.inf, np.float32)
        )

    return {gaps: tuple(region(first, gaps) for first in firsts) for gaps in sorted(nams)}, whole_lung


def find_candidates(
    hu: np.ndarray, labels: np.ndarray, scope: np.ndarray, hull: np.ndarray, spacing: float, options: Options
) -> Candidates:
    """Returns the candidates of a scope: nested pieces of the slice's phases, or of thresholds of the HU.

    Args:
        hu: (S, S) in HU.
        labels: (S, S) int, the phases; not looked at where the candidates stand on none.
        scope: (S, S) bool, where to look.
        hull: (S, S) bool, the closed lungs.
        spacing: mm per pixel.
        options: the thresholds.
    """
    area, most = options.min_area, options.max_candidates
    if options.candidates == "full":
        return level_candidates(hu, scope, hull, spacing, min_area=area, limit=most)
    return candidates(labels, scope, hull, spacing, openings=options.openings, min_area=area, limit=most)


def score_regions(
    found: Sequence[SliceResult], rows: Sequence[int], hu: np.ndarray, reading: Reading, screen: Screen
) -> list[SliceResult]:
    """Scores the candidates of many slices together; what is asked for twice is screened once.

    Args:
        found: results with their regions, see `propose`.
        rows: which slice each result is of; several may be of one, as variants of a threshold are.
        hu: (N, S, S) or (N, 3, S, S) in HU, what the network sees.
        reading: of the 1-GAP network.
        screen: see `Screen`.

    Returns:
        The results, their regions with `scores`.
    """
    maskings: dict[tuple[int, float, bytes, bytes], Masking] = {}

    def wanted(row: int, region: Region) -> Iterator[tuple[int, float, bytes, bytes]]:
        first = np.packbits(region.first).tobytes()
        for mask, value in zip(region.candidates, region.fill.tolist(), strict=True):
            key = row, value, np.packbits(mask).tobytes(), first
            maskings.setdefault(key, Masking(row, mask, value, region.first))
            yield key

    keys = [
        [list(wanted(row, region)) for region in _all(result)]
        for row, result in zip(rows, found, strict=True)
    ]
    scores = dict(zip(maskings, screen(hu, reading, list(maskings.values())), strict=True))

    def scored(result: SliceResult, own: list[Any]) -> SliceResult:
        numbers = iter(own)
        return _changed(result, lambda region: _with_scores(region, [scores[key] for key in next(numbers)]))

    return [scored(result, own) for result, own in zip(found, keys, strict=True)]


def choose_regions(result: SliceResult, options: Options) -> SliceResult:
    """Picks the candidate of each region by its scores, see `wsns.segmentation.selection.choose`."""
    return _changed(
        result,
        lambda region: dataclasses.replace(
            region, chosen=choose(region.scores, region.candidates, options.outline, region.edges)
        ),
    )


def _all(result: SliceResult) -> Iterator[Region]:
    for variant in result.regions.values():
        yield from variant


def _changed(result: SliceResult, change: Callable[[Region], Region]) -> SliceResult:
    regions = {gaps: tuple(change(region) for region in variant) for gaps, variant in result.regions.items()}
    return dataclasses.replace(result, regions=regions)


def _with_scores(region: Region, scores: Sequence[float]) -> Region:
    return dataclasses.replace(region, scores=np.array(scores, np.float32))
