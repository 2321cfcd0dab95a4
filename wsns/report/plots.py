"""The figures made of numbers: the paper's Figure 3, causes of failure, and training curves."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsns.evaluation.cases import COARSE, FINE, METHODS, Case
from wsns.evaluation.failure_modes import CAUSES
from wsns.report.figures import WIDTH
from wsns.report.slice_view import own_style

BINS_MM = (0.0, 4.0, 6.0, 8.0, 10.0, 15.0, float("inf"))
COLOURS = dict(
    zip(("1-GAP", "2-GAP", "3-GAP", "U-Net"), ("#0072B2", "#D55E00", "#009E73", "#000000"), strict=True)
)
MARKERS = dict(zip(COLOURS, "o^sD", strict=True))
CAUSE_LOOKS = dict(
    zip(
        CAUSES,
        (
            ("#009E73", ""),
            ("#999999", ""),
            ("#D55E00", "//"),
            ("#CC79A7", ".."),
            ("#E69F00", "xx"),
            ("#56B4E9", ""),
        ),
        strict=True,
    )
)
SPLITS = {"train": ("#0072B2", "solid"), "validation": ("#D55E00", "dashed")}


@own_style
def figure3(cases: Sequence[Case]) -> Figure:
    """Draws TP Dice and TP DOA against the nodule's diameter, mean ± SD, coarse above and fine below.

    The diameter is that of the disc with the area of the consensus in the slice. Under each bin stand the slices
    with one nodule, found or missed, and of them the true positives, of which the means are: each method's, or once if
    all have as many. In grey, beside Dice, the readers' own with the consensus, over all slices of the bin.
    """
    figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
    grid = figure.subplots(2, 2, sharey="col")
    for panels, (name, methods) in zip(
        grid, (("coarse", COARSE), ("fine, U-Net", (*FINE, "U-Net"))), strict=True
    ):
        there = {case.method for case in cases}
        shown = [method for method in METHODS if method in methods and method in there]
        for axes, quantity in zip(panels, ("TP Dice", "TP DOA, mm²"), strict=True):
            _against_size(axes, cases, shown, quantity)
            axes.set_title(f"{quantity}, {name}", fontsize=10)
    return figure


@own_style
def cause_bars(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draws how many slices have each cause of failure, one bar per method.

    Args:
        counts: by method and cause.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + 0.42 * len(counts)), layout="constrained")
    axes = figure.subplots()
    names = list(counts)
    left = np.zeros(len(names))
    for cause in CAUSES:
        width = np.array([counts[name][cause] for name in names])
        colour, hatch = CAUSE_LOOKS[cause]
        axes.barh(names, width, left=left, color=colour, hatch=hatch, edgecolor="white", label=cause)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("slices with one nodule", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, frameon=False, ncols=len(CAUSES), loc="lower left", bbox_to_anchor=(0, 1))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


@own_style
def training_curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draws loss and accuracy (for the U-Net the slice-level quality of outlines) per epoch, one column per model.

    Args:
        rows: of `metrics.jsonl`: model, epoch, split, loss, accuracy or quality; one that lacks a value is
            passed over.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in rows)) or [""]
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    grid = figure.subplots(2, len(models), squeeze=False, sharex="col")
    for column, model in enumerate(models):
        own = [row for row in rows if row["model"] == model]
        # Runs before the choice by quality have 'dice'.
        named = {name for row in own for name in row}
        quality = next((name for name in ("quality", "dice") if name in named), "accuracy")
        for axes, key in zip(grid[:, column], ("loss", quality), strict=True):
            _curves(axes, own, key)
        grid[0, column].set_title(model, fontsize=10)
        grid[1, column].set_xlabel("epoch", fontsize=9)
        grid[1, column].set_ylim(0, 1.02)
    if grid[0, 0].get_legend_handles_labels()[0]:
        grid[0, 0].legend(fontsize=8, frameon=False)
    return figure


def _against_size(axes: Axes, cases: Sequence[Case], methods: Sequence[str], quantity: str) -> None:
    counts, hits = np.zeros(len(BINS_MM) - 1, int), []
    for place, method in enumerate(methods):
        rows = [case for case in cases if case.method == method and case.nodules == 1]
        true = [case for case in rows if case.tp]
        counts, found = (
            np.histogram([case.diameter_mm or 0 for case in own], BINS_MM)[0] for own in (rows, true)
        )
        hits.append(found)
        mean, deviation = binned(true, quantity)
        model = method.split()[0]
        at = np.arange(len(mean)) + (place - (len(methods) - 1) / 2) * 0.14
        axes.errorbar(
            at, mean, deviation, color=COLOURS[model], marker=MARKERS[model], markersize=5, capsize=2,
            linewidth=1.2, elinewidth=0.9, label=model,
        )  # fmt: skip
    if quantity == "TP Dice" and methods:
        _readers(axes, [case for case in cases if case.method == methods[0] and case.reader_dice is not None])
    names = [_bin_name(low, high) for low, high in itertools.pairwise(BINS_MM)]
    under = [_hits([found[n] for found in hits]) for n in range(len(names))]
    labels = [f"{name}\nn = {n}\nTP {own}" for name, n, own in zip(names, counts, under, strict=True)]
    axes.set_xticks(range(len(names)), labels)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.tick_params(labelsize=8)
    axes.set_xlabel(
        "diameter, mm; n slices with one nodule; true positives (TP) in the key's order", fontsize=9
    )
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    if quantity == "TP Dice":
        axes.set_ylim(0, 1)
    else:
        axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            fontsize=8,
            frameon=False,
            ncols=len(methods) + 1,
            loc="lower right" if quantity == "TP Dice" else "upper left",
        )


def _readers(axes: Axes, cases: Sequence[Case]) -> None:
    mean, _ = binned([case for case in cases if case.nodules == 1], "readers")
    axes.plot(range(len(mean)), mean, color="#777777", linestyle="dashed", linewidth=1.2, label="readers")


def binned(true: Sequence[Case], quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation per bin of the diameter, NaN in a bin without a case.

    Args:
        true: true positives.
        quantity: 'TP Dice', 'readers' (their Dice), or else the area's error in mm².
    """
    of = {"TP Dice": lambda case: case.dice, "readers": lambda case: case.reader_dice}
    value = of.get(quantity, lambda case: abs(case.area_mm2 - (case.area_ref_mm2 or 0)))
    values = np.array([value(case) for case in true], float)
    which = np.digitize([case.diameter_mm or 0 for case in true], BINS_MM) - 1
    groups = [values[which == number] for number in range(len(BINS_MM) - 1)]
    mean = np.array([group.mean() if group.size else np.nan for group in groups])
    return mean, np.array([group.std() if group.size else np.nan for group in groups])


def _hits(counts: Sequence[int]) -> str:
    """Returns each method's count, or the one that all have: the rows of one classifier often find the same slices."""
    return "·".join(map(str, counts if len(set(counts)) > 1 else counts[:1])) or "0"


def _bin_name(low: float, high: float) -> str:
    if low == 0:
        return f"< {high:g}"
    return f"≥ {low:g}" if np.isinf(high) else f"{low:g}–{high:g}"


def _curves(axes: Axes, rows: Sequence[Mapping[str, Any]], key: str) -> None:
    for split, (colour, style) in SPLITS.items():
        points = sorted((row["epoch"], row[key]) for row in rows if row.get("split") == split and key in row)
        if points:
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, color=colour, linestyle=style, marker=".", markersize=4, label=split)
    axes.set_ylabel(key, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
