"""False alarms: slices without a nodule in which a method marked something, chosen, drawn and counted."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from wsns.evaluation.cases import FINE, Case
from wsns.evaluation.table1 import Table
from wsns.evaluation.table1_text import with_interval
from wsns.report import html, slice_view
from wsns.report.figures import WIDTH, draw_result, with_key
from wsns.report.slice_view import SliceView, own_style

SHOWN = (*FINE, "U-Net")


def choose(cases: Sequence[Case], method: str, count: int) -> list[Case]:
    """Returns the false alarms that a method's score is surest of, `count` at most, those of other patients first.

    Slices without a nodule in which it marked at least a pixel; of equal scores the larger mark comes first.
    """
    marked = [case for case in cases if case.method == method and not case.label and case.area_mm2 > 0]
    ranked = sorted(marked, key=lambda case: (-case.score, -case.area_mm2, case.series, case.z))
    first = {case.patient: case for case in reversed(ranked)}
    return sorted(ranked, key=lambda case: first[case.patient] is not case)[:count]


@own_style
def gallery(groups: Mapping[str, Sequence[tuple[SliceView, Case]]]) -> Figure:
    """Draws false alarms, one method per row, enlarged to the mark.

    Args:
        groups: by method; at least one.
    """
    columns = max(1, *(len(group) for group in groups.values()))
    size = WIDTH / max(columns, 4)
    figure = Figure(figsize=(WIDTH, 0.4 + (size + 0.3) * len(groups)), layout="constrained")
    for panels, (method, group) in zip(
        figure.subplots(len(groups), columns, squeeze=False), groups.items(), strict=True
    ):
        for axes in panels[len(group) :]:
            axes.set_axis_off()
        for axes, (view, case) in zip(panels, group, strict=False):
            draw_result(axes, view, method, slice_view.zoom_box(view, view.results.get(method)))
            axes.set_title(f"{view.title}\nscore {case.score:.2f}, {case.area_mm2:,.0f} mm²", fontsize=8)
        panels[0].set_ylabel(method, fontsize=10)
    return with_key(figure, "result")


def counts(table: Table) -> str:
    """Returns how often each method declares a slice without a nodule one with a nodule, its TPR beside it."""
    rows = [
        (row.method, *(with_interval(getattr(row, name), 2) for name in ("fpr", "tpr")))
        for row in table.rows
        if row.method in SHOWN and table.negatives
    ]
    caption = f"{table.negatives:,} test slices without a nodule; beside it what the same method finds in the others"
    return html.table(caption, ("Method", "FPR", "TPR"), rows) if rows else ""
