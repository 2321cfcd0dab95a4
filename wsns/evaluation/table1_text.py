"""Table 1 in letters: for the terminal, for Markdown, and as CSV."""

import csv
import io
import math
import pathlib
import textwrap
from collections.abc import Mapping, Sequence

from wsns import paper
from wsns.evaluation.bootstrap import FEWEST, TOO_FEW, Estimate
from wsns.evaluation.cases import FINE
from wsns.evaluation.metrics import FIGURES
from wsns.evaluation.paired_differences import COMPARED
from wsns.evaluation.table1 import Row, Table
from wsns.runtime.workdir import write_text

COLUMNS = ("method", "n", *FIGURES, *(f"{name}_{end}" for name in FIGURES for end in ("low", "high")))
# (figure, its standard deviation or "", heading, decimals, width in the terminal)
SHOWN = (
    ("tpr", "", "TPR", 2, 10),
    ("fpr", "", "FPR", 2, 10),
    ("fpr_nodule", "", "FPR_nodule", 2, 12),
    ("dice", "dice_sd", "Dice", 2, 11),
    ("tp_dice", "tp_dice_sd", "TP Dice", 2, 11),
    ("tp_doa", "tp_doa_sd", "TP DOA, mm²", 1, 12),
)
HEADINGS = {name: heading for name, _, heading, _, _ in SHOWN}
DECIMALS = {name: decimals for name, _, _, decimals, _ in SHOWN}
PAIRED = "Paired differences"
BRIEF = ("dice", "tp_dice", "tp_doa")
"""Of the differences, those that a terminal shows."""
FEW_PATIENTS = 20
WIDTH = 80
_FIRST = 14


def number(value: float, decimals: int) -> str:
    """Returns a figure in letters, a dash where there is none."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def with_sign(value: float, decimals: int) -> str:
    """Returns a difference in letters with its sign, a dash where there is none."""
    # No zero is negative.
    return f"{round(value, decimals) + 0.0:+.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–"


def interval(estimate: Estimate, decimals: int, *, signed: bool = False) -> str:
    """Returns "low–high", or nothing where there is no interval; with signs "low to high"."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    if signed:
        return f"{with_sign(estimate.low, decimals)} to {with_sign(estimate.high, decimals)}"
    return f"{estimate.low:.{decimals}f}–{estimate.high:.{decimals}f}"


def with_interval(estimate: Estimate, decimals: int) -> tuple[str, str]:
    """Returns a figure and its interval in letters."""
    return number(estimate.value, decimals), interval(estimate, decimals)


def value_cells(row: Row) -> list[str]:
    """Returns a row's figures, "mean ± SD" where there is one."""
    figures = {name: getattr(row, name).value for name in FIGURES}
    return _cells(figures)


def paper_cells(method: str) -> list[str]:
    """Returns the paper's own figures of a method, in the form of `value_cells`."""
    return _cells(paper.TABLE1[method])


def interval_cells(row: Row) -> list[str]:
    """Returns the intervals of a row's figures, those of the standard deviations left to the CSV."""
    return [interval(getattr(row, name), decimals) for name, _, _, decimals, _ in SHOWN]


def basis(table: Table) -> str:
    """Returns on how many slices and patients the table stands."""
    return (
        f"{table.positives:,} test slices with one nodule and {table.negatives:,} without, "
        f"{table.patients:,} {'patient' if table.patients == 1 else 'patients'}"
    )


def remarks(table: Table) -> list[str]:
    """Returns what a reader must know to read the table, one sentence or two each."""
    said = [
        "Mean ± SD over slices; below it the 95 % interval: bootstrap over patients and their nodules.",
        "A miss counts as Dice 0; TP: declared a nodule slice, and the result overlaps the consensus.",
        "FPR is that of the 1-GAP classifier in all weak rows: it decides which slices are nodule slices.",
    ]
    if table.patients < FEW_PATIENTS:
        said.append(f"{few_patients(table.patients)}: the path is real, but the figures are no result.")
    if table.unreachable:
        lie = "slice whose nodule lies" if table.unreachable == 1 else "slices whose nodules lie"
        said.append(f"Left out: {table.unreachable:,} {lie} wholly outside the crop.")
    if table.crowded:
        said.append(f"{table.crowded:,} slices with more than two nodules are left out.")
    return said


def few_patients(patients: int) -> str:
    """Returns in words how few they are, and that there is no interval where they are fewer than one needs."""
    count = f"Only {patients} {'patient' if patients == 1 else 'patients'}"
    return f"{count}, {TOO_FEW}" if patients < FEWEST else count


def classifier_lines(table: Table) -> list[tuple[str, str, str, str, str]]:
    """Returns (model, accuracy, its interval, AUC, its interval) in letters, accuracies in per cent."""
    lines = []
    for model in table.classifiers:
        accuracy = model.accuracy.times(100)
        auc = model.auc
        cells = (number(accuracy.value, 1), interval(accuracy, 1), number(auc.value, 3), interval(auc, 3))
        lines.append((model.model, *cells))
    return lines


def difference_cells(figures: Mapping[str, Estimate]) -> list[tuple[str, str]]:
    """Returns (difference, its interval) in letters, with signs, for each of `COMPARED`."""
    return [
        (with_sign(figures[name].value, DECIMALS[name]), interval(figures[name], DECIMALS[name], signed=True))
        for name in COMPARED
    ]


def as_text(table: Table, *, source: str) -> str:
    """Returns the table for a terminal of `WIDTH` columns, the paper's own figures under each row.

    Args:
        table: what to print.
        source: the data in words, printed on top, as "LIDC twin: synthetic, not LIDC results".
    """
    rule = "─" * WIDTH
    heads = _line("", [heading for _, _, heading, _, _ in SHOWN])
    lines = [*_wrapped(f"Table 1 · {source}"), *_wrapped(basis(table)), rule, heads, rule]
    for row in table.rows:
        if row.method in (FINE[0], "U-Net"):
            lines.append("")
        lines.append(_line(row.method, value_cells(row)))
        if any(spans := interval_cells(row)):
            lines.append(_line("", spans))
        lines.append(_line(" the paper's", paper_cells(row.method)))
    lines.append(rule)
    for remark in (*remarks(table), f"The paper's: {paper.CITATION}, on LIDC-IDRI."):
        lines += _wrapped(remark)
    lines.append("")
    if table.classifiers:
        lines.append("Slice classifier    accuracy, %           paper's    AUC")
        for model, accuracy, span, auc, auc_span in classifier_lines(table):
            printed = 100 * paper.ACCURACY[model]
            lines.append(f"  {model:<16}  {accuracy:<6}{span:<14}  {printed:<9.1f}  {auc:<7}{auc_span}")
    lines += [*_difference_lines(table), *_two_nodule_lines(table), *_effort_lines(table)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def as_markdown(table: Table, *, source: str) -> str:
    """Returns the table in Markdown, the paper's own figures in italics under each row."""
    lines = [f"**Table 1.** {source}. {basis(table)}.", ""]
    lines += _markdown(["method", *(heading.replace("_", "\\_") for _, _, heading, _, _ in SHOWN)])
    for row in table.rows:
        cells = [
            f"{value} [{span}]" if span else value
            for value, span in zip(value_cells(row), interval_cells(row), strict=True)
        ]
        lines.append(_markdown_row([row.method, *cells]))
        lines.append(_markdown_row([f"*{cell}*" for cell in ("the paper's", *paper_cells(row.method))]))
    lines += ["", " ".join(remarks(table)), f"*The paper's*: {paper.CITATION}, on LIDC-IDRI."]
    if table.classifiers:
        lines += ["", *_markdown(["slice classifier", "accuracy, %", "the paper's", "AUC"])]
        for model, accuracy, span, auc, auc_span in classifier_lines(table):
            cells = [
                model,
                f"{accuracy} [{span}]",
                f"*{100 * paper.ACCURACY[model]:.1f}*",
                f"{auc} [{auc_span}]",
            ]
            lines.append(_markdown_row([cell.replace(" []", "") for cell in cells]))
    if table.differences:
        lines += ["", *_markdown([PAIRED, *(HEADINGS[name].replace("_", "\\_") for name in COMPARED)])]
        for pair in table.differences:
            cells = [f"{value} [{span}]" if span else value for value, span in difference_cells(pair.figures)]
            lines.append(_markdown_row([f"{pair.one} − {pair.other}", *cells]))
    for block in (_two_nodule_lines(table), _effort_lines(table)):
        if block:
            lines += [
                "",
                f"{block[0].strip()}: " + "; ".join(" ".join(line.split()) for line in block[1:]) + ".",
            ]
    return "\n".join(lines) + "\n"


def as_csv(table: Table) -> str:
    """Returns the table as CSV with all digits; a figure that is not defined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        figures = [getattr(row, name) for name in FIGURES]
        values = [f.value for f in figures] + [end for f in figures for end in (f.low, f.high)]
        writer.writerow([row.method, row.n, *("" if math.isnan(v) else v for v in values)])
    return text.getvalue()


def write_table(directory: pathlib.Path, table: Table, *, source: str) -> None:
    """Writes `table1.txt`, `table1.md` and `table1.csv` into a workdir."""
    write_text(directory / "table1.txt", as_text(table, source=source))
    write_text(directory / "table1.md", as_markdown(table, source=source))
    write_text(directory / "table1.csv", as_csv(table))


def _cells(figures: Mapping[str, float]) -> list[str]:
    cells = []
    for name, deviation, _, decimals, _ in SHOWN:
        text = number(figures[name], decimals)
        if deviation and text != "–":
            text += f" ± {number(figures[deviation], decimals)}"
        cells.append(text)
    return cells


def _line(first: str, cells: Sequence[str]) -> str:
    tight = [cell.replace(" ± ", "±") for cell in cells]
    return f"{first:<{_FIRST}}" + "".join(
        f"{cell:<{width}}" for cell, (*_, width) in zip(tight, SHOWN, strict=True)
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _difference_lines(table: Table) -> list[str]:
    """Returns a heading and two lines per pair of methods, figures and their intervals.

    The other figures stand in Markdown and in the report.
    """
    if not table.differences:
        return []
    lines = [_wide(PAIRED, [HEADINGS[name] for name in BRIEF])]
    for pair in table.differences:
        cells = dict(zip(COMPARED, difference_cells(pair.figures), strict=True))
        values, spans = zip(*(cells[name] for name in BRIEF), strict=True)
        lines.append(_wide(f" {pair.one} − {pair.other}", values))
        if any(spans):
            lines.append(_wide("", spans))
    return lines


def _wide(first: str, cells: Sequence[str]) -> str:
    return f"{first:<29}" + "".join(f"{cell:<17}" for cell in cells)


def _two_nodule_lines(table: Table) -> list[str]:
    """Returns a heading and the lines on slices with two nodules, or nothing without such slices."""
    if not any(row.n for row in table.two_nodules):
        return []
    slices, both, one = paper.TWO_NODULES
    return [
        f"Two nodules, {table.two_nodules[0].n:,} slices, both / one / none overlapped",
        *(f"  {row.method:<14}{row.both} / {row.one} / {row.none}" for row in table.two_nodules),
        f"  the paper's, {paper.TWO_NODULES_MODEL}: {both} / {one} / {slices - both - one} of {slices}",
    ]


def _effort_lines(table: Table) -> list[str]:
    """Returns the labelling effort, or nothing where it isn't known."""
    if table.effort is None:
        return []
    voxels, slices = paper.EFFORT
    return [
        "Labelling effort",
        f"  {number(table.effort.ratio, 0)} voxels of the consensus per slice label "
        f"({table.effort.voxels:,} / {table.effort.slices:,})",
        f"  the paper's: {voxels / slices:.0f} ({voxels:,} / {slices:,})",
    ]


def _markdown(heads: Sequence[str]) -> list[str]:
    return [_markdown_row(heads), "|" + "---|" * len(heads)]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
