"""The regions of a slice: each variant's scopes and candidates, first proposed on the host, then screened."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from wsns.segmentation.candidates import candidates
from wsns.segmentation.nam import Reading
from wsns.segmentation.options import Options
from wsns.segmentation.outline import choose
from wsns.segmentation.results import Region, SliceResult
from wsns.segmentation.scope import first_scopes, narrowed_scope, smooth
from wsns.segmentation.screening import Masking, fill_values

Regions = dict[int, tuple[Region, ...]]
"""One slice's regions, one per nodule sought, by number of GAPs."""

Screen = Callable[[np.ndarray, Reading, Sequence[Masking]], np.ndarray]
"""`screen(hu (N, S, S), reading of the 1-GAP network, P maskings)` returns Eq. 4's scores (P,)."""


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
        found = candidates(
            *(labels, scope, hull, spacing),
            openings=options.openings,
            min_area=options.min_area,
            limit=options.max_candidates,
        )
        fill = fill_values(hu, lungs, found.masks, options.fill)
        return Region(first, scope, found.masks, found.cut, fill, np.full(len(fill), -np.inf, np.float32))

    return {gaps: tuple(region(first, gaps) for first in firsts) for gaps in sorted(nams)}, whole_lung


def screen_regions(
    found: Sequence[SliceResult], hu: np.ndarray, reading: Reading, screen: Screen, options: Options
) -> list[SliceResult]:
    """Scores the candidates of many slices together, those that variants share once, and chooses.

    Args:
        found: N slices with their regions, see `propose`.
        hu: (N, S, S) in HU.
        reading: of the 1-GAP network.
        screen: see `Screen`.
        options: the thresholds.

    Returns:
        The slices, their regions with `scores` and `chosen`.
    """
    maskings: dict[tuple[int, int, bytes], Masking] = {}
    for n, result in enumerate(found):
        for r, region in _numbered(result.regions):
            for mask, value in zip(region.candidates, region.fill, strict=True):
                maskings.setdefault((n, r, mask.tobytes()), Masking(n, mask, float(value), region.first))
    scores = dict(zip(maskings, screen(hu, reading, list(maskings.values())), strict=True))

    def screened(n: int, r: int, region: Region) -> Region:
        own = np.array([scores[n, r, mask.tobytes()] for mask in region.candidates], np.float32)
        return dataclasses.replace(region, scores=own, chosen=choose(own, region.candidates, options.outline))

    return [
        dataclasses.replace(
            result,
            regions={
                gaps: tuple(screened(n, r, region) for r, region in enumerate(variant))
                for gaps, variant in result.regions.items()
            },
        )
        for n, result in enumerate(found)
    ]


def _numbered(regions: Regions) -> Iterator[tuple[int, Region]]:
    for variant in regions.values():
        yield from enumerate(variant)
