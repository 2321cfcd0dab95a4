"""The bound's tables, and all its rows as CSV."""

import dataclasses
from collections.abc import Sequence

from wsns.evaluation.table1_text import FEW_PATIENTS, interval, number
from wsns.evaluation.tables import Part, Table, count, csv_text
from wsns.studies.candidate_bound.measure import FIGURES, RULES, Nodule, Row
from wsns.studies.candidate_bound.table import READERS, Line

NODULE = tuple("nodule" if field.name == "number" else field.name for field in dataclasses.fields(Nodule))
COLUMNS = ("scheme", *NODULE, "candidates", "cut", *FIGURES)
HEADS = ("best", "95 %", "less the first's", "≥ 0.5", *FIGURES[1:], "n", "95th", "cut")
MANY_SCANS = 12


def cells(line: Line) -> list[str]:
    """Returns a line's figures in letters, in the order of `HEADS`."""
    without = line.scheme == READERS
    counts = ["–"] * 3 if without else [f"{line.number:.1f}", f"{line.most:.0f}", f"{line.cut}"]
    return [
        number(line.best.value, 3),
        interval(line.best, 2),
        interval(line.gain, 3, signed=True) if line.gain.low != line.gain.high else "",
        number(line.good, 2),
        *(number(line.figures[name], 3) for name in FIGURES[1:]),
        *counts,
    ]


def remarks(rows: Sequence[Row], radius: float) -> list[str]:
    """Returns what a reader must know to read the table."""
    nodules = {(row.nodule.series, row.nodule.number) for row in rows}
    slices = {(row.nodule.series, row.nodule.slice_index) for row in rows}
    places = {(row.nodule.series, row.nodule.slice_index, row.nodule.number) for row in rows}
    patients = {row.nodule.patient for row in rows}
    said = [
        f"{count(len(places), 'outline')} of {count(len(nodules), 'nodule')} in {count(len(slices), 'slice')} of "
        f"{count(len(patients), 'patient')}, of every split. The scope is the consensus grown by {radius:g} pixels: no "
        "network takes part.",
        "Best: the candidate of greatest Dice with the consensus, mean over the outlines; its interval and that of the "
        "difference are a bootstrap's over patients and nodules. Of the best one's object, which is all that share "
        "half of the smaller area with it: a random candidate, the largest, and each rule's of config.segment.outline "
        f"({', '.join(RULES)}). n and 95th: candidates per scope, mean and percentile; cut: left out as too many.",
        "Readers: each who drew the nodule in a slice against what at least half of the others drew there.",
    ]
    if len(patients) < FEW_PATIENTS:
        said.append(
            f"Only {count(len(patients), 'patient')}: intervals are rough, differences under 0.02 are noise."
        )
    return said


def parts(found: Sequence[Line], said: Sequence[str], *, source: str) -> list[Part]:
    """Returns the tables, all scans together and by scan if these are not too many to print, and the remarks.

    Args:
        found: the lines.
        said: what a reader must know, see `remarks`.
        source: the data in words.
    """
    made: list[Part] = [
        f"What candidates can give at most · {source}",
        Table(("candidates", *HEADS), [[line.scheme, *cells(line)] for line in found]),
    ]
    scans = list(found[0].scans)
    if 1 < len(scans) <= MANY_SCANS:
        heads = [
            patient if [p for p, _ in scans].count(patient) < 2 else f"{patient} {series[-6:]}"
            for patient, series in scans
        ]
        rows = [[line.scheme, *(number(line.scans[scan], 3) for scan in scans)] for line in found]
        made.append(Table(("best Dice", *heads), rows))
    return [*made, *said]


def as_csv(rows: Sequence[Row]) -> str:
    """Returns every row: a nodule in a slice by a scheme; empty where a figure does not apply."""
    return csv_text(
        COLUMNS,
        (
            (
                row.scheme,
                *dataclasses.astuple(row.nodule),
                *(["", ""] if row.scheme == READERS else [row.candidates, row.cut]),
                *(row.dice[name] for name in FIGURES),
            )
            for row in rows
        ),
    )
