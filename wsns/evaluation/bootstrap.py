"""Intervals by resampling patients, never slices: those of one patient resemble each other."""

import dataclasses

import numpy as np

DRAWS = 2000
LEVEL = 95.0


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it has nothing to stand on."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def times(self, factor: float) -> "Estimate":
        """Returns it in another unit, such as per cent; `factor` is positive."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high)


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
    rng = np.random.default_rng([seed, 0xE57])
    times = weights[1:].astype(int)
    for number in range(len(names)):
        for kind in np.unique(stratum[of_patient == number]):
            rows = np.flatnonzero((of_patient == number) & (stratum == kind))
            units, of_unit = np.unique(unit[rows], return_inverse=True)
            share = np.full(len(units), 1 / len(units))
            drawn[1:, rows] = rng.multinomial(times[:, number] * len(units), share)[:, of_unit]
    return drawn


def estimate(values: np.ndarray) -> Estimate:
    """Returns the figure of the first entry with the percentile interval of the others.

    Draws in which the figure is not defined (no true positive among the patients drawn) are left out.
    Without draws the interval is NaN rather than a deceptive point.

    Args:
        values: (1 + draws,) as from `patient_weights`' rows.
    """
    draws = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or draws.size == 0:
        return Estimate(float(values[0]))
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(float(values[0]), float(low), float(high))
