"""FROC: nodules found against false marks per scan, as the score that a mark needs falls."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, Resampled, nested_weights
from wsns.evaluation.metrics import ratio
from wsns.evaluation.scan_marks import Mark

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False marks per scan at which the sensitivity is given; LUNA16's."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scan:
    """A scan's `marks`, and the `nodules` it has, by their numbers."""

    patient: str
    nodules: tuple[int, ...]
    marks: Sequence[Mark]


@dataclasses.dataclass(frozen=True, eq=False)
class Froc:
    """Sensitivity over nodules by false marks per scan.

    `curve` is (2, T): false marks per scan and sensitivity, from the highest score down; `sensitivity` at `RATES`,
    where the curve ends earlier its last one; `mean`: theirs, and `drawn` the same under each draw.
    """

    curve: np.ndarray
    sensitivity: tuple[Estimate, ...]
    mean: Estimate
    drawn: Resampled
    scans: int
    nodules: int


def froc(scans: Sequence[Scan], *, draws: int, seed: int) -> Froc:
    """Returns the FROC of some scans.

    A nodule is found from the highest score of the marks that hit it on; a mark that hits one is no false mark.

    Args:
        scans: with and without nodules.
        draws: of patients and, in them, of nodules and of false marks, behind each interval.
        seed: of the draws.
    """
    best, false = [_best(scan) for scan in scans], [_false(scan) for scan in scans]
    scores = np.array([score for own in (*best, *false) for score in own], float)
    kind = np.repeat([1, 0], [sum(map(len, best)), sum(map(len, false))])
    # Every scan once more, for how often each was drawn.
    patient = np.array([scan.patient for scan in scans])
    whose = np.concatenate([np.repeat(patient, list(map(len, own))) for own in (best, false)] + [patient])
    kinds = np.concatenate([kind, np.full(len(scans), 2)])
    units = np.concatenate([np.arange(len(scores)), np.zeros(len(scans), int)])
    weights = nested_weights(whose, kinds, units, draws=draws, seed=seed)
    of_nodules, of_false = (weights[:, : len(scores)][:, kind == which] for which in (1, 0))
    thresholds = np.unique(scores[np.isfinite(scores)])[::-1]
    hits = _from(scores[kind == 1], of_nodules, thresholds)
    wrong = _from(scores[kind == 0], of_false, thresholds)
    sensitivity = ratio(hits, of_nodules.sum(axis=1)[:, None])
    per_scan = ratio(wrong, weights[:, len(scores) :].sum(axis=1)[:, None])
    at_rates = np.array([_at(rate, per_scan, sensitivity) for rate in RATES])
    patients = len({scan.patient for scan in scans if scan.nodules})
    mean = Resampled(at_rates.mean(axis=0), patients)
    return Froc(
        curve=np.stack([per_scan[0], sensitivity[0]]),
        sensitivity=tuple(Resampled(values, patients).estimate for values in at_rates),
        mean=mean.estimate,
        drawn=mean,
        scans=len(scans),
        nodules=sum(len(scan.nodules) for scan in scans),
    )


def _best(scan: Scan) -> list[float]:
    """Returns the highest score of each nodule's marks, minus infinity for one that none hits."""
    scores = [[mark.score for mark in scan.marks if nodule in mark.hits] for nodule in scan.nodules]
    return [max(own, default=-np.inf) for own in scores]


def _false(scan: Scan) -> list[float]:
    return [mark.score for mark in scan.marks if not mark.hits]


def _from(scores: np.ndarray, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Returns (draws, 1 + T): the weight (draws, E) of what scores at least as much as each threshold; first none."""
    order = np.argsort(-scores, kind="stable")
    sums = np.pad(np.cumsum(weights[:, order], axis=1), ((0, 0), (1, 0)))
    upto = np.searchsorted(-scores[order], -thresholds, side="right")
    return sums[:, np.concatenate([[0], upto])]


def _at(rate: float, per_scan: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    known = np.isfinite(sensitivity[:, 0])
    return np.where(known, np.where(per_scan <= rate + 1e-12, sensitivity, 0).max(axis=1), np.nan)
