"""The viewer on the page of a searched scan: what stands there, the curve below it, and what its script reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsns.report import html, scan_pictures
from wsns.report.html import Markup, element
from wsns.report.scan_view import Nodule, ScanView, minus
from wsns.report.slice_view import BARS_MM, WINDOW

WINDOWS = {
    "wide": WINDOW,
    "lung": (-1350, 150),
    "soft tissue": (-160, 240),
    "bone": (-450, 1050),
}
"""HU that are black and white; the first is shown at first."""
MAP = "The map is the network’s nodule activation map, where it is positive."
WITHOUT = "JavaScript is off: the scan can’t be scrolled through here, and clicks do nothing. All else stands below."
KEYS = {
    "↑ ↓, wheel": "a slice to the head, the feet",
    "page up, down": "ten slices",
    "home, end": "first, last slice",
    "n, p": "next, previous nodule",
    "o, m": "outlines, map",
    "drag sideways": "through the slices",
}


def viewer(view: ScanView, crop: tuple[slice, slice], nodules: Sequence[Nodule]) -> str:
    """Returns the scan to scroll through; without its script it stays hidden and a sentence stands in its place."""
    height, width = (side.stop - side.start for side in crop)
    count = len(view.z)
    bar = max((mm for mm in BARS_MM if mm <= width * view.spacing / 3), default=BARS_MM[0])
    stage = element(
        "div",
        element("canvas", id="picture", width=width, height=height),
        element("canvas", id="layer"),
        element("span", "R", class_="side right", aria_hidden="true"),
        element("span", "L", class_="side left", aria_hidden="true"),
        element("span", f"{bar} mm", class_="bar", style=f"width:{100 * bar / (width * view.spacing):.3f}%"),
        id="stage", tabindex="0", role="group", aria_keyshortcuts="ArrowUp ArrowDown PageUp PageDown Home End n p o m",
        aria_label="A slice, seen from the feet: the patient’s right is on the left. Arrow keys change the slice.",
    )  # fmt: skip
    slider = element("input", type="range", id="slider", min="1", max=count, value="1", step="1")
    toggles = [
        element(
            "button", "Outlines", type="button", id="outlines", aria_pressed="true", disabled=not nodules
        ),
        element("button", "Map", type="button", id="map", aria_pressed="false"),
        element("button", "Previous nodule", type="button", id="previous", disabled=not nodules),
        element("button", "Next nodule", type="button", id="next", disabled=not nodules),
    ]
    windows = [
        element("button", name, " ", element("small", minus(f"{low} to {high}")), type="button",
                data_low=low, data_high=high, aria_pressed="true" if name == "wide" else "false")
        for name, (low, high) in WINDOWS.items()
    ]  # fmt: skip
    panel = element(
        "div",
        element("p", id="here"),
        element("label", "Slice ", slider, class_="slider"),
        element("div", *toggles, class_="buttons"),
        element("p", "Window, HU", class_="name", id="windows-name"),
        element("div", *windows, class_="buttons", role="group", aria_labelledby="windows-name"),
        element("p", MAP, id="map-note", class_="small"),
        element("p", "Keys, once the scan was clicked", class_="name keys"),
        element("div", Markup(html.definitions(KEYS)), class_="keys"),
        element(
            "p", "A finger that moves sideways over the picture goes through the slices.", class_="touch"
        ),
        class_="panel",
    )
    live = element("p", class_="unseen", aria_live="polite", id="live")
    without = element("noscript", element("p", WITHOUT))
    return element("div", stage, panel, live, id="viewer", class_="viewer", hidden=True,
                   style=f"--aspect:{width / height:.4f}") + without  # fmt: skip


def curve(view: ScanView, nodules: Sequence[Nodule]) -> str:
    """Returns the probability of each slice as steps, and below it each nodule's extent."""
    values, count = view.probabilities, len(view.z)
    if not np.isfinite(values).any():
        return html.paragraph("No slice was searched.")
    line = element("path", d=steps(values), fill="none", vector_effect="non-scaling-stroke")
    plot = element("svg", line, viewBox=f"0 0 {count} 1", preserveAspectRatio="none", aria_hidden="true")
    scale = [
        element("span", words, class_="tick", style=f"top:{top}%")
        for words, top in (("1", 0), ("½", 50), ("0", 100))
    ]
    marks = [
        element("span", k, class_="at", style=f"left:{100 * (k - 0.5) / count:.3f}%") for k in ticks(count)
    ]
    placed = lanes([(nodule.box[0].start, nodule.box[0].stop) for nodule in nodules], count)
    bars = [
        element(
            "a", nodule.number, href="#viewer", tabindex="-1", data_slice=nodule.largest + 1,
            data_nodule=nodule.number,
            title=f"Nodule {nodule.number}, slices {nodule.box[0].start + 1} to {nodule.box[0].stop}",
            style=f"left:{100 * nodule.box[0].start / count:.3f}%;"
            f"width:{100 * (nodule.box[0].stop - nodule.box[0].start) / count:.3f}%;"
            f"top:{1.15 * lane:.2f}rem;background:{nodule.colour};color:{nodule.ink}",
        )
        for nodule, lane in zip(nodules, placed, strict=True)
    ]  # fmt: skip
    extents = element(
        "div", *bars, class_="extents", style=f"height:{1.15 * (max(placed, default=-1) + 1):.2f}rem"
    )
    best = int(np.nanargmax(values))
    told = f"The probability of a nodule in each slice, which is highest, {values[best]:.2f}, in slice {best + 1}."
    marker = element("div", id="marker", hidden=True)
    chart = element("div", plot, *scale, marker, id="curve", role="img", aria_label=told)
    caption = (
        "The network’s probability that a slice holds a nodule, by slice, from the feet to the head"
        + (", and below it the slices that each nodule lies in" if nodules else "")
        + ". The line is broken where no slice was searched. A click shows the slice."
    )
    return element(
        "figure", element("div", chart, element("div", *marks, class_="axis"), extents, class_="chart"),
        element("figcaption", caption),
    )  # fmt: skip


def steps(values: np.ndarray) -> str:
    """Returns values (Z,) from 0 to 1 as an SVG path, a step each, from left to right; NaN leaves a gap."""
    parts, before = [], False
    for k, value in enumerate(values):
        if there := bool(np.isfinite(value)):
            height = f"{1 - float(np.clip(value, 0, 1)):.4g}"
            parts.append(f"V{height}" if before else f"M{k} {height}")
            parts.append(f"H{k + 1}")
        before = there
    return "".join(parts)


def ticks(count: int) -> list[int]:
    """Returns the slices to name under the curve: the first, the last, and whole numbers well between."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**6) if count / step <= 6)
    between = [k for k in range(step, count, step) if 1 + step / 2 <= k <= count - step / 2]
    return [1, *between, count] if count > 1 else [1]


def lanes(extents: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Returns for each extent a row, so that those of a row leave each other room for their numbers."""
    rows: list[list[tuple[int, int]]] = []
    found = []
    for start, stop in extents:
        stop = max(stop, start + round(0.06 * count))
        free = (n for n, row in enumerate(rows) if all(stop <= low or high <= start for low, high in row))
        lane = next(free, len(rows))
        if lane == len(rows):
            rows.append([])
        rows[lane].append((start, stop))
        found.append(lane)
    return found


def data(view: ScanView, crop: tuple[slice, slice], nodules: Sequence[Nodule]) -> dict[str, Any]:
    """Returns what the script reads: slices, runs of labels, maps and probabilities by slice from 0."""
    rows, columns = crop
    labelled = np.flatnonzero((view.labels > 0).any(axis=(1, 2)))
    maps, step = scan_pictures.map_pictures(view.nam[:, rows, columns], view.spacing)
    return {
        "width": columns.stop - columns.start,
        "height": rows.stop - rows.start,
        "tones": [round(float(hu), 1) for hu in scan_pictures.tones()],
        "slices": [scan_pictures.base64_of(scan_pictures.jpeg(hu[rows, columns])) for hu in view.hu],
        "z": [round(float(z), 2) for z in view.z],
        "probability": [round(float(p), 4) if np.isfinite(p) else None for p in view.probabilities],
        "runs": {int(k): scan_pictures.runs(view.labels[k][rows, columns]) for k in labelled},
        "maps": {k: scan_pictures.base64_of(png) for k, png in maps.items()},
        "step": step,
        "nodules": [
            {"number": nodule.number, "colour": nodule.colour, "ink": nodule.ink, "slice": nodule.largest}
            for nodule in nodules
        ],
    }
