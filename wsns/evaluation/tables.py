"""Tables in letters, as a terminal and as Markdown show them."""

from collections.abc import Sequence


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table for a terminal: as wide as its cells, between rules."""
    widths = [max(len(row[n]) for row in [heads, *rows]) + 2 for n in range(len(heads))]
    lines = [
        "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [heads, *rows]
    ]
    rule = "─" * (sum(widths) - 2)
    return [lines[0], rule, *lines[1:], rule]


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table in Markdown."""
    return ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
