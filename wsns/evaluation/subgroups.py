"""Figures over parts of the slices with one nodule, and beyond Table 1's columns, with intervals over patients."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, means
from wsns.evaluation.cases import Case
from wsns.evaluation.failure_modes import GOOD
from wsns.evaluation.localisation import NEAR_MM
from wsns.evaluation.resampled import Drawn
from wsns.evaluation.surface_distance import TOLERANCE_MM

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
PEAK = (
    "peak",
    "the map’s highest pixel within the closed hull of the lungs, where the method seeks; a hit lies within "
    f"{NEAR_MM:g} mm of the nodule. By chance: the share of that hull within that distance",
)
CANDIDATE = ("candidate", "an outline that was proposed in the scope; nested outlines are one object")


@dataclasses.dataclass(frozen=True)
class Measure:
    """A mean over slices with one nodule.

    `value`: what such a slice gives, None where it has no part in the mean; `title`: of a column that shows it, with
    so many `decimals`; `term`: a word and what it means, which stand below a table with that column, None where
    Table 1's do.
    """

    value: Value
    title: str
    decimals: int = 2
    term: tuple[str, str] | None = None


MEASURES: Mapping[str, Measure] = {
    "tpr": Measure(lambda case: float(bool(case.tp)), "TPR"),
    "dice": Measure(lambda case: case.dice, "Dice"),
    "tp_dice": Measure(lambda case: case.dice if case.tp else None, "TP Dice"),
    "hd95_mm": Measure(
        lambda case: case.hd95_mm,
        "HD95, mm",
        decimals=1,
        term=(
            "HD95",
            "95th percentile of the distances from one outline to the other, of both directions the larger",
        ),
    ),
    "assd_mm": Measure(
        lambda case: case.assd_mm,
        "Average distance, mm",
        decimals=1,
        term=("Average distance", "mean of the distances of both directions"),
    ),
    "surface_dice": Measure(
        lambda case: case.surface_dice,
        f"Surface Dice at {TOLERANCE_MM:g} mm",
        term=("Surface Dice", f"share of both outlines that lies within {TOLERANCE_MM:g} mm of the other"),
    ),
    "peak_hit": Measure(
        lambda case: None if case.peak_mm is None else float(case.peak_mm <= NEAR_MM),
        f"Map's peak within {NEAR_MM:g} mm",
        term=PEAK,
    ),
    "peak_chance": Measure(lambda case: case.peak_chance, "… by chance", term=PEAK),
    "best_dice": Measure(lambda case: case.best_dice, "Dice of the best candidate", term=CANDIDATE),
    "existed": Measure(
        lambda case: None if case.best_dice is None else float(case.best_dice >= GOOD),
        f"A candidate of Dice ≥ {GOOD:g} existed",
        term=CANDIDATE,
    ),
    "right": Measure(
        lambda case: None if case.best_dice is None else float(bool(case.same_object)),
        "The right object was chosen",
        term=CANDIDATE,
    ),
    "reader_dice": Measure(
        lambda case: case.reader_dice,
        "Readers’ Dice",
        term=("Readers’ Dice", "of each reader’s own outline with the consensus that it is part of, mean"),
    ),
}
"""By their names in `measures.csv`, in its order."""


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
                figures = {name: _mean(own, measure.value, weights) for name, measure in MEASURES.items()}
                rows.append(GroupRow(method, group, len(chosen), figures))
    return rows


def _mean(cases: Sequence[Case], value: Value, weights: np.ndarray) -> Estimate:
    found = np.array([value(case) for case in cases], float)
    return means(found, np.array([case.patient for case in cases]), weights).estimate
