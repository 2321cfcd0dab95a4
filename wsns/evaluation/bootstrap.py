"""Intervals by resampling patients, and what is in them: slices of one patient resemble each other.

With a handful of patients a bootstrap over patients alone covers too little: 0.77 to 0.80 instead of 0.95 with four,
0.88 to 0.90 with eleven. Two stages, and tails for the (n − 1)/n by which a bootstrap's variance of n patients falls
short, come to 0.92 to 0.94 with four and 0.95 to 0.97 with eleven (`benchmarks/coverage.py`).
"""

import dataclasses
import math

import numpy as np
from scipy import stats

DRAWS = 2000
LEVEL = 95.0
FEWEST = 4
"""Patients behind a figure from which on it gets an interval: with three it would hold 0.89 to 0.91 of the truths."""
TOO_FEW = "too few for an interval"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it has nothing to stand on, or too few patients."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def times(self, factor: float) -> "Estimate":
        """Returns it in another unit, such as per cent; `factor` is positive."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high)


@dataclasses.dataclass(frozen=True, eq=False)
class Resampled:
    """A figure's `values` (1 + draws,), first itself, then under each draw; `patients`: on how many it stands."""

    values: np.ndarray
    patients: int

    def __sub__(self, other: "Resampled") -> "Resampled":
        return Resampled(self.values - other.values, min(self.patients, other.patients))

    @property
    def estimate(self) -> Estimate:
        """The figure with its interval, see `estimate`."""
        return estimate(self.values, self.patients)


def patient_weights(patients: int, *, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Returns (1 + draws, patients): a row of ones, then how often each draw took each patient.

    The first row gives the figures themselves, the others their spread. The same weights for every method
    make differences between methods paired. A single patient has no spread: there are no draws then.
    """
    if patients < 2:
        return np.ones((1, patients))
    draw = np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), size=draws)
    return np.vstack([np.ones((1, patients)), draw])


def nested_weights(
    patient: np.ndarray, stratum: np.ndarray, unit: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Returns (1 + draws, N): how often each draw took each slice, where patients are drawn and what is in them too.

    First patients are drawn with replacement; in each time a patient is drawn, as many units as it has, with
    replacement, from each of its strata: with a handful of patients, their own number of nodules matters as much as
    theirs. The first row is ones; a single patient has no draws, see `patient_weights`.

    Args:
        patient: (N,) whose slice it is.
        stratum: (N,) among which of a patient's units one is drawn, as nodules and slices without one.
        unit: (N,) slices of one unit go together, as those of a nodule.
        draws: of patients.
        seed: of the draws.
    """
    names, of_patient = np.unique(patient, return_inverse=True)
    weights = patient_weights(len(names), draws=draws, seed=seed)
    drawn = np.ones((len(weights), len(patient)))
    if len(weights) == 1:
        return drawn
    rng = np.random.default_rng([seed, 0xE57])
    times = weights[1:].astype(int)
    for number in range(len(names)):
        for kind in np.unique(stratum[of_patient == number]):
            rows = np.flatnonzero((of_patient == number) & (stratum == kind))
            units, of_unit = np.unique(unit[rows], return_inverse=True)
            share = np.full(len(units), 1 / len(units))
            drawn[1:, rows] = rng.multinomial(times[:, number] * len(units), share)[:, of_unit]
    return drawn


def tails(patients: int) -> tuple[float, float]:
    """Returns the percentiles of the draws that bound the interval of a figure of n patients.

    A bootstrap of n spreads by sqrt((n − 1)/n) too little; a normal's quantile, larger by as much, makes up for it.
    """
    wider = math.sqrt(patients / (patients - 1))
    low = 100 * float(stats.norm.cdf(wider * stats.norm.ppf((100 - LEVEL) / 200)))
    return low, 100 - low


def estimate(values: np.ndarray, patients: int) -> Estimate:
    """Returns the figure of the first entry with the percentile interval of the others.

    Draws in which the figure is not defined (no true positive among the patients drawn) are left out.
    Without draws, and with fewer than `FEWEST` patients, the interval is NaN rather than a deceptive one.

    Args:
        values: (1 + draws,) as from `patient_weights`' rows.
        patients: how many have something of which the figure is made.
    """
    draws = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or draws.size == 0 or patients < FEWEST:
        return Estimate(float(values[0]))
    low, high = np.percentile(draws, tails(patients))
    return Estimate(float(values[0]), float(low), float(high))


def means(values: np.ndarray, patient: np.ndarray, weights: np.ndarray) -> Resampled:
    """Returns the mean of those values (N,) that are not NaN.

    Args:
        values: (N,).
        patient: (N,) whose each is.
        weights: (1 + draws, N).
    """
    known = np.isfinite(values)
    sums, total = weights[:, known] @ values[known], weights[:, known].sum(axis=1)
    found = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return Resampled(found, count(patient, known))


def count(patient: np.ndarray, rows: np.ndarray) -> int:
    """Returns of how many patients some rows (N,) bool are."""
    return len(np.unique(patient[rows]))
