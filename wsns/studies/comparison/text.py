"""A comparison of runs as tables, and as CSV with all digits."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

from wsns.evaluation.bootstrap import Estimate
from wsns.evaluation.table1_text import (
    DECIMALS,
    FEW_PATIENTS,
    HEADINGS,
    few_patients,
    interval,
    number,
    with_sign,
)
from wsns.evaluation.tables import Cell, Part, Table, count
from wsns.studies.comparison.measure import Comparison, Line

COLUMNS = ("run", "row", "figure", "value", "low", "high", "difference", "difference_low", "difference_high")
_HEADINGS = HEADINGS | {"accuracy": "accuracy, %", "auc": "AUC"}
_DECIMALS = DECIMALS | {"accuracy": 1, "auc": 3}


def basis(found: Comparison) -> str:
    """Returns on how many slices and patients the comparison stands."""
    return (
        f"{found.positives:,} test slices with one nodule and {found.negatives:,} without, "
        f"{count(found.patients, 'patient')}"
    )


def remarks(found: Comparison) -> list[str]:
    """Returns what a reader must know to read the table."""
    first = found.runs[0]
    said = [
        f"Beside each figure its difference to {first}'s (=: none under any draw), with the difference's 95 % "
        f"interval, by the same draws for all runs ({first}: the figure's own interval). Of so many "
        "intervals one in twenty leaves out 0 by chance.",
        "TP columns: each run's mean over its own true positives, which need not be the same slices in both.",
    ]
    if found.patients < FEW_PATIENTS:
        said.append(f"{few_patients(found.patients)}: few differences can be told from chance.")
    return said


def parts(found: Comparison, *, source: str) -> list[Part]:
    """Returns the comparison, one table per row of Table 1 and classifier.

    Args:
        found: what to print.
        source: the data in words.
    """
    made: list[Part] = [f"{len(found.runs)} runs, each beside {found.runs[0]} · {source}", f"{basis(found)}."]
    for row, block in _blocks(found):
        names = list(block[0].figures)
        rows: list[Sequence[Cell]] = [
            [line.run, *(_cell(line, name) for name in names)] for line in block if not line.same
        ]
        made.append(Table((row, *(_HEADINGS[name] for name in names)), rows))
        if same := [line.run for line in block if line.same]:
            made.append(f"as {found.runs[0]}: {', '.join(same)}")
        made.append("")
    made += remarks(found)
    for title, items in _notes(found):
        made += ["", f"{title}:", *(f"- {item}" for item in items)]
    return made


def rows(found: Comparison) -> Iterator[dict[str, object]]:
    """Yields the rows of the CSV, one figure of a run each; what is not defined is empty."""
    nothing = Estimate(math.nan)
    for line in found.lines:
        for figure, value in line.figures.items():
            numbers = dataclasses.astuple(value) + dataclasses.astuple(line.less_first.get(figure, nothing))
            texts = ("" if math.isnan(each) else each for each in numbers)
            yield dict(zip(COLUMNS, (line.run, line.row, figure, *texts), strict=True))


def _blocks(found: Comparison) -> Iterator[tuple[str, list[Line]]]:
    for row, lines in itertools.groupby(found.lines, lambda line: line.row):
        yield row, list(lines)


def _cell(line: Line, name: str) -> tuple[str, str]:
    """Returns a figure with its difference beside it, and the interval of the latter, or of the figure itself."""
    decimals, factor = _DECIMALS[name], 100 if name == "accuracy" else 1
    own = line.figures[name].times(factor)
    if name not in line.less_first:
        return number(own.value, decimals), interval(own, decimals)
    less = line.less_first[name].times(factor)
    if not math.isfinite(less.value):
        return number(own.value, decimals), ""
    if less.value == less.low == less.high == 0:
        return f"{number(own.value, decimals)} =", ""
    return (
        f"{number(own.value, decimals)} {with_sign(less.value, decimals)}",
        interval(less, decimals, signed=True),
    )


def _notes(found: Comparison) -> Iterator[tuple[str, Sequence[str]]]:
    if found.data:
        yield "Not the same data", found.data
    if found.configs:
        yield f"Where configs differ, {found.runs[0]}'s in brackets", found.configs
