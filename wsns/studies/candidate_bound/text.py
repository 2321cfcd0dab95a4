"""The bound's table in letters: for the terminal, for Markdown, and as CSV with all its rows."""

import csv
import dataclasses
import io
import math
import textwrap
from collections.abc import Collection, Sequence

from wsns.evaluation.table1_text import FEW_PATIENTS, interval, number
from wsns.evaluation.tables import markdown_table, text_table
from wsns.studies.candidate_bound.measure import FIGURES, RULES, Nodule, Row
from wsns.studies.candidate_bound.table import READERS, Line

NODULE = tuple("nodule" if field.name == "number" else field.name for field in dataclasses.fields(Nodule))
COLUMNS = ("scheme", *NODULE, "candidates", "cut", *FIGURES)
HEADS = ("best", "95 %", "less the first's", "≥ 0.5", "random", "largest", *RULES, "n", "95th", "cut")
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
        f"{_count(places, 'outline')} of {_count(nodules, 'nodule')} in {_count(slices, 'slice')} of "
        f"{_count(patients, 'patient')}, of every split. The scope is the consensus grown by {radius:g} pixels: no "
        "network takes part.",
        "Best: the candidate of greatest Dice with the consensus, mean over the outlines; its interval and that of the "
        "difference are a bootstrap's over patients and nodules. Of the best one's object, which is all that share "
        "half of the smaller area with it: a random candidate, the largest, and each rule's of config.segment.outline "
        f"({', '.join(RULES)}). n and 95th: candidates per scope, mean and percentile; cut: left out as too many.",
        "Readers: each who drew the nodule in a slice against what at least half of the others drew there.",
    ]
    if len(patients) < FEW_PATIENTS:
        said.append(
            f"Only {_count(patients, 'patient')}: intervals are rough, differences under 0.02 are noise."
        )
    return said


def tables(found: Sequence[Line]) -> list[tuple[list[str], list[list[str]]]]:
    """Returns heads and rows in letters: all scans together, then by scan if these are not too many to print."""
    made = [(["candidates", *HEADS], [[line.scheme, *cells(line)] for line in found])]
    scans = list(found[0].scans)
    if 1 < len(scans) <= MANY_SCANS:
        heads = [
            patient if [p for p, _ in scans].count(patient) < 2 else f"{patient} {series[-6:]}"
            for patient, series in scans
        ]
        made.append(
            (
                ["best Dice", *heads],
                [[line.scheme, *(number(line.scans[scan], 3) for scan in scans)] for line in found],
            )
        )
    return made


def as_text(found: Sequence[Line], said: Sequence[str], *, source: str) -> str:
    """Returns the tables for a terminal.

    Args:
        found: the lines.
        said: what a reader must know, see `remarks`.
        source: the data in words, printed on top.
    """
    parts = [f"What candidates can give at most · {source}", ""]
    for heads, rows in tables(found):
        parts += [*text_table(heads, rows), ""]
    for remark in said:
        parts += textwrap.wrap(remark, 100)
    return "\n".join(parts) + "\n"


def as_markdown(found: Sequence[Line], said: Sequence[str], *, source: str) -> str:
    """Returns the tables in Markdown; see `as_text`."""
    parts = [f"**What candidates can give at most.** {source}.", ""]
    for heads, rows in tables(found):
        parts += [*markdown_table(heads, rows), ""]
    return "\n".join([*parts, " ".join(said)]) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """Returns every row: a nodule in a slice by a scheme; empty where a figure does not apply."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        counts = ["", ""] if row.scheme == READERS else [row.candidates, row.cut]
        figures = ["" if math.isnan(row.dice[name]) else row.dice[name] for name in FIGURES]
        writer.writerow([row.scheme, *dataclasses.astuple(row.nodule), *counts, *figures])
    return text.getvalue()


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"
