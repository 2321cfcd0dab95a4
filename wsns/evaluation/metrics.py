"""What one result is worth, and the figures of Table 1 from sums over slices: arrays in, numbers out."""

import math
from collections.abc import Mapping

import numpy as np

STANDS_ON = {
    **dict.fromkeys(("tpr", "fpr_nodule", "dice", "dice_sd", "sensitivity"), "positives"),
    **dict.fromkeys(("tp_dice", "tp_dice_sd", "tp_doa", "tp_doa_sd"), "true"),
    "fpr": "negatives",
}
"""Which slices each of `table_figures` is a figure of."""
FIGURES = ("tpr", "fpr", "fpr_nodule", "dice", "dice_sd", "tp_dice", "tp_dice_sd", "tp_doa", "tp_doa_sd")


def dice(result: np.ndarray, reference: np.ndarray) -> float:
    """Returns 2|A ∩ B| / (|A| + |B|) of two bool masks (S, S) of equal shape; 1 if both are empty.

    Raises:
        ValueError: if the shapes differ.
    """
    if result.shape != reference.shape:
        raise ValueError(f"masks differ in shape: {result.shape} and {reference.shape}")
    a, b = result.astype(bool), reference.astype(bool)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def area_mm2(mask: np.ndarray, spacing: float) -> float:
    """Returns the area of a mask (S, S) in mm², for square pixels of `spacing` mm."""
    return int(np.count_nonzero(mask)) * spacing**2


def equivalent_diameter_mm(area: float) -> float:
    """Returns the diameter in mm of the disc that has this area in mm²."""
    return math.sqrt(4 * area / math.pi)


def overlapped_nodules(result: np.ndarray, instances: np.ndarray) -> int:
    """Returns how many nodules the result touches in at least one pixel.

    Args:
        result: (S, S) bool.
        instances: (S, S) int, 1..n for the nodules of the consensus, 0 elsewhere.
    """
    return len(np.setdiff1d(instances[result.astype(bool)], 0))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Returns part / whole, both (R, ...), NaN where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def slice_terms(
    label: np.ndarray, detected: np.ndarray, hit: np.ndarray, dice: np.ndarray, doa: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns what each slice adds to the sums that `table_figures` needs.

    Args:
        label: (N,) 1 for a slice with a nodule, 0 for one without.
        detected: (N,) 1 where the slice was declared a nodule slice.
        hit: (N,) 1 where the result overlaps the consensus.
        dice: (N,) Dice of slices with a nodule, a miss counting 0; ignored where label is 0.
        doa: (N,) |area − area_ref| in mm²; ignored where the slice is no true positive.
    """
    positive = label.astype(bool)
    true = positive & detected.astype(bool) & hit.astype(bool)
    every_dice, true_dice, true_doa = (
        np.where(rows, values, 0.0) for rows, values in ((positive, dice), (true, dice), (true, doa))
    )
    return {
        "positives": positive.astype(float),
        "detected": (positive & detected.astype(bool)).astype(float),
        "true": true.astype(float),
        "wrong": (positive & detected.astype(bool) & ~true).astype(float),
        "dice": every_dice,
        "dice_squared": every_dice**2,
        "true_dice": true_dice,
        "true_dice_squared": true_dice**2,
        "true_doa": true_doa,
        "true_doa_squared": true_doa**2,
        "negatives": (~positive).astype(float),
        "alarms": (~positive & detected.astype(bool)).astype(float),
    }


def table_figures(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the columns of Table 1, and the sensitivity of slice detection, from sums over slices.

    A standard deviation is that of the population (no n − 1), so that identity 2 of the columns is exact.
    A figure without a slice to stand on is NaN (`tp_dice` without a true positive, `fpr` without negatives).

    Args:
        sums: the terms of `slice_terms`, summed over slices; arrays of one shape (R, ...), which the figures keep.
    """
    positives, true = sums["positives"], sums["true"]
    mean_dice = ratio(sums["dice"], positives)
    true_dice = ratio(sums["true_dice"], true)
    true_doa = ratio(sums["true_doa"], true)
    return {
        "tpr": ratio(true, positives),
        "fpr": ratio(sums["alarms"], sums["negatives"]),
        "fpr_nodule": ratio(sums["wrong"], positives),
        "dice": mean_dice,
        "dice_sd": _deviation(sums["dice_squared"], positives, mean_dice),
        "tp_dice": true_dice,
        "tp_dice_sd": _deviation(sums["true_dice_squared"], true, true_dice),
        "tp_doa": true_doa,
        "tp_doa_sd": _deviation(sums["true_doa_squared"], true, true_doa),
        "sensitivity": ratio(sums["detected"], positives),
    }


def pair_wins(score: np.ndarray, label: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Returns (groups, groups): how often a positive of one group outscores a negative of another, ties ½.

    The AUC is the sum of this matrix over the number of pairs; under group weights w (a bootstrap draw) it
    is wᵀ U w / (wᵀ positives · wᵀ negatives), so no draw has to sort again.

    Args:
        score: (N,) score, higher for a nodule.
        label: (N,) 0 or 1.
        group: (N,) int in 0..groups − 1, the patient.
        groups: number of groups.
    """
    wins = np.zeros((groups, groups))
    positive = label.astype(bool)
    for column in np.unique(group[~positive]):
        negatives = np.sort(score[~positive & (group == column)])
        below = np.searchsorted(negatives, score[positive], side="left")
        upto = np.searchsorted(negatives, score[positive], side="right")
        wins[:, column] = np.bincount(group[positive], (below + upto) / 2, minlength=groups)
    return wins


def _deviation(squares: np.ndarray, count: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Returns the population's standard deviation; the maximum is for a hair under zero by rounding."""
    return np.sqrt(np.maximum(ratio(squares, count) - mean**2, 0))
