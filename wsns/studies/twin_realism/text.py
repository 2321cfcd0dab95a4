"""Twin and real scans side by side: tables, and their figures for CSV and JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsns.evaluation.bootstrap import Estimate
from wsns.evaluation.scan_names import scan_names
from wsns.evaluation.table1_text import interval, number
from wsns.evaluation.tables import Part, Table
from wsns.studies.twin_realism.classification import Feature, Verdict
from wsns.studies.twin_realism.scan import ScanLook
from wsns.studies.twin_realism.statistics import statistics

MANY_SCANS = 12
SUMMARIES = ("twin", "lowest", "highest", "real")
FEATURE_HEADS = ("feature of a crop", "AUC by it alone", "real", "twin")
SCAN_HEADS = ("crops of", "AUC")


def columns(real: Sequence[ScanLook], twin: Sequence[ScanLook]) -> dict[str, dict[str, float]]:
    """Returns figures by column and name: the twin's scans together, the lowest and highest of them, each real scan,
    and all of these together; NaN where there is nothing to measure.

    Args:
        real: at least one scan.
        twin: at least one scan.
    """
    single = [_together([scan]) for scan in twin]
    known = {name: [s[name] for s in single if np.isfinite(s[name])] or [float("nan")] for name in single[0]}
    return {
        "twin": _together(twin),
        "lowest": {name: min(values) for name, values in known.items()},
        "highest": {name: max(values) for name, values in known.items()},
        **{name: _together([scan]) for name, scan in zip(names(real), real, strict=True)},
        "real": _together(real),
    }


def names(scans: Sequence[ScanLook]) -> list[str]:
    """Returns what to call scans, see `scan_names`."""
    found = scan_names((scan.patient, scan.series) for scan in scans)
    return [found[scan.series] for scan in scans]


def cells(table: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Returns heads and rows in letters, without the single real scans where they are too many to print."""
    few = len(table) - len(SUMMARIES) <= MANY_SCANS
    shown = [column for column in table if few or column in SUMMARIES]
    rows = [[name, *(letters(table[column][name]) for column in shown)] for name in table["twin"]]
    return ["", *shown], rows


def feature_cells(features: Sequence[Feature]) -> list[list[str]]:
    """Returns rows under `FEATURE_HEADS`."""
    return [[f.name, with_interval(f.auc), letters(f.real), letters(f.synthetic)] for f in features]


def scan_cells(verdict: Verdict, real: Sequence[ScanLook]) -> list[list[str]]:
    """Returns rows under `SCAN_HEADS`."""
    return [[name, letters(value)] for name, value in zip(names(real), verdict.scans, strict=True)]


def remarks(real: Sequence[ScanLook], twin: Sequence[ScanLook]) -> list[str]:
    """Returns what a reader must know of the figures."""
    slices = sum(len(scan.slices) for scan in [*real, *twin])
    return [
        f"{len(twin)} scans of the twin and {len(real)} real ones, {slices} slices; lowest and highest are of the "
        "twin's single scans. Lung: without 1.5 mm at its edge, and up to −650 HU. Noise: in squares of 7 pixels of "
        "clean lung, less a plane; correlation is also the lung's own texture. Sections: 8-connected parts above −650 "
        "HU inside this edge, 1.5 mm² or more; round: axes up to 2 to 1, 75 % of the convex hull. Nodules: the "
        "readers' consensus, in each of its slices.",
    ]


def verdict_lines(verdict: Verdict) -> list[str]:
    """Returns in sentences how well crops are told apart."""
    return [
        f"In scans that the classifier has not seen: AUC {with_interval(verdict.auc)}; 0.5 is what guessing gives. A "
        "real scan far below 0.5 is taken for the twin, because the other real scans are less like it than the twin "
        "is: then the mean says little.",
        f"In other slices of the scans that it has seen: AUC {with_interval(verdict.known)}. So are single scans "
        f"recognised, whatever their kind: the twin is told from itself with {number(verdict.itself, 2)}, the least "
        "that can be reached.",
    ]


def parts(
    table: Mapping[str, Mapping[str, float]],
    verdict: Verdict,
    real: Sequence[ScanLook],
    twin: Sequence[ScanLook],
) -> list[Part]:
    """Returns all tables and what a reader must know of them."""
    return [
        "The synthetic twin beside real scans",
        Table(*cells(table)),
        *remarks(real, twin),
        "Crops classified as synthetic or real:",
        Table(SCAN_HEADS, scan_cells(verdict, real)),
        *verdict_lines(verdict),
        Table(FEATURE_HEADS, feature_cells(verdict.features)),
    ]


def rows(table: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Returns a row per figure for a CSV; what couldn't be measured is None."""
    return [
        {"statistic": name} | {column: known(values[name]) for column, values in table.items()}
        for name in table["twin"]
    ]


def as_json(verdict: Verdict, real: Sequence[ScanLook]) -> dict[str, Any]:
    """Returns how well crops are told apart in JSON's types, None for what is not known."""
    return (
        _json("auc", verdict.auc)
        | _json("auc_known", verdict.known)
        | {"auc_known_itself": known(verdict.itself)}
        | {"scans": {name: known(value) for name, value in zip(names(real), verdict.scans, strict=True)}}
        | {
            "features": [
                {"name": f.name, **_json("auc", f.auc), "real": known(f.real), "twin": known(f.synthetic)}
                for f in verdict.features
            ]
        }
    )


def letters(value: float) -> str:
    """Returns a figure with three digits or so, a dash where there is none."""
    whole = float(value).is_integer() or abs(value) >= 100
    return number(value, 0 if whole else 1 if abs(value) >= 10 else 2).replace("-", "−")


def with_interval(figure: Estimate) -> str:
    """Returns a figure and, where it is known, its interval in brackets."""
    span = interval(figure, 2)
    return f"{number(figure.value, 2)} ({span})" if span else number(figure.value, 2)


def known(value: float) -> float | None:
    """Returns a figure with five digits, None for NaN."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _together(scans: Sequence[ScanLook]) -> dict[str, float]:
    looks = [look for scan in scans for look in scan.slices]
    return statistics(looks, [nodule for scan in scans for nodule in scan.nodules])


def _json(name: str, figure: Estimate) -> dict[str, float | None]:
    return {name: known(figure.value), f"{name}_low": known(figure.low), f"{name}_high": known(figure.high)}
