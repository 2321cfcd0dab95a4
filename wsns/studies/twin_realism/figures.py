"""The figures of the twin check: real and synthetic crops and nodules to look at, and what was measured of both."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from wsns.report import slice_view
from wsns.report.figures import WIDTH
from wsns.report.slice_view import own_style
from wsns.studies.twin_realism.noise import LAGS
from wsns.studies.twin_realism.scan import SHOWN, NoduleCrop, ScanLook
from wsns.studies.twin_realism.statistics import DISTANCES_MM, HIGHEST, LOWEST, groups

REAL, TWIN = "#D55E00", "#0072B2"
LUNG_WINDOW = (-1000, -200)
"""HU: narrower than the networks' own, so that parenchyma and noise can be seen."""
MOST_PAIRS = 5
"""Of rows in the sheet of crops."""
PAIRS_ACROSS, PAIRS_DOWN = 4, 6
LIKE = float(np.log(1.5))
_GAP = 3  # pixels
_SHOWN_HU = (-1000, -600)
_BIN_HU = 10
_RADII_MM = np.linspace(0, 6, 61)


@own_style
def crop_sheet(real: Sequence[ScanLook], twin: Sequence[ScanLook]) -> Figure:
    """Draws crops of lung, a row of a real scan and a row of the twin in turn."""
    shown = [
        (kind, scan) for pair in zip(real[:MOST_PAIRS], twin) for kind, scan in zip(("real", "twin"), pair)
    ]
    figure = Figure(figsize=(WIDTH, 1.1 * len(shown)), layout="constrained")
    low, high = LUNG_WINDOW
    for axes, (kind, scan) in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        axes.imshow(_side_by_side(scan.shown), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        slice_view.bare(axes)
        axes.text(
            0,
            1.02,
            f"{kind} {scan.patient}",
            transform=axes.transAxes,
            fontsize=8,
            color=REAL if kind == "real" else TWIN,
        )
    return figure


@own_style
def nodule_sheet(real: Sequence[ScanLook], twin: Sequence[ScanLook]) -> Figure:
    """Draws real nodules by size, each with one of the twin of like size at its right, where there is one."""
    pairs = matched(
        [nodule for scan in real for nodule in scan.pictures], [n for scan in twin for n in scan.pictures]
    )[: PAIRS_ACROSS * PAIRS_DOWN]
    down = max(1, -(-len(pairs) // PAIRS_ACROSS))
    figure = Figure(figsize=(WIDTH, 1.6 * down), layout="constrained")
    grid = figure.subplots(down, 2 * PAIRS_ACROSS, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, (one, other) in zip(grid.reshape(-1, 2), pairs):
        _nodule(axes[0], one, "real", REAL)
        if other is not None:
            _nodule(axes[1], other, "twin", TWIN)
    return figure


def matched(
    real: Sequence[NoduleCrop], twin: Sequence[NoduleCrop]
) -> list[tuple[NoduleCrop, NoduleCrop | None]]:
    """Returns each real nodule with one of the twin, by size; each of the twin stands in one pair at most.

    None where the twin has none left whose radius is within a factor of 1.5.
    """
    ours, theirs = (np.log([nodule.radius for nodule in nodules]) for nodules in (real, twin))
    apart = np.abs(ours[:, None] - theirs[None])
    found: list[NoduleCrop | None] = [None] * len(real)
    # A pair that is too far apart costs the same as any other such pair.
    for row, column in zip(*linear_sum_assignment(np.minimum(apart, LIKE)), strict=True):
        if apart[row, column] < LIKE:
            found[row] = twin[column]
    return sorted(zip(real, found, strict=True), key=lambda pair: pair[0].radius)


@own_style
def statistics_figure(real: Sequence[ScanLook], twin: Sequence[ScanLook]) -> Figure:
    """Draws densities, noise, sections and nodules: each scan a thin line, all of a kind a thick one."""
    figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    _curves(panels[0], real, twin, np.arange(*_SHOWN_HU, _BIN_HU) + _BIN_HU / 2, _densities)
    _named(panels[0], "lung without vessels", "HU", "share per 10 HU")
    panels[0].set_xticks(range(*_SHOWN_HU, 100))
    _curves(panels[1], real, twin, np.array([0, *LAGS]), _lags)
    _named(panels[1], "correlation in clean lung", "pixels apart", "correlation")
    _curves(panels[2], real, twin, _RADII_MM, _radii)
    _named(panels[2], "sections above −650 HU by radius", "radius, mm", "number per slice, larger ones")
    panels[2].set_yscale("log")
    _curves(panels[3], real, twin, np.arange(len(DISTANCES_MM) - 1), _by_distance)
    panels[3].set_xticks(range(len(DISTANCES_MM) - 1), groups(DISTANCES_MM))
    _named(panels[3], "sections by distance from the wall", "mm", "number per 100 cm²")
    for scans, colour, mark, kind in ((twin, TWIN, "x", "twin"), (real, REAL, "o", "real")):
        found = [nodule for scan in scans for nodule in scan.nodules]
        panels[4].scatter(
            [n.radius for n in found], [n.hu for n in found], s=14, color=colour, marker=mark, label=kind
        )
        spread = [look.noise.sd for scan in scans for look in scan.slices if np.isfinite(look.noise.sd)]
        panels[5].hist(
            spread,
            bins=np.arange(0, 82, 2),
            density=True,
            histtype="step",
            color=colour,
            linewidth=1.8,
            label=kind,
        )
    _named(panels[4], "nodules in their slices", "radius, mm", "mean HU")
    _named(panels[5], "noise in clean lung", "SD in HU", "share of slices per HU")
    panels[0].legend(fontsize=8, frameon=False)
    return figure


def _curves(
    axes: Axes,
    real: Sequence[ScanLook],
    twin: Sequence[ScanLook],
    at: np.ndarray,
    measure: Callable[[Sequence[ScanLook]], np.ndarray],
) -> None:
    for scans, colour, style, kind in ((twin, TWIN, "dashed", "twin"), (real, REAL, "solid", "real")):
        for scan in scans:
            axes.plot(at, measure([scan]), color=colour, linestyle=style, linewidth=0.7, alpha=0.5)
        axes.plot(at, measure(scans), color=colour, linestyle=style, linewidth=2.2, label=kind)


def _densities(scans: Sequence[ScanLook]) -> np.ndarray:
    counts = np.sum([look.counts for scan in scans for look in scan.slices], axis=0)
    shown = counts[_SHOWN_HU[0] - LOWEST : _SHOWN_HU[1] - LOWEST].reshape(-1, _BIN_HU).sum(axis=1)
    return shown / max(counts.sum(), 1)


def _lags(scans: Sequence[ScanLook]) -> np.ndarray:
    lags = np.array([look.noise.lags for scan in scans for look in scan.slices])
    known = lags[np.isfinite(lags).all(axis=1)]
    return np.append(1.0, np.median(known, axis=0) if len(known) else np.full(len(LAGS), np.nan))


def _radii(scans: Sequence[ScanLook]) -> np.ndarray:
    looks = [look for scan in scans for look in scan.slices]
    radius = np.sort(np.concatenate([look.sections.radius for look in looks]))
    larger = (len(radius) - np.searchsorted(radius, _RADII_MM)) / len(looks)
    return np.where(larger > 0, larger, np.nan)


def _by_distance(scans: Sequence[ScanLook]) -> np.ndarray:
    looks = [look for scan in scans for look in scan.slices]
    counts = np.histogram(np.concatenate([look.sections.distance for look in looks]), DISTANCES_MM)[0]
    area = np.sum([look.area for look in looks], axis=0)
    return np.divide(100.0 * counts, area, out=np.full(len(area), np.nan), where=area > 0)


def _named(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _side_by_side(crops: np.ndarray) -> np.ndarray:
    """Returns crops (N, S, S) in one row of white paper with room for as many as a scan may have."""
    side = crops.shape[1]
    row = np.full((side, SHOWN, side + _GAP), HIGHEST, crops.dtype)
    row[:, : len(crops), :side] = crops.transpose(1, 0, 2)
    return row.reshape(side, -1)[:, :-_GAP]


def _nodule(axes: Axes, nodule: NoduleCrop, kind: str, colour: str) -> None:
    axes.axis("on")
    slice_view.show_slice(axes, nodule.hu)
    axes.set_title(f"{kind} {nodule.patient[-4:]}, {nodule.radius:.1f} mm", fontsize=7, color=colour)
