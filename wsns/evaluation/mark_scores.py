"""How much a candidate looks like a nodule: several scores, of which FROC ranks marks by one."""

import math
from collections.abc import Mapping

import numpy as np

from wsns.segmentation.results import SliceResult

SCORES = {
    "probability": "the 1-GAP probability of its slice, which all candidates of the slice share",
    "change": "log of the change by Eq. 4 when it is masked, and logit of the slice's 1-GAP probability",
    "maps": "the highest value of each network's map in it, summed",
    "edge": "the highest value in it of the map of most GAPs, times the HU gradient along its outline",
}
"""What a candidate can be scored by; `config.scans.score`."""
NEAR_ONE = 1e-7
SMALLEST = float(np.finfo(np.float32).tiny)


def candidate_scores(
    probability: float, change: float, edge: float, peaks: Mapping[int, float]
) -> dict[str, float]:
    """Returns a candidate's score by each of `SCORES`, higher for a nodule, all finite.

    Args:
        probability: of its slice, by the 1-GAP network.
        change: of the 1-GAP map when the candidate is masked (Eq. 4), at least 0.
        edge: mean HU gradient along its outline, per pixel.
        peaks: by number of GAPs the highest value of the map in it.
    """
    p = min(max(probability, NEAR_ONE), 1 - NEAR_ONE)
    # Where nothing changes, nothing is there; a logarithm must not say so with minus infinity.
    changed = math.log(max(change, SMALLEST))
    return {
        "probability": probability,
        "change": changed + math.log(p / (1 - p)),
        "maps": math.fsum(peaks.values()),
        "edge": peaks[max(peaks)] * edge,
    }


def result_scores(result: SliceResult, gaps: int) -> dict[str, float]:
    """Returns what `candidate_scores` gives a variant's result, of several nodules the highest; empty without one.

    Args:
        result: of a slice, screened.
        gaps: which variant.
    """
    found = []
    for region in result.regions.get(gaps, ()):
        if region.chosen is not None:
            mask = region.candidates[region.chosen]
            peaks = {number: float(nam[mask].max()) for number, nam in result.nams.items()}
            own = float(region.scores[region.chosen]), float(region.edges[region.chosen])
            found.append(candidate_scores(result.probabilities[1], *own, peaks))
    return {name: max(own[name] for own in found) for name in SCORES} if found else {}
