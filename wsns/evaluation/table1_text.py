"""Renders Table 1 as text, Markdown and CSV."""

import math
import pathlib
from collections.abc import Mapping, Sequence

from wsns import paper
from wsns.evaluation import tables
from wsns.evaluation.bootstrap import FEWEST, TOO_FEW, Estimate
from wsns.evaluation.cases import FINE
from wsns.evaluation.metrics import FIGURES
from wsns.evaluation.paired_differences import COMPARED
from wsns.evaluation.table1 import Row, Table
from wsns.evaluation.tables import Cell, Part
from wsns.evaluation.tables import Table as Tabular
from wsns.runtime.workdir import write_text

COLUMNS = ("method", "n", *FIGURES, *(f"{name}_{end}" for name in FIGURES for end in ("low", "high")))
# (figure, its standard deviation or "", heading, decimals)
SHOWN = (
    ("tpr", "", "TPR", 2),
    ("fpr", "", "FPR", 2),
    ("fpr_nodule", "", "FPR_nodule", 2),
    ("dice", "dice_sd", "Dice", 2),
    ("tp_dice", "tp_dice_sd", "TP Dice", 2),
    ("tp_doa", "tp_doa_sd", "TP DOA, mm²", 1),
)
HEADINGS = {name: heading for name, _, heading, _ in SHOWN}
DECIMALS = {name: decimals for name, _, _, decimals in SHOWN}
PAIRED = "Paired differences"
BRIEF = ("dice", "tp_dice", "tp_doa")
"""Of the differences, those that a terminal shows."""
FEW_PATIENTS = 20
WIDTH = 80


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
    """Returns a row's figures, "mean±SD" where there is one."""
    figures = {name: getattr(row, name).value for name in FIGURES}
    return _cells(figures)


def paper_cells(method: str) -> list[str]:
    """Returns the paper's own figures of a method, in the form of `value_cells`."""
    return _cells(paper.TABLE1[method])


def interval_cells(row: Row) -> list[str]:
    """Returns the intervals of a row's figures, those of the standard deviations left to the CSV."""
    return [interval(getattr(row, name), decimals) for name, _, _, decimals in SHOWN]


def basis(table: Table) -> str:
    """Returns on how many slices and patients the table stands."""
    return (
        f"{table.positives:,} test slices with one nodule and {table.negatives:,} without, "
        f"{tables.count(table.patients, 'patient')}"
    )


def remarks(table: Table) -> list[str]:
    """Returns what a reader must know to read the table, one sentence or two each."""
    said = [
        "Mean±SD over slices; with it the 95 % interval: bootstrap over patients and their nodules.",
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
    only = f"Only {tables.count(patients, 'patient')}"
    return f"{only}, {TOO_FEW}" if patients < FEWEST else only


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


def parts(table: Table, *, source: str, brief: bool = False) -> list[Part]:
    """Returns Table 1 with all that belongs to it, the paper's own figures under each row.

    Args:
        table: what to print.
        source: the data in words, as "LIDC twin: synthetic, not LIDC results".
        brief: for a terminal of `WIDTH` columns: of the paired differences the most important ones.
    """
    made: list[Part] = [f"Table 1 · {source}", f"{basis(table)}.", _methods(table), *remarks(table)]
    made.append(f"The paper's: {paper.CITATION}, on LIDC-IDRI.")
    if table.classifiers:
        rows: list[Sequence[Cell]] = [
            (model, (accuracy, span), f"{100 * paper.ACCURACY[model]:.1f}", (auc, auc_span))
            for model, accuracy, span, auc, auc_span in classifier_lines(table)
        ]
        made.append(Tabular(("slice classifier", "accuracy, %", paper.ROW, "AUC"), rows))
    if table.differences:
        names = BRIEF if brief else COMPARED
        pairs: list[Sequence[Cell]] = [
            (
                f"{pair.one} − {pair.other}",
                *(difference_cells(pair.figures)[COMPARED.index(name)] for name in names),
            )
            for pair in table.differences
        ]
        made.append(Tabular((PAIRED, *(HEADINGS[name] for name in names)), pairs))
    if any(row.n for row in table.two_nodules):
        made.append(_two_nodules(table))
    if table.effort:
        voxels, slices = paper.EFFORT
        made.append(
            f"Labelling effort: {number(table.effort.ratio, 0)} voxels of the consensus per slice label "
            f"({table.effort.voxels:,} / {table.effort.slices:,}); the paper's: {voxels / slices:.0f} "
            f"({voxels:,} / {slices:,})."
        )
    return made


def as_text(table: Table, *, source: str) -> str:
    """Returns the table for a terminal of `WIDTH` columns; see `parts`."""
    return tables.text(parts(table, source=source, brief=True), width=WIDTH, gap=1)


def as_markdown(table: Table, *, source: str) -> str:
    """Returns the table in Markdown; see `parts`."""
    return tables.markdown(parts(table, source=source))


def write_table(directory: pathlib.Path, table: Table, *, source: str) -> None:
    """Writes `table1.txt`, `table1.md` and `table1.csv` into a workdir."""
    write_text(directory / "table1.txt", as_text(table, source=source))
    write_text(directory / "table1.md", as_markdown(table, source=source))
    write_text(directory / "table1.csv", as_csv(table))


def as_csv(table: Table) -> str:
    """Returns the table as CSV with all digits; a figure that is not defined is empty."""
    rows = []
    for row in table.rows:
        figures = [getattr(row, name) for name in FIGURES]
        values = [f.value for f in figures] + [end for f in figures for end in (f.low, f.high)]
        rows.append([row.method, row.n, *values])
    return tables.csv_text(COLUMNS, rows)


def _methods(table: Table) -> Tabular:
    rows: list[Sequence[Cell]] = []
    for row in table.rows:
        if row.method in (FINE[0], "U-Net"):
            rows.append(())
        rows.append((row.method, *zip(value_cells(row), interval_cells(row), strict=True)))
        rows.append((paper.ROW, *paper_cells(row.method)))
    return Tabular(("", *HEADINGS.values()), rows)


def _two_nodules(table: Table) -> Tabular:
    slices, both, one = paper.TWO_NODULES
    rows: list[Sequence[Cell]] = [
        (row.method, str(row.both), str(row.one), str(row.none)) for row in table.two_nodules
    ]
    rows.append((f"{paper.ROW}, {paper.TWO_NODULES_MODEL}", str(both), str(one), str(slices - both - one)))
    return Tabular(
        (f"Two nodules, {tables.count(table.two_nodules[0].n, 'slice')}", "both", "one", "none"), rows
    )


def _cells(figures: Mapping[str, float]) -> list[str]:
    cells = []
    for name, deviation, _, decimals in SHOWN:
        shown = number(figures[name], decimals)
        if deviation and shown != "–":
            shown += f"±{number(figures[deviation], decimals)}"
        cells.append(shown)
    return cells
