"""Figures over parts of the slices with one nodule, and beyond Table 1's columns, with intervals over patients."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, means
from wsns.evaluation.cases import Case
from wsns.evaluation.failure_modes import GOOD
from wsns.evaluation.localisation import NEAR_MM
from wsns.evaluation.resampled import Drawn

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


def group_rows(drawn: Drawn) -> list[GroupRow]:
    """Returns every method's figures over every group that has a slice, from slices with one nodule."""
    rows = []
    for method, cases in drawn.cases.items():
        for group, belongs in GROUPS.items():
            chosen = [n for n, case in enumerate(cases) if case.nodules == 1 and belongs(case)]
            if chosen:
                own, weights = [cases[n] for n in chosen], drawn.weights[:, chosen]
                figures = {name: _mean(own, value, weights) for name, value in MEASURES.items()}
                rows.append(GroupRow(method, group, len(chosen), figures))
    return rows


def _mean(cases: Sequence[Case], value: Value, weights: np.ndarray) -> Estimate:
    found = np.array([value(case) for case in cases], float)
    return means(found, np.array([case.patient for case in cases]), weights).estimate
