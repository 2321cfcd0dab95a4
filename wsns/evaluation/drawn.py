"""Every method's figures under every draw of patients: what intervals and paired differences are made of."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from wsns.errors import InputError
from wsns.evaluation import metrics
from wsns.evaluation.bootstrap import DRAWS, patient_weights
from wsns.evaluation.cases import METHODS, VARIANTS, Case

Figures = Mapping[str, np.ndarray]
"""By name a figure's values (1 + draws,): first itself, then under each draw of patients."""


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Cases and their figures under the same draws of patients.

    `cases`: by method, in the table's order and all in one order of slices; `patients`: their names; `weights`
    (1 + draws, patients): how often each was drawn; `methods`: `metrics.table_figures` of each method; `classifiers`:
    accuracy, sensitivity, specificity and AUC of 1-, 2- and 3-GAP.
    """

    cases: Mapping[str, Sequence[Case]]
    patients: tuple[str, ...]
    weights: np.ndarray
    methods: Mapping[str, Figures]
    classifiers: Mapping[str, Figures]

    def of_slices(self, cases: Iterable[Case]) -> np.ndarray:
        """Returns the draws' weights (1 + draws, N) of slices."""
        number = {name: n for n, name in enumerate(self.patients)}
        return self.weights[:, [number[case.patient] for case in cases]]


def draw(cases: Sequence[Case], *, threshold: float = 0.5, draws: int = DRAWS, seed: int = 0) -> Drawn:
    """Returns the figures of all methods under the same draws.

    Args:
        cases: one per slice and method; every method must hold the same slices.
        threshold: score from which on a classifier sees a nodule.
        draws: of patients; none if there is only one.
        seed: of the draws.

    Raises:
        InputError: if there is no case, or the methods hold different slices.
    """
    by_method = _by_method(cases)
    names = tuple(sorted({case.patient for case in cases}))
    patient = {name: number for number, name in enumerate(names)}
    weights = patient_weights(len(names), draws=draws, seed=seed)
    return Drawn(
        cases=by_method,
        patients=names,
        weights=weights,
        methods={method: _figures(rows, patient, weights) for method, rows in by_method.items()},
        classifiers={
            model: _classifier(rows, patient, weights, threshold)
            for model, rows in classifier_rows(by_method)
        },
    )


def classifier_rows(by_method: Mapping[str, Sequence[Case]]) -> Iterator[tuple[str, Sequence[Case]]]:
    """Yields the 1-, 2- and 3-GAP classifiers that have a row; a variant's rows all carry its score."""
    for model in (f"{g}-GAP" for g in VARIANTS):
        rows = next((by_method[m] for m in (f"{model} fine", f"{model} coarse") if m in by_method), None)
        if rows is not None:
            yield model, rows


def _by_method(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Returns the cases per method in the table's order, each in the same order of slices."""
    if not cases:
        raise InputError("Table 1 needs at least one case: the test split is empty")
    grouped = collections.defaultdict(list)
    for case in sorted(cases, key=lambda case: (case.series, case.z)):
        grouped[case.method].append(case)
    by_method = {method: grouped[method] for method in METHODS if method in grouped}
    slices = {method: [(c.series, c.z, c.nodules) for c in rows] for method, rows in by_method.items()}
    first = next(iter(slices))
    for method, held in slices.items():
        if held != slices[first]:
            raise InputError(f"{method} and {first} hold different slices: segment the test split again")
    return by_method


def _column(rows: Iterable[Case], name: str) -> np.ndarray:
    """Returns one column as floats, 0 where it is empty."""
    return np.array([getattr(case, name) or 0 for case in rows], float)


def _per_patient(rows: Sequence[Case], patient: Mapping[str, int], terms: np.ndarray) -> np.ndarray:
    """Returns (patients,): the terms (N,) summed over each patient's rows."""
    return np.bincount([patient[case.patient] for case in rows], terms, minlength=len(patient))


def _figures(rows: Sequence[Case], patient: Mapping[str, int], weights: np.ndarray) -> Figures:
    used = [case for case in rows if case.nodules <= 1]
    terms = metrics.slice_terms(
        label=_column(used, "label"),
        detected=_column(used, "detected"),
        hit=_column(used, "tp") > 0,
        dice=_column(used, "dice"),
        doa=np.abs(_column(used, "area_mm2") - _column(used, "area_ref_mm2")),
    )
    return metrics.table_figures({k: weights @ _per_patient(used, patient, v) for k, v in terms.items()})


def _classifier(
    rows: Sequence[Case], patient: Mapping[str, int], weights: np.ndarray, threshold: float
) -> Figures:
    label, score, nothing = _column(rows, "label"), _column(rows, "score"), np.zeros(len(rows))
    terms = metrics.slice_terms(label, score >= threshold, nothing, nothing, nothing)
    sums = {name: weights @ _per_patient(rows, patient, values) for name, values in terms.items()}
    figures = metrics.table_figures(sums)
    right = sums["detected"] + sums["negatives"] - sums["alarms"]
    group = np.array([patient[case.patient] for case in rows])
    wins = metrics.pair_wins(score, label, group, len(patient))
    outranked = ((weights @ wins) * weights).sum(1)
    return {
        "accuracy": metrics.ratio(right, sums["positives"] + sums["negatives"]),
        "sensitivity": figures["sensitivity"],
        "specificity": 1 - figures["fpr"],
        "auc": metrics.ratio(outranked, sums["positives"] * sums["negatives"]),
    }
