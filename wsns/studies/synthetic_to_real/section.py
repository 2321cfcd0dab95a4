"""The report's opening where networks that learned from synthetic scans are tried on real ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wsns.evaluation.localisation import NEAR_MM
from wsns.report import html, slice_view
from wsns.report.slice_view import SliceView, own_style
from wsns.studies.synthetic_to_real.measure import Line
from wsns.studies.synthetic_to_real.text import remarks, tables

HEADING = "Trained on synthetic scans, tried on real ones"
COLUMNS = 3
PER_FIGURE = 12
"""Nodules."""
PEAK = "white"


class NoduleView(NamedTuple):
    """A nodule's largest slice with a method's map and result, where the map's peak is, and what to say of it."""

    view: SliceView
    method: str
    peak: tuple[int, int]
    words: str


def section(lines: Sequence[Line], start: str, pictures: Sequence[bytes], method: str) -> str:
    """Returns the opening: what was done, all tables, and every nodule.

    Args:
        lines: of all methods.
        start: what training started from, in words.
        pictures: PNGs of the nodules.
        method: whose maps and results these show.
    """
    shown = [html.table(table.title, table.heads, table.rows) for table in tables(lines)]
    caption = (
        f"Every real nodule in its largest slice, with the first seed's {method} network, which hits most often on the "
        "twin's validation split. Left the map and its peak (cross); right what the white square holds, enlarged: the "
        "readers' consensus (blue, dashed) and the fine result (orange), which is sought where 1-GAP detects. Found: "
        f"the peak lies within {NEAR_MM:g} mm."
    )
    alt = "Slices with activation map, peak, consensus and result; below each in words whether the nodule was found."
    nodules = [html.picture(png, alt, caption if not n else "Continued.") for n, png in enumerate(pictures)]
    return html.section(HEADING, html.bullets(remarks(lines, start), style="notes"), *shown, *nodules)


def notice(start: str) -> str:
    """Returns the opening of a further seed's report, which the first one's sums up."""
    return html.section(
        HEADING,
        html.paragraph(
            "The networks were trained on synthetic scans only (the LIDC twin), one seed of several; training started "
            f"from: {start}. The real scans below were held out whole."
        ),
    )


@own_style
def nodule_figures(nodules: Sequence[NoduleView]) -> list[Figure]:
    """Draws nodules, two panels each, a dozen per figure."""
    return [_figure(nodules[first : first + PER_FIGURE]) for first in range(0, len(nodules), PER_FIGURE)]


def _figure(nodules: Sequence[NoduleView]) -> Figure:
    rows = -(-len(nodules) // COLUMNS)
    figure = Figure(figsize=(11.0, 0.4 + 2.35 * rows), layout="constrained")
    panels = figure.subplots(rows, 2 * COLUMNS, squeeze=False).reshape(-1, 2)
    for pair, nodule in zip(panels, nodules, strict=False):
        _nodule(pair[0], pair[1], nodule)
    for axes in panels[len(nodules) :].ravel():
        axes.set_axis_off()
    keys = [
        Line2D([], [], color=slice_view.CONSENSUS, linestyle="dashed", label="consensus"),
        Line2D([], [], color=slice_view.RESULT, label="fine result"),
        Line2D([], [], color=PEAK, marker="x", linestyle="none", label="the map's peak"),
        Line2D([], [], linestyle="none", label=slice_view.READ_AS),
    ]
    figure.legend(
        handles=keys, loc="outside lower center", ncols=4, fontsize=8, facecolor="#333333", labelcolor="white"
    )
    return figure


def _nodule(whole: Axes, near: Axes, nodule: NoduleView) -> None:
    view, (row, column) = nodule.view, nodule.peak
    box = slice_view.zoom_box(view, view.consensus)
    slice_view.show_slice(whole, view.hu)
    nam = view.nams.get(int(nodule.method[0]))
    if nam is not None:
        slice_view.heat(whole, nam if view.hull is None else np.where(view.hull, nam, 0))
    slice_view.square(whole, box)
    slice_view.show_slice(near, view.hu)
    slice_view.outline(near, view.results.get(f"{nodule.method} fine"), slice_view.RESULT)
    slice_view.outline(near, view.consensus, slice_view.CONSENSUS, style="dashed")
    for axes in (whole, near):
        axes.plot(
            column, row, "x", color=PEAK, markersize=7, markeredgewidth=1.8, path_effects=[slice_view.EDGE]
        )
    slice_view.zoom(whole, (0, 0, len(view.hu)))
    slice_view.zoom(near, box)
    for axes in (whole, near):
        slice_view.measured(axes, view)
    whole.set_title(view.title.replace(", ", "\n", 1), fontsize=7.5, loc="left")
    near.set_title(nodule.words, fontsize=7.5, loc="left")
