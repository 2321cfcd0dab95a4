"""One slice with everything that was found in it, and how its layers are drawn on an axis."""

import dataclasses
import functools
import io
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

WINDOW = (-1000, 400)
# Okabe and Ito's colours, which people with any colour vision tell apart; lines also differ in style.
CONSENSUS, RESULT, SCOPE, BOX = "#56B4E9", "#E69F00", "#F0E442", "#FFFFFF"
HULL = "#FFFFFF"
LUNGS = ("#009E73", "#CC79A7")
CYCLE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2")
DPI = 150
MINIMUM_ZOOM_MM = 40.0
BARS_MM = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of scale bars; the longest that takes no more than a third of a picture's width is drawn."""
EDGE = withStroke(linewidth=3, foreground="black")
"""Around what must be seen on any ground."""
READ_AS = (
    f"window {WINDOW[0]} to {WINDOW[1]} HU".replace("-", "−")
    + "; R, L: the patient's right and left; bars in mm"
)
"""What every figure made of slices says of how to read them."""
_FINER = 4
Given = ParamSpec("Given")
Made = TypeVar("Made")


def own_style(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """Has a function draw in matplotlib's default style, whatever the user's settings say.

    Some of them would turn pictures upside down (`image.origin`) or need other programs (`text.usetex`).
    """

    @functools.wraps(function)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        with matplotlib.style.context("default"):
            return function(*args, **kwargs)

    return drawn


@dataclasses.dataclass(frozen=True, eq=False)
class SliceView:
    """A slice's crop (S, S) and the layers on it; whatever was not made or not kept is None or absent.

    Attributes:
        hu: (S, S) HU.
        lungs: (S, S) 0, 1, 2, or None.
        hull: (S, S) bool, the closed lungs that bound scopes and candidates, or None.
        consensus: (S, S) int, instance labels or bool, or None.
        nams: the signed NAM (S, S) by number of GAPs.
        scopes: the scope (S, S) bool by number of GAPs; with two nodules the union of both.
        candidates: the candidates (M, S, S) bool by number of GAPs.
        results: (S, S) bool by method ("1-GAP fine"); None where no nodule was detected.
        spacing: mm per pixel.
        title: what to call the slice in a figure.
        origin: (row, column) of the crop's corner in the scan's slice; may be negative.
        scan_slice: the scan's whole slice in HU, or None.
        right: the side of the picture that the patient's right is on, 'left' or 'right'; '' where it isn't known.
    """

    hu: np.ndarray
    lungs: np.ndarray | None = None
    hull: np.ndarray | None = None
    consensus: np.ndarray | None = None
    nams: Mapping[int, np.ndarray | None] = dataclasses.field(default_factory=dict)
    scopes: Mapping[int, np.ndarray | None] = dataclasses.field(default_factory=dict)
    candidates: Mapping[int, np.ndarray | None] = dataclasses.field(default_factory=dict)
    results: Mapping[str, np.ndarray | None] = dataclasses.field(default_factory=dict)
    spacing: float = 1.0
    title: str = ""
    origin: tuple[int, int] = (0, 0)
    scan_slice: np.ndarray | None = None
    right: str = ""


def zoom_box(view: SliceView, *layers: np.ndarray | None) -> tuple[int, int, int]:
    """Returns (row, column, side) of a square inside the crop that holds the layers' pixels with a margin.

    Without any pixel it is the whole crop. It is at least 40 mm wide: a nodule keeps its surroundings.
    """
    size = min(view.hu.shape)
    pixels = [np.argwhere(layer) for layer in layers if layer is not None and np.any(layer)]
    if not pixels:
        return 0, 0, size
    low, high = np.concatenate(pixels).min(0), np.concatenate(pixels).max(0) + 1
    margin = 4.0 / view.spacing
    side = int(np.ceil(max((high - low).max() + 2 * margin, MINIMUM_ZOOM_MM / view.spacing)))
    side = min(side, size)
    corner = np.clip(np.round((low + high - side) / 2).astype(int), 0, np.array(view.hu.shape) - side)
    return int(corner[0]), int(corner[1]), side


def show_slice(axes: Axes, hu: np.ndarray, *, title: str = "") -> None:
    """Draws HU in the lung window, without ticks."""
    axes.imshow(hu, cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1], interpolation="nearest")
    bare(axes, title)


def bare(axes: Axes, title: str = "") -> None:
    """Takes ticks away and sets the title."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)


def measured(axes: Axes, view: SliceView) -> None:
    """Draws a scale bar, and the letters of the patient's sides; call it last, when what is shown stays."""
    low, high = sorted(axes.get_xlim())
    width_mm = (high - low) * view.spacing
    length = max((bar for bar in BARS_MM if bar <= width_mm / 3), default=BARS_MM[0])
    start, share = 0.04, length / width_mm
    look: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "path_effects": [EDGE]}
    axes.plot([start, start + share], [0.035, 0.035], linewidth=1.8, solid_capstyle="butt", gid="bar", **look)
    axes.text(start, 0.055, f"{length} mm", ha="left", va="bottom", fontsize=6.5, **look)
    for letter, at in (("R", view.right), ("L", {"left": "right", "right": "left"}.get(view.right))):
        if at:
            axes.text(0.03 if at == "left" else 0.97, 0.97, letter, ha=at, va="top", fontsize=8, **look)


def say(axes: Axes, words: str) -> None:
    """Writes a short remark over the foot of a picture, readable on any ground."""
    box = {"facecolor": "black", "alpha": 0.75, "edgecolor": "none", "pad": 2.5}
    axes.text(
        0.5,
        0.15,
        words,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="white",
        bbox=box,
    )


def outline(
    axes: Axes, mask: np.ndarray | None, colour: str, *, style: str = "solid", width: float = 1.3
) -> None:
    """Draws a mask's edge along its pixels' borders; nothing for a missing or an empty mask."""
    if mask is None or not np.any(mask):
        return
    rows, columns = (np.flatnonzero(np.any(mask, axis=axis)) for axis in (1, 0))
    box = np.asarray(mask)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(bool)
    # Contouring joins pixel centres and would cut corners off small masks: finer pixels keep them.
    fine = np.pad(box.repeat(_FINER, 0).repeat(_FINER, 1), 1).astype(float)
    y, x = (start[0] - 0.5 + (np.arange(n) - 0.5) / _FINER for start, n in zip((rows, columns), fine.shape))
    axes.contour(x, y, fine, [0.5], colors=[colour], linewidths=width, linestyles=style)


def heat(axes: Axes, nam: np.ndarray) -> None:
    """Lays the positive part of a NAM over a slice, more opaque where it is higher."""
    top = float(np.max(nam))
    if not top > 0:
        say(axes, "NAM nowhere positive")
        return
    share = np.clip(nam / top, 0, 1)
    colours = matplotlib.colormaps["inferno"](share)
    colours[..., 3] = 0.75 * np.sqrt(share)
    axes.imshow(colours)


def square(axes: Axes, box: tuple[int, int, int]) -> None:
    """Draws the border of a zoom box."""
    row, column, side = box
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), side, side, fill=False, edgecolor=BOX, linewidth=1))


def zoom(axes: Axes, box: tuple[int, int, int]) -> None:
    """Shows only a square of a picture."""
    row, column, side = box
    axes.set_xlim(column - 0.5, column + side - 0.5)
    axes.set_ylim(row + side - 0.5, row - 0.5)


@own_style
def to_png(figure: Figure) -> bytes:
    """Returns the figure as PNG; equal figures give equal bytes."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
