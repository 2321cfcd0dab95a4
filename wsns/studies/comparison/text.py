"""A comparison of runs in letters: for the terminal, for Markdown, and as CSV with all digits."""

import dataclasses
import itertools
import math
import textwrap
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
from wsns.studies.comparison.measure import Comparison, Line

COLUMNS = ("run", "row", "figure", "value", "low", "high", "difference", "difference_low", "difference_high")
_WIDTH = 100
_FIRST = 24
_CELL = 15
_HEADINGS = HEADINGS | {"accuracy": "accuracy, %", "auc": "AUC"}
_DECIMALS = DECIMALS | {"accuracy": 1, "auc": 3}


def basis(found: Comparison) -> str:
    """Returns on how many slices and patients the comparison stands."""
    return (
        f"{found.positives:,} test slices with one nodule and {found.negatives:,} without, "
        f"{found.patients:,} {'patient' if found.patients == 1 else 'patients'}"
    )


def remarks(found: Comparison) -> list[str]:
    """Returns what a reader must know to read the table."""
    first = found.runs[0]
    said = [
        f"Beside each figure its difference to {first}'s (=: none under any draw), below that the difference's 95 % "
        f"interval, by the same draws for all runs ({first}: the figure's own interval). Of so many "
        "intervals one in twenty leaves out 0 by chance.",
        "TP columns: each run's mean over its own true positives, which need not be the same slices in both.",
    ]
    if found.patients < FEW_PATIENTS:
        said.append(f"{few_patients(found.patients)}: few differences can be told from chance.")
    return said


def as_text(found: Comparison, *, source: str) -> str:
    """Returns the comparison for a terminal of 100 columns, one block per row of Table 1 and classifier.

    Args:
        found: what to print.
        source: the data in words, printed on top.
    """
    rule = "─" * _WIDTH
    lines = [f"{len(found.runs)} runs, each beside {found.runs[0]} · {source}", basis(found), rule]
    for row, block in _blocks(found):
        lines.append(_columns(row, [_HEADINGS[name] for name in block[0].figures]))
        for line in block:
            if not line.same:
                lines += _line(line)
        if same := [line.run for line in block if line.same]:
            lines += _wrapped(f"as {found.runs[0]}: {', '.join(same)}", "  ")
        lines.append("")
    lines[-1] = rule
    for remark in remarks(found):
        lines += _wrapped(remark)
    for title, items in _notes(found):
        lines += ["", title, *(part for item in items for part in _wrapped(item, "  "))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def as_markdown(found: Comparison, *, source: str) -> str:
    """Returns the comparison in Markdown, one table per row of Table 1 and classifier."""
    parts = [f"**{len(found.runs)} runs, each beside {found.runs[0]}.** {source}. {basis(found)}.", ""]
    for row, block in _blocks(found):
        names = list(block[0].figures)
        parts += [_joined([row, *(_HEADINGS[name] for name in names)]), "|" + "---|" * (1 + len(names))]
        for line in block:
            cells = ("<br>".join(filter(None, _cell(line, name))) for name in names)
            parts.append(_joined([line.run, *cells]))
        parts.append("")
    parts.append(" ".join(remarks(found)))
    for title, items in _notes(found):
        parts += ["", f"{title}:", "", *(f"- {item}" for item in items)]
    return "\n".join(parts) + "\n"


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


def _line(line: Line) -> list[str]:
    values, spans = zip(*(_cell(line, name) for name in line.figures), strict=True)
    own = f"  {line.run}"
    lines = [_columns(own, values)] if len(own) < _FIRST else [own, _columns("", values)]
    return [*lines, _columns("", spans)] if any(spans) else lines


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


def _columns(first: str, cells: Sequence[str]) -> str:
    return f"{first:<{_FIRST}}" + "".join(f"{cell:<{_CELL}}" for cell in cells)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent * 2)


def _joined(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
