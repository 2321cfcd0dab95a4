"""The figures of scores and thresholds: ROC and calibration of the slice classifiers, FROC of the fine results."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsns.evaluation.froc import RATES, Froc
from wsns.evaluation.roc import Curves
from wsns.evaluation.secondary import Secondary
from wsns.report.figures import WIDTH
from wsns.report.plots import COLOURS, MARKERS
from wsns.report.slice_view import own_style

LINES = dict(zip(COLOURS, ("solid", "dashed", "dotted", "dashdot"), strict=True))


@own_style
def curves(found: Secondary) -> Figure:
    """Draws ROC and calibration on the test split, and FROC and calibration on whole scans if some were searched."""
    rows = 2 if found.whole else 1
    figure = Figure(figsize=(WIDTH, 4.6 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False)
    _roc(panels[0, 0], found.classifiers)
    _calibration(panels[0, 1], found.classifiers, "test split")
    if found.whole:
        _froc(panels[1, 0], found.whole.frocs)
        _calibration(panels[1, 1], found.whole.classifiers, "whole scans")
    return figure


def _roc(axes: Axes, found: Mapping[str, Curves]) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for model, own in found.items():
        false, true, low, high = own.roc
        axes.plot(false, true, color=COLOURS[model], linestyle=LINES[model], linewidth=1.6, label=model)
        if model == "1-GAP" and np.isfinite(low).all():
            axes.fill_between(
                false, low, high, color=COLOURS[model], alpha=0.15, linewidth=0, label="1-GAP, 95 %"
            )
    _unit(axes, "ROC of the slice classifiers, test split", "1 − specificity", "sensitivity")


def _calibration(axes: Axes, found: Mapping[str, Curves], name: str) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for model, own in found.items():
        count, mean, share = own.reliability
        axes.plot(mean, share, color=COLOURS[model], linestyle=LINES[model], linewidth=1.2, label=model)
        # A point's area is its share of the slices.
        axes.scatter(
            mean, share, 12 + 260 * count / max(count.sum(), 1), color=COLOURS[model], marker=MARKERS[model]
        )
    _unit(axes, f"Calibration, {name}", "mean score of a tenth (size: slices)", "share with a nodule")


def _froc(axes: Axes, found: Mapping[str, Froc]) -> None:
    for method, own in found.items():
        model = method.split()[0]
        rates, sensitivity = own.curve
        # Beyond its end a curve's last value stands.
        axes.plot(
            [*rates, max(RATES[-1], rates[-1])], [*sensitivity, sensitivity[-1]],
            color=COLOURS[model], linestyle=LINES[model], linewidth=1.6, drawstyle="steps-post", label=method,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xlim(RATES[0] / 2, RATES[-1])
    axes.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    axes.minorticks_off()
    _framed(axes, "FROC, whole scans", "false marks per scan", "share of nodules found")


def _unit(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    _framed(axes, title, x, y)


def _framed(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_ylim(-0.02, 1.02)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
