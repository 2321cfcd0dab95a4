"""The figures made of slices: the whole path on one slice, the paper's Figure 2, and galleries."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wsns.evaluation.cases import VARIANTS, Case
from wsns.evaluation.failure_modes import CAUSES, cause
from wsns.report import slice_view
from wsns.report.slice_view import SliceView, own_style

WIDTH = 11.0  # inches


@own_style
def overview(view: SliceView, *, variant: int = 2) -> Figure:
    """Draws the path from the scan's slice to the result, in eight panels.

    The last three are enlarged to the square that the others show in white.

    Args:
        view: the slice.
        variant: which of 1-, 2-, 3-GAP stands for NAM, scope, candidates and fine result.
    """
    method = f"{variant}-GAP fine"
    result, scope = view.results.get(method), view.scopes.get(variant)
    box = slice_view.zoom_box(view, view.consensus, result, scope)
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    _whole_slice(panels[0], view)
    _crop(panels[1], view, box)
    _lungs(panels[2], view)
    _consensus(panels[3], view)
    _nam(panels[4], view, variant, box)
    _scope(panels[5], view, variant, box)
    _candidates(panels[6], view, variant, box)
    draw_result(panels[7], view, method, box)
    for number, axes in enumerate(panels, start=1):
        axes.set_title(f"{number}  {axes.get_title()}", fontsize=9)
    return _headed(figure, view.title)


@own_style
def figure2(slices: Sequence[SliceView], *, variant: int = 2) -> Figure:
    """Draws the NAMs of all variants with their scopes, and the results, one slice per row.

    Args:
        slices: the slices; at least one.
        variant: whose coarse and fine results are drawn.
    """
    methods = (f"{variant}-GAP coarse", f"{variant}-GAP fine", "U-Net")
    figure = Figure(figsize=(WIDTH, 0.55 + 1.38 * len(slices)), layout="constrained")
    rows = figure.subplots(len(slices), 8, squeeze=False)
    for view, panels in zip(slices, rows, strict=True):
        shown = [view.results.get(method) for method in methods]
        box = slice_view.zoom_box(view, view.consensus, *shown)
        _crop(panels[0], view, box)
        panels[0].set_ylabel(view.title.replace(", ", "\n"), fontsize=7.5)
        for gaps, axes in zip(VARIANTS, panels[1:4], strict=True):
            _nam(axes, view, gaps, None)
            slice_view.outline(axes, view.scopes.get(gaps), slice_view.SCOPE)
        for method, axes in zip(methods, panels[4:7], strict=True):
            draw_result(axes, view, method, box)
        _consensus(panels[7], view, box)
    titles = ("crop", *(f"{g}-GAP NAM, scope" for g in VARIANTS), *methods, "consensus")
    for row, panels in enumerate(rows):
        for title, axes in zip(titles, panels, strict=True):
            axes.set_title(title if row == 0 else "", fontsize=8.5)
    return with_key(figure, "consensus", "result", "scope")


def choose_gallery(cases: Sequence[Case], method: str, count: int) -> dict[str, list[Case]]:
    """Returns the best, the median and the worst slices with one nodule of a method, `count` each at most.

    They are ranked by Dice; of equal ones, as all missed, the larger nodule is the worse. A slice stands in
    one group only.
    """
    rows = [case for case in cases if case.method == method and case.nodules == 1]
    ranked = sorted(rows, key=lambda case: (-(case.dice or 0), case.diameter_mm or 0, case.series, case.z))
    count = min(count, len(ranked) // 3) if len(ranked) >= 3 else 0
    middle = (len(ranked) - count) // 2
    return {
        "best": ranked[:count],
        "median": ranked[middle : middle + count],
        "worst": ranked[len(ranked) - count :],
    }


def choose_failures(cases: Sequence[Case], method: str, count: int) -> dict[str, list[Case]]:
    """Returns, for each cause of failure that occurs, the slices of the largest nodules, `count` at most.

    Slices of other patients come first: those of one resemble each other. What the crop leaves out is no failure.
    """
    rows = [case for case in cases if case.method == method and case.nodules == 1 and case.reachable]
    chosen = {}
    for name in list(CAUSES)[1:]:
        own = sorted(
            (c for c in rows if cause(c) == name), key=lambda c: (-(c.diameter_mm or 0), c.series, c.z)
        )
        first = {case.patient: case for case in reversed(own)}
        ranked = sorted(own, key=lambda case: first[case.patient] is not case)
        if ranked:
            chosen[name] = ranked[:count]
    return chosen


@own_style
def gallery(
    groups: Mapping[str, Sequence[tuple[SliceView, Case]]], method: str, *, scopes: bool = False
) -> Figure:
    """Draws results of a method against the consensus, one group per row.

    Args:
        groups: best, median, worst; or causes of failure.
        method: whose results.
        scopes: draw where it sought, too.
    """
    columns = max(1, *(len(group) for group in groups.values()))
    size = WIDTH / max(columns, 4)
    figure = Figure(figsize=(WIDTH, 0.4 + (size + 0.3) * len(groups)), layout="constrained")
    rows = figure.subplots(len(groups), columns, squeeze=False)
    for panels, (name, group) in zip(rows, groups.items(), strict=True):
        for axes in panels[len(group) :]:
            axes.set_axis_off()
        for axes, (view, case) in zip(panels, group, strict=False):
            result = view.results.get(method)
            scope = view.scopes.get(int(method[0])) if scopes else None
            draw_result(axes, view, method, slice_view.zoom_box(view, view.consensus, result, scope))
            slice_view.outline(axes, scope, slice_view.SCOPE, style="dotted")
            axes.set_title(
                f"{view.title}\nDice {case.dice or 0:.2f}, {case.diameter_mm or 0:.1f} mm", fontsize=8
            )
        panels[0].set_ylabel(name, fontsize=10)
    return with_key(figure, "consensus", "result", *(["scope"] if scopes else []))


def _whole_slice(axes: Axes, view: SliceView) -> None:
    if view.scan_slice is None:
        _missing(axes, view, "whole slice", "not kept")
        return
    slice_view.show_slice(axes, view.scan_slice, title="slice and crop")
    rows, columns = view.scan_slice.shape
    size = len(view.hu)
    axes.set_xlim(min(-0.5, view.origin[1] - 2), max(columns - 0.5, view.origin[1] + size + 2))
    axes.set_ylim(max(rows - 0.5, view.origin[0] + size + 2), min(-0.5, view.origin[0] - 2))
    axes.set_facecolor("black")
    slice_view.square(axes, (*view.origin, size))
    slice_view.measured(axes, view)


def _crop(axes: Axes, view: SliceView, box: tuple[int, int, int]) -> None:
    slice_view.show_slice(axes, view.hu, title="crop")
    slice_view.square(axes, box)
    slice_view.measured(axes, view)


def _lungs(axes: Axes, view: SliceView) -> None:
    if view.lungs is None:
        _missing(axes, view, "lung mask", "no lung mask")
        return
    slice_view.show_slice(
        axes, view.hu, title="lung mask" if view.hull is None else "lung mask, hull (dotted)"
    )
    slice_view.outline(axes, view.hull, slice_view.HULL, style="dotted", width=1.0)
    for lung, colour in enumerate(slice_view.LUNGS, start=1):
        slice_view.outline(axes, view.lungs == lung, colour)
    slice_view.measured(axes, view)


def _consensus(axes: Axes, view: SliceView, box: tuple[int, int, int] | None = None) -> None:
    slice_view.show_slice(axes, view.hu, title="readers' consensus")
    slice_view.outline(axes, view.consensus, slice_view.CONSENSUS)
    if view.consensus is None or not np.any(view.consensus):
        slice_view.say(axes, "no nodule")
    if box:
        slice_view.zoom(axes, box)
    slice_view.measured(axes, view)


def _nam(axes: Axes, view: SliceView, variant: int, box: tuple[int, int, int] | None) -> None:
    nam = view.nams.get(variant)
    title = f"{variant}-GAP NAM"
    if nam is None:
        _missing(axes, view, title, "no NAM")
        return
    slice_view.show_slice(axes, view.hu, title=title)
    slice_view.heat(axes, nam)
    if box:
        slice_view.square(axes, box)
    slice_view.measured(axes, view)


def _scope(axes: Axes, view: SliceView, variant: int, box: tuple[int, int, int]) -> None:
    scope = view.scopes.get(variant)
    if scope is None or not np.any(scope):
        _missing(axes, view, "scope", "no scope: not declared a nodule slice")
    else:
        slice_view.show_slice(axes, view.hu, title="scope (enlarged)")
        slice_view.outline(axes, scope, slice_view.SCOPE)
    slice_view.zoom(axes, box)
    slice_view.measured(axes, view)


def _candidates(axes: Axes, view: SliceView, variant: int, box: tuple[int, int, int]) -> None:
    candidates = view.candidates.get(variant)
    if candidates is None or not np.any(candidates):
        _missing(axes, view, "candidates", "no candidates")
    else:
        slice_view.show_slice(axes, view.hu, title=f"{len(candidates)} candidates")
        # Nested outlines of one object are common: the inner ones must stay on top.
        for number, mask in enumerate(sorted(candidates, key=np.count_nonzero, reverse=True)):
            slice_view.outline(axes, mask, slice_view.CYCLE[number % len(slice_view.CYCLE)], width=1.1)
    slice_view.zoom(axes, box)
    slice_view.measured(axes, view)


def draw_result(axes: Axes, view: SliceView, method: str, box: tuple[int, int, int]) -> None:
    """Draws a method's result and the consensus in a square of a slice, and in words what of them there isn't."""
    result = view.results.get(method)
    slice_view.show_slice(axes, view.hu, title="result, consensus")
    slice_view.outline(axes, result, slice_view.RESULT)
    slice_view.outline(axes, view.consensus, slice_view.CONSENSUS, style="dashed")
    if method not in view.results:
        slice_view.say(axes, "no result kept")
    elif result is None:
        slice_view.say(axes, "not detected")
    elif not np.any(result):
        slice_view.say(axes, "empty result")
    slice_view.zoom(axes, box)
    slice_view.measured(axes, view)


def _missing(axes: Axes, view: SliceView, title: str, words: str) -> None:
    """Draws the crop with a remark in the place of a layer that isn't there."""
    slice_view.show_slice(axes, view.hu, title=title)
    slice_view.say(axes, words)


def _headed(figure: Figure, title: str) -> Figure:
    if title:
        figure.suptitle(title, fontsize=10)
    return with_key(figure, "consensus", "result", "scope")


def with_key(figure: Figure, *names: str) -> Figure:
    """Adds the key of the outlines under all panels, on black as they are seen."""
    keys = {
        "consensus": Line2D([], [], color=slice_view.CONSENSUS, linestyle="dashed", label="consensus"),
        "result": Line2D([], [], color=slice_view.RESULT, label="result"),
        "scope": Line2D([], [], color=slice_view.SCOPE, label="scope"),
    }
    lines = [*(keys[name] for name in names), Line2D([], [], linestyle="none", label=slice_view.READ_AS)]
    figure.legend(
        handles=lines,
        loc="outside lower center",
        ncols=len(lines),
        fontsize=8,
        facecolor="#333333",
        labelcolor="white",
    )
    return figure
