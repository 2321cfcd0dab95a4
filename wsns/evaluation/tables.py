"""The one type of table, with writers for terminal, Markdown and CSV; that for a page is `wsns.report.html.table`."""

import csv
import dataclasses
import io
import itertools
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from wsns.paper import ROW

Cell = str | tuple[str, str]
"""What stands in a table: a text, or a figure and its interval."""
WIDTH = 100
"""Columns of a terminal that texts are wrapped to."""
LONG = 36
"""A row's name of more letters has a line of its own."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table in letters.

    `heads`: of the columns, the first of which names the rows; `rows`: each a name and its cells, an empty one divides
    groups; `title`: what it shows, nothing where the text before it says that.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""


Part = str | Table


def text(parts: Iterable[Part], *, width: int = WIDTH, gap: int = 2) -> str:
    """Returns paragraphs and tables for a terminal.

    Args:
        parts: in order; an empty text is an empty line.
        width: columns that paragraphs are wrapped to; a table is as wide as its cells.
        gap: columns between a table's columns.
    """
    lines: list[str] = []
    for part in parts:
        if isinstance(part, Table):
            lines += text_lines(part, gap=gap)
        else:
            lines += textwrap.wrap(part, width, subsequent_indent="  ") or [""]
    return "\n".join(lines) + "\n"


def text_lines(table: Table, *, gap: int = 2) -> list[str]:
    """Returns the lines of a table between rules; an interval stands below its figure."""
    rows: list[list[tuple[str, str]]] = []
    for row in [table.heads, *table.rows]:
        cells = [cell if isinstance(cell, tuple) else (cell, "") for cell in row]
        if cells and len(cells[0][0]) > LONG:
            rows.append(cells[:1])
            cells[0] = ("", "")
        rows.append(cells)
    named = [row for row in rows if len(row) != 1]
    columns = itertools.zip_longest(*named, fillvalue=("", ""))
    widths = [max(len(part) for cell in column for part in cell) + gap for column in columns]
    lines = []
    for row in rows:
        for part in zip(*row, strict=True) if row else [("",)]:
            line = "".join(f"{word:<{width}}" for word, width in zip(part, widths)).rstrip()
            if line or not row:
                lines.append(line)
    rule = "─" * (sum(widths) - gap)
    return [*([table.title] if table.title else []), lines[0], rule, *lines[1:], rule]


def markdown(parts: Iterable[Part]) -> str:
    """Returns paragraphs and tables in Markdown; an interval stands in brackets, the paper's own rows in italics."""
    blocks = ["\n".join(_markdown_lines(part)) if isinstance(part, Table) else part for part in parts]
    return "\n\n".join(block for block in blocks if block) + "\n"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns rows as CSV with all digits; NaN, which is no figure, is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("" if isinstance(value, float) and math.isnan(value) else value for value in row)
    return written.getvalue()


def count(things: int, name: str) -> str:
    """Returns so many of something in words: "1 patient", "1,018 scans"."""
    return f"{things:,} {name}{'' if things == 1 else 's'}"


def _markdown_lines(table: Table) -> list[str]:
    rows = [[_markdown_cell(cell) for cell in row] for row in table.rows if row]
    rows = [[f"*{cell}*" if cell else "" for cell in row] if row[0].startswith(ROW) else row for row in rows]
    heads = [_markdown_cell(head) for head in table.heads]
    lines = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
    return [*([f"{table.title}:", ""] if table.title else []), *lines]


def _markdown_cell(cell: Cell) -> str:
    value, span = cell if isinstance(cell, tuple) else (cell, "")
    return (f"{value} [{span}]" if span else value).strip().replace("|", "\\|").replace("_", "\\_")
