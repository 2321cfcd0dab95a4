"""Figures over parts of the slices with one nodule, and beyond Table 1's columns, with intervals over patients."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, estimate, patient_weights
from wsns.evaluation.cases import Case
from wsns.evaluation.causes import GOOD
from wsns.evaluation.findings import NEAR_MM
from wsns.evaluation.metrics import ratio

SOLID = 4.0
"""Median of the readers' texture scores from which on a nodule is solid; below it is subsolid."""

GROUPS: Mapping[str, Callable[[Case], bool]] = {
    "all": lambda case: True,
    "solid": lambda case: case.texture is not None and case.texture >= SOLID,
    "subsolid": lambda case: case.texture is not None and case.texture < SOLID,
    "under 6 mm": lambda case: (case.diameter_mm or 0) < 6,
    "6 to 10 mm": lambda case: 6 <= (case.diameter_mm or 0) < 10,
    "10 mm and more": lambda case: (case.diameter_mm or 0) >= 10,
    "drawn by 1 or 2 readers": lambda case: case.readers is not None and case.readers <= 2,
    "drawn by 3": lambda case: case.readers == 3,
    "drawn by 4 or more": lambda case: case.readers is not None and case.readers >= 4,
}
"""Of slices with one nodule; a slice may be in several."""

Value = Callable[[Case], float | None]
MEASURES: Mapping[str, Value] = {
    "tpr": lambda case: float(bool(case.tp)),
    "dice": lambda case: case.dice,
    "tp_dice": lambda case: case.dice if case.tp else None,
    "hd95_mm": lambda case: case.hd95_mm,
    "assd_mm": lambda case: case.assd_mm,
    "surface_dice": lambda case: case.surface_dice,
    "peak_hit": lambda case: None if case.peak_mm is None else float(case.peak_mm <= NEAR_MM),
    "peak_chance": lambda case: case.peak_chance,
    "best_dice": lambda case: case.best_dice,
    "existed": lambda case: None if case.best_dice is None else float(case.best_dice >= GOOD),
    "right": lambda case: None if case.best_dice is None else float(bool(case.same_object)),
    "reader_dice": lambda case: case.reader_dice,
}
"""What a slice with one nodule gives; None where it has no part in the mean."""


@dataclasses.dataclass(frozen=True)
class GroupRow:
    """One method over one group: `n` slices, and the mean of each of `MEASURES` over those that have it."""

    method: str
    group: str
    n: int
    figures: Mapping[str, Estimate]


def group_rows(cases: Sequence[Case], *, draws: int, seed: int) -> list[GroupRow]:
    """Returns every method's figures over every group that has a slice, from slices with one nodule.

    Args:
        cases: of one or more methods.
        draws: of patients, behind each interval; the same for all methods and groups.
        seed: of the draws.
    """
    names = sorted({case.patient for case in cases})
    patient = {name: number for number, name in enumerate(names)}
    weights = patient_weights(len(names), draws=draws, seed=seed)
    rows = []
    for method in dict.fromkeys(case.method for case in cases):
        own = [case for case in cases if case.method == method and case.nodules == 1]
        for group, belongs in GROUPS.items():
            if chosen := [case for case in own if belongs(case)]:
                figures = {name: _mean(chosen, value, patient, weights) for name, value in MEASURES.items()}
                rows.append(GroupRow(method, group, len(chosen), figures))
    return rows


def _mean(cases: Sequence[Case], value: Value, patient: Mapping[str, int], weights: np.ndarray) -> Estimate:
    pairs = [(patient[case.patient], found) for case in cases if (found := value(case)) is not None]
    rows, values = np.array([row for row, _ in pairs], int), np.array([found for _, found in pairs], float)
    number = len(patient)
    sums = np.bincount(rows, values, minlength=number), np.bincount(rows, minlength=number)
    return estimate(ratio(weights @ sums[0], weights @ sums[1]))
