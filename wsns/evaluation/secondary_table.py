"""What is measured beyond the paper's Table 1, as one long table: `measures.csv`."""

import dataclasses
from collections.abc import Iterator, Mapping

from wsns.evaluation.bootstrap import Estimate
from wsns.evaluation.froc import RATES
from wsns.evaluation.paired_differences import Difference
from wsns.evaluation.roc import Curves
from wsns.evaluation.secondary import Secondary, Whole
from wsns.evaluation.table1 import Classifier, Table

COLUMNS = ("slices", "method", "group", "measure", "value", "low", "high")
TEST, WHOLE = "test split", "whole scans"
"""Where a figure is from: as many slices with a nodule as without, or every slice of a scan."""


def rows(table: Table, secondary: Secondary) -> Iterator[dict[str, object]]:
    """Yields the rows of `measures.csv`, one figure each; one that is not defined is empty."""
    for pair in table.differences:
        yield from _difference(pair)
    yield from _classifiers(TEST, table, secondary.classifiers)
    for row in secondary.groups:
        for measure, found in {"slices": Estimate(row.n), **row.figures}.items():
            yield _row(TEST, row.method, row.group, measure, found)
    for method, counts in secondary.causes.items():
        for cause, count in counts.items():
            yield _row(TEST, method, "all", f"slices: {cause}", Estimate(count))
    if secondary.whole:
        yield from _whole(secondary.whole)


def of_classifier(model: Classifier, found: Curves) -> dict[str, Estimate]:
    """Returns a slice classifier's figures by name."""
    names = ("accuracy", "sensitivity", "specificity", "auc")
    return {
        **{name: getattr(model, name) for name in names},
        "average precision": found.average_precision,
        **{f"sensitivity at specificity {at:g}": value for at, value in found.sensitivity.items()},
        "Brier score": found.brier,
        "calibration error": found.calibration_error,
    }


def _difference(pair: Difference) -> Iterator[dict[str, object]]:
    for measure, found in pair.figures.items():
        yield _row(TEST, f"{pair.one} − {pair.other}", "all", measure, found)


def _classifiers(slices: str, table: Table, found: Mapping[str, Curves]) -> Iterator[dict[str, object]]:
    for model in table.classifiers:
        for measure, value in of_classifier(model, found[model.model]).items():
            yield _row(slices, model.model, "all", measure, value)


def _whole(whole: Whole) -> Iterator[dict[str, object]]:
    yield from _classifiers(WHOLE, whole.table, whole.classifiers)
    for row in whole.table.rows:
        for measure in ("tpr", "fpr", "dice", "tp_dice", "tp_doa"):
            yield _row(WHOLE, row.method, "all", measure, getattr(row, measure))
    for method, curve in whole.frocs.items():
        for rate, found in zip(RATES, curve.sensitivity, strict=True):
            yield _row(WHOLE, method, "all", f"nodules found at {rate:g} false marks per scan", found)
        yield _row(WHOLE, method, "all", "nodules found, mean over these rates", curve.mean)


def _row(slices: str, method: str, group: str, measure: str, found: Estimate) -> dict[str, object]:
    ends = {name: "" if value != value else value for name, value in dataclasses.asdict(found).items()}
    return {"slices": slices, "method": method, "group": group, "measure": measure, **ends}
