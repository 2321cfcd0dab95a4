"""Every method's figures under every draw of patients: what intervals and paired differences are made of."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from wsns.errors import InputError
from wsns.evaluation import metrics
from wsns.evaluation.bootstrap import DRAWS, Resampled, count, nested_weights
from wsns.evaluation.cases import METHODS, VARIANTS, Case
from wsns.evaluation.roc import auc

Figures = Mapping[str, Resampled]


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Cases and their figures under the same draws of patients.

    `cases`: by method, in the table's order and all in one order of slices, without the `unreachable` slices, whose
    nodules lie wholly outside the crop; `patients`: their names; `weights` (1 + draws, N): how often each slice was
    drawn; `methods`: `metrics.table_figures` of each method; `classifiers`: accuracy, sensitivity, specificity and AUC
    of 1-, 2- and 3-GAP.
    """

    cases: Mapping[str, Sequence[Case]]
    patients: tuple[str, ...]
    weights: np.ndarray
    methods: Mapping[str, Figures]
    classifiers: Mapping[str, Figures]
    unreachable: int


def draw(cases: Sequence[Case], *, threshold: float = 0.5, draws: int = DRAWS, seed: int = 0) -> Drawn:
    """Returns the figures of all methods under the same draws.

    Args:
        cases: one per slice and method; every method must hold the same slices.
        threshold: score from which on a classifier sees a nodule.
        draws: of patients and, in them, of nodules and slices without one; none if there is only one patient.
        seed: of the draws.

    Raises:
        InputError: if there is no case, or the methods hold different slices.
    """
    given = _by_method(cases)
    by_method = {method: [case for case in rows if case.reachable] for method, rows in given.items()}
    slices = next(iter(by_method.values()))
    if not slices:
        raise InputError("no test slice has its nodule in the crop: widen config.data.crop")
    weights = slice_weights(slices, draws=draws, seed=seed)
    return Drawn(
        cases=by_method,
        patients=tuple(sorted({case.patient for case in slices})),
        weights=weights,
        methods={method: _figures(rows, weights) for method, rows in by_method.items()},
        classifiers={
            model: _classifier(rows, weights, threshold) for model, rows in classifier_rows(by_method)
        },
        unreachable=len(next(iter(given.values()))) - len(slices),
    )


def slice_weights(cases: Sequence[Case], *, draws: int, seed: int) -> np.ndarray:
    """Returns (1 + draws, N): how often each slice is drawn, see `wsns.evaluation.bootstrap.nested_weights`.

    The slices of a nodule go together; where it has no number, and without a nodule, each slice goes alone.
    """
    units: dict[tuple[str, int | float, bool], int] = {}
    keys = [(c.series, c.z, False) if c.nodule is None else (c.series, c.nodule, True) for c in cases]
    unit = [units.setdefault(key, len(units)) for key in keys]
    label = np.array([case.label for case in cases], int)
    return nested_weights(_patients(cases), label, np.array(unit, int), draws=draws, seed=seed)


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


def _patients(rows: Iterable[Case]) -> np.ndarray:
    return np.array([case.patient for case in rows], str)


def _figures(rows: Sequence[Case], weights: np.ndarray) -> Figures:
    chosen = np.array([case.nodules <= 1 for case in rows])
    used = [case for case in rows if case.nodules <= 1]
    terms = metrics.slice_terms(
        label=_column(used, "label"),
        detected=_column(used, "detected"),
        hit=_column(used, "tp") > 0,
        dice=_column(used, "dice"),
        doa=np.abs(_column(used, "area_mm2") - _column(used, "area_ref_mm2")),
    )
    values = metrics.table_figures(_sums(terms, weights[:, chosen]))
    patients = {kind: count(_patients(used), terms[kind] > 0) for kind in ("positives", "negatives", "true")}
    return {name: Resampled(own, patients[metrics.STANDS_ON[name]]) for name, own in values.items()}


def _sums(terms: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Returns each term (N,) summed over slices, under each draw (1 + draws, N)."""
    return dict(zip(terms, (weights @ np.stack(list(terms.values()), axis=1)).T, strict=True))


def _classifier(rows: Sequence[Case], weights: np.ndarray, threshold: float) -> Figures:
    label, score, nothing = _column(rows, "label"), _column(rows, "score"), np.zeros(len(rows))
    terms = metrics.slice_terms(label, score >= threshold, nothing, nothing, nothing)
    sums = _sums(terms, weights)
    figures = metrics.table_figures(sums)
    right = sums["detected"] + sums["negatives"] - sums["alarms"]
    patient = _patients(rows)
    positives, negatives = count(patient, label > 0), count(patient, label == 0)
    return {
        "accuracy": Resampled(
            metrics.ratio(right, sums["positives"] + sums["negatives"]), len(np.unique(patient))
        ),
        "sensitivity": Resampled(figures["sensitivity"], positives),
        "specificity": Resampled(1 - figures["fpr"], negatives),
        "auc": Resampled(auc(score, label > 0, weights), min(positives, negatives)),
    }
