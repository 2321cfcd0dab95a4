"""A slice classifier beyond its accuracy: ROC, precision, calibration, with intervals over patients.

A draw of the bootstrap weighs each slice by how often it was drawn; all draws share one sorting.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from wsns.evaluation.bootstrap import FEWEST, Estimate, count, estimate, tails
from wsns.evaluation.metrics import ratio

SPECIFICITIES = (0.8, 0.9, 0.95)
BINS = 10
GRID = np.linspace(0, 1, 101)
"""False positive rates at which the ROC curve's band is given."""


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
    """How well scores tell slices with a nodule from those without, and what they are worth as probabilities.

    `average_precision`: the mean precision over recall, in steps; `brier`: mean squared difference of score and label;
    `calibration_error`: mean |score − share of nodules| over ten bins of the score, by slices; `sensitivity` by
    specificity, the highest that a threshold reaches. `roc` is (4, 101): false positive rate, true positive rate, and
    its interval; `reliability` (3, bins): slices, mean score and share of nodules of each bin, NaN where it is empty.
    """

    average_precision: Estimate
    brier: Estimate
    calibration_error: Estimate
    sensitivity: Mapping[float, Estimate]
    roc: np.ndarray
    reliability: np.ndarray


def curves(score: np.ndarray, label: np.ndarray, patient: np.ndarray, weights: np.ndarray) -> Curves:
    """Returns a classifier's curves.

    Args:
        score: (N,) probability of a nodule.
        label: (N,) 0 or 1; with one of the two alone the figures that need both are NaN.
        patient: (N,) whose slice it is.
        weights: (1 + draws, N), how often each draw took each slice; the first row is ones.
    """
    score, positive, patient = np.asarray(score, float), np.asarray(label) > 0, np.asarray(patient)
    every, found_in = len(np.unique(patient)), count(patient, positive)
    both = min(found_in, count(patient, ~positive))
    total = weights.sum(axis=1)
    true, false = rates(score, positive, weights)
    found, number, mean, share = _bins(score, positive, weights)
    at_grid = np.array([_upper(f, t) for f, t in zip(false, true, strict=True)])
    low, high = _band(at_grid, both)
    return Curves(
        average_precision=estimate(_average_precision(score, positive, weights), found_in),
        brier=estimate(ratio(weights @ (score - positive) ** 2, total), every),
        calibration_error=estimate(ratio(found, total), every),
        sensitivity={
            specificity: estimate(_best(true, false, 1 - specificity), both) for specificity in SPECIFICITIES
        },
        roc=np.stack([GRID, at_grid[0], low, high]),
        reliability=np.stack([number, mean, share]),
    )


def _cumulated(score: np.ndarray, of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns (draws, thresholds): the weight of slices `of` (N,) bool from each score upwards, scores descending."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return np.cumsum(weights[:, order] * of[order], axis=1)[:, last]


def rates(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns true and false positive rates (draws, 1 + thresholds), from 0 to 1.

    NaN in draws that took no slice of one of the two kinds.

    Args:
        score: (N,) probability of a nodule.
        positive: (N,) bool.
        weights: (draws, N), see `curves`.
    """
    found = []
    for group in (positive, ~positive):
        counts = _cumulated(score, group, weights)
        found.append(ratio(np.pad(counts, ((0, 0), (1, 0))), counts[:, -1:]))
    return found[0], found[1]


def auc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the area under the ROC curve (1 + draws,), NaN in draws that took no slice of one of the two kinds.

    Args:
        score: (N,), higher for a nodule.
        positive: (N,) bool.
        weights: (1 + draws, N), see `curves`.
    """
    true, false = rates(score, positive, weights)
    return np.trapezoid(true, false, axis=1)


def _average_precision(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    true, false = (_cumulated(score, group, weights) for group in (positive, ~positive))
    # A threshold that no slice of a draw reaches adds no recall, whatever its precision.
    precision = np.nan_to_num(ratio(true, true + false))
    return ratio((np.diff(true, axis=1, prepend=0) * precision).sum(axis=1), true[:, -1])


def _best(true: np.ndarray, false: np.ndarray, limit: float) -> np.ndarray:
    known = np.isfinite(true[:, -1]) & np.isfinite(false[:, -1])
    return np.where(known, np.where(false <= limit + 1e-12, true, 0).max(axis=1), np.nan)


def _upper(false: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns the true positive rate at each of `GRID`, straight between the curve's corners; NaN if there is none."""
    if not (np.isfinite(false).all() and np.isfinite(true).all()):
        return np.full(len(GRID), np.nan)
    # Where the curve rises straight up, its upper end stands.
    last = np.append(np.diff(false) > 0, True)
    return np.interp(GRID, false[last], true[last])


def _band(at_grid: np.ndarray, patients: int) -> tuple[np.ndarray, np.ndarray]:
    draws = at_grid[1:][np.isfinite(at_grid[1:, 0])]
    if not len(draws) or patients < FEWEST:
        return np.full(len(GRID), np.nan), np.full(len(GRID), np.nan)
    low, high = np.percentile(draws, tails(patients), axis=0)
    return low, high


def _bins(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns each draw's summed |score − share| over bins, and the bins' slices, mean score and share."""
    which = np.minimum((score * BINS).astype(int), BINS - 1)
    of_bin = which[:, None] == np.arange(BINS)
    count = weights @ of_bin
    scores, found = weights @ (of_bin * score[:, None]), weights @ (of_bin * positive[:, None])
    return np.abs(scores - found).sum(axis=1), count[0], ratio(scores[0], count[0]), ratio(found[0], count[0])
