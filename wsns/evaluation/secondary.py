"""All that is measured beyond the paper's Table 1, from the cases of the test split and of whole scans."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import DRAWS
from wsns.evaluation.cases import FINE, Case
from wsns.evaluation.failure_modes import CAUSES, cause
from wsns.evaluation.froc import Froc, Scan, froc
from wsns.evaluation.resampled import Drawn, classifier_rows, draw
from wsns.evaluation.roc import Curves, curves
from wsns.evaluation.subgroups import GroupRow, group_rows
from wsns.evaluation.table1 import Table, table_of


@dataclasses.dataclass(frozen=True, eq=False)
class Whole:
    """Whole scans: what `Table` and `Curves` are at the natural share of nodules, and each method's `Froc`.

    `slices` were read, `left_out` not: where the readers disagree whether there is a nodule, or no lung is. So many
    nodules lie wholly outside the crop (`unreachable`), which count in no figure.
    """

    table: Table
    classifiers: Mapping[str, Curves]
    frocs: Mapping[str, Froc]
    slices: int
    left_out: int
    unreachable: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Secondary:
    """By model the classifiers' `Curves`, figures by group, by method how many slices have each cause, whole scans."""

    classifiers: Mapping[str, Curves]
    groups: Sequence[GroupRow]
    causes: Mapping[str, Mapping[str, int]]
    whole: Whole | None


def secondary(
    cases: Sequence[Case], whole: Whole | None = None, *, threshold: float, draws: int = DRAWS, seed: int = 0
) -> Secondary:
    """Measures the cases of the test split.

    Args:
        cases: one per slice and method.
        whole: see `whole_scans`; None if no scan was searched whole.
        threshold: score from which on a classifier sees a nodule.
        draws: behind each interval.
        seed: of the draws.

    Raises:
        InputError: if there is no case, or the methods hold different slices.
    """
    drawn = draw(cases, threshold=threshold, draws=draws, seed=seed)
    return Secondary(
        classifiers=_classifiers(drawn),
        groups=group_rows(drawn),
        causes={method: count_causes(rows) for method, rows in drawn.cases.items()},
        whole=whole,
    )


def whole_scans(
    cases: Sequence[Case],
    scans: Mapping[str, Sequence[Scan]],
    left_out: int,
    unreachable: int = 0,
    *,
    threshold: float,
    draws: int = DRAWS,
    seed: int = 0,
) -> Whole:
    """Measures whole scans.

    Args:
        cases: one per slice that was read and fine method.
        scans: by method, each with its marks.
        left_out: slices of the scans that were not read.
        unreachable: their nodules that lie wholly outside the crop.
        threshold: score from which on a classifier sees a nodule.
        draws: behind each interval.
        seed: of the draws.
    """
    drawn = draw(cases, threshold=threshold, draws=draws, seed=seed)
    return Whole(
        table=table_of(drawn, threshold=threshold),
        classifiers=_classifiers(drawn),
        frocs={method: froc(scans[method], draws=draws, seed=seed) for method in FINE if method in scans},
        slices=len(next(iter(drawn.cases.values()))),
        left_out=left_out,
        unreachable=unreachable,
    )


def count_causes(cases: Sequence[Case]) -> dict[str, int]:
    """Returns how many of a method's slices with one nodule have each of `CAUSES`."""
    found = collections.Counter(cause(case) for case in cases if case.nodules == 1)
    return {name: found[name] for name in CAUSES}


def _classifiers(drawn: Drawn) -> dict[str, Curves]:
    return {
        model: curves(
            np.array([case.score for case in rows]),
            np.array([case.label for case in rows]),
            np.array([case.patient for case in rows]),
            drawn.weights,
        )
        for model, rows in classifier_rows(drawn.cases)
    }
