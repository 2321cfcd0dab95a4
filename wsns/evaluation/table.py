"""Table 1 from the cases alone: every figure with its 95 % interval over patients, and the identities."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from wsns.errors import InputError
from wsns.evaluation import metrics
from wsns.evaluation.bootstrap import DRAWS, Estimate, estimate, patient_weights
from wsns.evaluation.cases import COARSE, FINE, METHODS, VARIANTS, WEAK, Case

TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Row:
    """One method of Table 1; `n` slices with one nodule. Rates are fractions, DOA is in mm².

    `fpr` of every weak row is the 1-GAP classifier's. `sensitivity` is that of slice detection: it is no
    column of the table, but identity 3 ties two columns to it.
    """

    method: str
    n: int
    tpr: Estimate
    fpr: Estimate
    fpr_nodule: Estimate
    dice: Estimate
    dice_sd: Estimate
    tp_dice: Estimate
    tp_dice_sd: Estimate
    tp_doa: Estimate
    tp_doa_sd: Estimate
    sensitivity: Estimate


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Slice classification of one model on all test slices, two nodules included."""

    model: str
    positives: int
    negatives: int
    accuracy: Estimate
    sensitivity: Estimate
    specificity: Estimate
    auc: Estimate


@dataclasses.dataclass(frozen=True)
class TwoNodules:
    """Slices with two nodules by how many of the two a method's result overlaps."""

    method: str
    both: int
    one: int
    none: int

    @property
    def n(self) -> int:
        """Number of slices with two nodules."""
        return self.both + self.one + self.none


@dataclasses.dataclass(frozen=True)
class Effort:
    """Labelling effort: voxels of the consensus, and slice labels, over all splits."""

    voxels: int
    slices: int

    @property
    def ratio(self) -> float:
        """Voxels that one slice label stands for."""
        return self.voxels / self.slices if self.slices else float("nan")


@dataclasses.dataclass(frozen=True)
class Table:
    """Table 1 and what belongs beside it.

    `gains` maps a variant ("2-GAP") to its fine minus its coarse TP Dice, paired over patients. `crowded`
    counts the slices with more than two nodules, which stand in no line but the classifiers', which judge by
    `threshold`.
    """

    rows: tuple[Row, ...]
    classifiers: tuple[Classifier, ...]
    two_nodules: tuple[TwoNodules, ...]
    gains: Mapping[str, Estimate]
    effort: Effort | None
    threshold: float
    patients: int
    positives: int
    negatives: int
    crowded: int


def table1(
    cases: Sequence[Case],
    *,
    effort: Effort | None = None,
    threshold: float = 0.5,
    draws: int = DRAWS,
    seed: int = 0,
) -> Table:
    """Returns Table 1 of the cases, its identities checked.

    The rows stand on the slices with one nodule, and on those without for `fpr`; a miss has Dice 0; the TP
    columns stand on true positives: declared a nodule slice, and the result overlaps the consensus.

    Args:
        cases: one per slice and method; every method must hold the same slices.
        effort: voxels and slices of the whole data set, which the cases of the test split don't tell.
        threshold: score from which on a classifier sees a nodule; the 1-GAP classifier's decides detection.
        draws: of patients, behind each interval.
        seed: of the bootstrap.

    Raises:
        InputError: if there is no case, the methods hold different slices, or an identity is broken.
    """
    by_method = _by_method(cases)
    names = sorted({case.patient for case in cases})
    patient = {name: number for number, name in enumerate(names)}
    weights = patient_weights(len(names), draws=draws, seed=seed)
    drawn = {method: _figures(rows, patient, weights) for method, rows in by_method.items()}
    any_rows = next(iter(by_method.values()))
    ones = sum(case.nodules == 1 for case in any_rows)
    table = Table(
        rows=tuple(
            Row(method, ones, **{name: estimate(values) for name, values in figures.items()})
            for method, figures in drawn.items()
        ),
        classifiers=tuple(_classifiers(by_method, patient, weights, threshold)),
        two_nodules=tuple(_two_nodules(method, rows) for method, rows in by_method.items()),
        gains={
            fine.split()[0]: estimate(drawn[fine]["tp_dice"] - drawn[coarse]["tp_dice"])
            for fine, coarse in zip(FINE, COARSE, strict=True)
            if fine in drawn and coarse in drawn
        },
        effort=effort,
        threshold=threshold,
        patients=len(names),
        positives=ones,
        negatives=sum(case.label == 0 for case in any_rows),
        crowded=sum(case.nodules > 2 for case in any_rows),
    )
    check_identities(table)
    return table


def check_identities(table: Table) -> None:
    """Checks what the columns owe each other, whatever the data.

    1. mean Dice = TPR × mean TP Dice.
    2. SD(Dice)² = TPR · (SD_TP² + TP²) − mean Dice².
    3. TPR + FPR_nodule = sensitivity of slice detection.
    4. Accuracy is sensitivity and 1 − FPR weighted by their slices (their mean at 1:1), and the 1-GAP
       classifier's 1 − FPR is that of the weak rows.
    5. All weak rows share detections: sensitivity and FPR are the same.

    Raises:
        InputError: names the identity, the method and both sides.
    """
    for number, who, left, right in _identities(table):
        if not np.isclose(left, right, rtol=0, atol=TOLERANCE, equal_nan=True):
            raise InputError(
                f"Table 1 contradicts identity {number} for {who}: {left:.6g} is not {right:.6g}; "
                "cases.csv is damaged or mixes two runs: remove it and run again"
            )


def _identities(table: Table) -> Iterator[tuple[int, str, float, float]]:
    """Yields (number, method, left side, right side)."""
    for row in table.rows:
        rate = row.tpr.value
        # Without a true positive the TP columns are NaN, and the sides are 0.
        tp, tp_sd = (row.tp_dice.value, row.tp_dice_sd.value) if rate > 0 else (0.0, 0.0)
        dice = row.dice.value
        yield 1, row.method, dice, rate * tp
        yield 2, row.method, row.dice_sd.value**2, rate * (tp_sd**2 + tp**2) - dice**2
        yield 3, row.method, rate + row.fpr_nodule.value, row.sensitivity.value
    weak = [row for row in table.rows if row.method in WEAK]
    for model in table.classifiers:
        parts = ((model.positives, model.sensitivity.value), (model.negatives, model.specificity.value))
        right = sum(count * value for count, value in parts if count)
        yield 4, model.model, model.accuracy.value * (model.positives + model.negatives), right
        if model.model == "1-GAP" and weak:
            yield 4, model.model, model.specificity.value, 1 - weak[0].fpr.value
    for row in weak[1:]:
        yield 5, row.method, row.sensitivity.value, weak[0].sensitivity.value
        yield 5, row.method, row.fpr.value, weak[0].fpr.value


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


def _figures(rows: Sequence[Case], patient: Mapping[str, int], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the figures of one method, each (1 + draws,)."""
    used = [case for case in rows if case.nodules <= 1]
    terms = metrics.slice_terms(
        label=_column(used, "label"),
        detected=_column(used, "detected"),
        hit=_column(used, "tp") > 0,
        dice=_column(used, "dice"),
        doa=np.abs(_column(used, "area_mm2") - _column(used, "area_ref_mm2")),
    )
    return metrics.table_figures({k: weights @ _per_patient(used, patient, v) for k, v in terms.items()})


def _classifiers(
    by_method: Mapping[str, Sequence[Case]],
    patient: Mapping[str, int],
    weights: np.ndarray,
    threshold: float,
) -> Iterator[Classifier]:
    """Yields the 1-, 2- and 3-GAP classifiers that have a row; a variant's rows all carry its score."""
    for model in (f"{g}-GAP" for g in VARIANTS):
        rows = next((by_method[m] for m in (f"{model} fine", f"{model} coarse") if m in by_method), None)
        if rows is not None:
            yield _classifier(model, rows, patient, weights, threshold)


def _classifier(
    model: str, rows: Sequence[Case], patient: Mapping[str, int], weights: np.ndarray, threshold: float
) -> Classifier:
    """Returns one model's accuracy and AUC from the scores of its rows."""
    label, score, nothing = _column(rows, "label"), _column(rows, "score"), np.zeros(len(rows))
    terms = metrics.slice_terms(label, score >= threshold, nothing, nothing, nothing)
    sums = {name: weights @ _per_patient(rows, patient, values) for name, values in terms.items()}
    figures = metrics.table_figures(sums)
    right = sums["detected"] + sums["negatives"] - sums["alarms"]
    group = np.array([patient[case.patient] for case in rows])
    wins = metrics.pair_wins(score, label, group, len(patient))
    outranked = ((weights @ wins) * weights).sum(1)
    return Classifier(
        model=model,
        positives=int(label.sum()),
        negatives=int((1 - label).sum()),
        accuracy=estimate(metrics.ratio(right, sums["positives"] + sums["negatives"])),
        sensitivity=estimate(figures["sensitivity"]),
        specificity=estimate(1 - figures["fpr"]),
        auc=estimate(metrics.ratio(outranked, sums["positives"] * sums["negatives"])),
    )


def _two_nodules(method: str, rows: Iterable[Case]) -> TwoNodules:
    """Returns one method's both / one / none."""
    found = collections.Counter(case.tp for case in rows if case.nodules == 2)
    return TwoNodules(method, both=found[2], one=found[1], none=found[0])
