"""FROC: nodules found against false marks per scan, as the score that a mark needs falls."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, estimate, patient_weights
from wsns.evaluation.marks import Mark
from wsns.evaluation.metrics import ratio

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
    where the curve ends earlier its last one; `mean`: theirs.
    """

    curve: np.ndarray
    sensitivity: tuple[Estimate, ...]
    mean: Estimate
    scans: int
    nodules: int


def froc(scans: Sequence[Scan], *, draws: int, seed: int) -> Froc:
    """Returns the FROC of some scans.

    A nodule is found from the highest score of the marks that hit it on; a mark that hits one is no false mark.

    Args:
        scans: with and without nodules.
        draws: of patients, behind each interval.
        seed: of the draws.
    """
    names, patients = np.unique([scan.patient for scan in scans], return_inverse=True)
    weights = patient_weights(len(names), draws=draws, seed=seed)[:, patients]
    found, found_in = _events([_found(scan) for scan in scans])
    false, false_in = _events([[mark.score for mark in scan.marks if not mark.hits] for scan in scans])
    thresholds = np.unique(np.concatenate([found, false]))[::-1]
    hits = _from(found, weights[:, found_in], thresholds)
    wrong = _from(false, weights[:, false_in], thresholds)
    number = weights @ np.array([len(scan.nodules) for scan in scans], float)
    sensitivity = ratio(hits, number[:, None])
    per_scan = ratio(wrong, weights.sum(axis=1)[:, None])
    at_rates = np.array([_at(rate, per_scan, sensitivity) for rate in RATES])
    return Froc(
        curve=np.stack([per_scan[0], sensitivity[0]]),
        sensitivity=tuple(estimate(values) for values in at_rates),
        mean=estimate(at_rates.mean(axis=0)),
        scans=len(scans),
        nodules=sum(len(scan.nodules) for scan in scans),
    )


def _found(scan: Scan) -> list[float]:
    """Returns the highest score of each nodule's marks; nothing for one that none hits."""
    scores = [[mark.score for mark in scan.marks if nodule in mark.hits] for nodule in scan.nodules]
    return [max(own) for own in scores if own]


def _events(by_scan: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns all scores (E,) and which scan each is of (E,)."""
    scores = np.array([score for own in by_scan for score in own], float)
    return scores, np.repeat(np.arange(len(by_scan)), [len(own) for own in by_scan])


def _from(scores: np.ndarray, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Returns (draws, 1 + T): the weight (draws, E) of what scores at least as much as each threshold; first none."""
    order = np.argsort(-scores, kind="stable")
    sums = np.pad(np.cumsum(weights[:, order], axis=1), ((0, 0), (1, 0)))
    upto = np.searchsorted(-scores[order], -thresholds, side="right")
    return sums[:, np.concatenate([[0], upto])]


def _at(rate: float, per_scan: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    known = np.isfinite(sensitivity[:, 0])
    return np.where(known, np.where(per_scan <= rate + 1e-12, sensitivity, 0).max(axis=1), np.nan)
