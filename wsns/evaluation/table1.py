"""Table 1 from the cases alone: every figure with its 95 % interval over patients, and the identities."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from wsns.errors import InputError
from wsns.evaluation.bootstrap import DRAWS, Estimate
from wsns.evaluation.cases import WEAK, Case
from wsns.evaluation.paired_differences import Difference, differences
from wsns.evaluation.resampled import Drawn, Figures, classifier_rows, draw

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

    `differences` are paired over patients. `crowded` counts the slices with more than two nodules, which stand in no
    line but the classifiers', which judge by `threshold`; `unreachable` those whose nodules lie wholly outside the
    crop, which stand in no line at all.
    """

    rows: tuple[Row, ...]
    classifiers: tuple[Classifier, ...]
    two_nodules: tuple[TwoNodules, ...]
    differences: tuple[Difference, ...]
    effort: Effort | None
    threshold: float
    patients: int
    positives: int
    negatives: int
    crowded: int
    unreachable: int = 0


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
        draws: behind each interval.
        seed: of the bootstrap.

    Raises:
        InputError: if there is no case, the methods hold different slices, or an identity is broken.
    """
    drawn = draw(cases, threshold=threshold, draws=draws, seed=seed)
    return table_of(drawn, threshold=threshold, effort=effort)


def table_of(drawn: Drawn, *, threshold: float, effort: Effort | None = None) -> Table:
    """Returns Table 1 of cases whose figures are drawn, see `table1`."""
    any_rows = next(iter(drawn.cases.values()))
    ones = sum(case.nodules == 1 for case in any_rows)
    table = Table(
        rows=tuple(
            Row(method, ones, **{name: own.estimate for name, own in figures.items()})
            for method, figures in drawn.methods.items()
        ),
        classifiers=tuple(
            _classifier(model, rows, drawn.classifiers[model]) for model, rows in classifier_rows(drawn.cases)
        ),
        two_nodules=tuple(_two_nodules(method, rows) for method, rows in drawn.cases.items()),
        differences=differences(drawn),
        effort=effort,
        threshold=threshold,
        patients=len(drawn.patients),
        positives=ones,
        negatives=sum(case.label == 0 for case in any_rows),
        crowded=sum(case.nodules > 2 for case in any_rows),
        unreachable=drawn.unreachable,
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


def _classifier(model: str, rows: Sequence[Case], figures: Figures) -> Classifier:
    positives = sum(case.label for case in rows)
    estimates = {name: own.estimate for name, own in figures.items()}
    return Classifier(model, positives, len(rows) - positives, **estimates)


def _two_nodules(method: str, rows: Iterable[Case]) -> TwoNodules:
    """Returns one method's both / one / none."""
    found = collections.Counter(case.tp for case in rows if case.nodules == 2)
    return TwoNodules(method, both=found[2], one=found[1], none=found[0])
