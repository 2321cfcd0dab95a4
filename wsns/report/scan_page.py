"""`report.html` of one searched scan: the scan to scroll through, what was found in it, and what to make of that."""

import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsns.report import html, scan_pictures, scan_viewer
from wsns.report.html import Markup, element
from wsns.report.scan_view import Nodule, ScanView, minus, nodules
from wsns.report.slice_view import MINIMUM_ZOOM_MM, WINDOW, SliceView, zoom_box

PICTURES = 5
SHOWN = 30
"""Of how many nodules there are pictures; all are in the table and in the scan."""
NOTICE = "Research software, no medical device: not for diagnosis."
NONE_FOUND = "No nodules found. That does not mean that there are none."
COLUMNS = {
    "score": "Score",
    "x_mm": "x, mm",
    "y_mm": "y, mm",
    "z_mm": "z, mm",
    "volume_mm3": "Volume, mm³",
    "long_axis_mm": "Long axis, mm",
    "short_axis_mm": "Short axis, mm",
    "mean_axis_mm": "Mean axis, mm",
    "mean_hu": "Mean HU",
    "side": "Lung",
    "cut_by_edge": "Cut by the edge",
}
"""Columns of `nodules.csv` as the table heads them; those that no nodule has are left out."""


def scan_page(
    title: str,
    view: ScanView,
    rows: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    warnings: Sequence[str],
) -> str:
    """Returns the page: HTML with style, script and pictures inside, which loads nothing.

    Args:
        title: of the page; nothing else names the patient or the scan.
        view: the scan and what was found in it.
        rows: of `nodules.csv`, one for each nodule, by column.
        facts: how it was made: networks, options, seconds, versions; may be nested.
        warnings: what a person should know first, each a sentence.
    """
    crop = scan_pictures.kept(view.lungs, view.labels, view.spacing)
    found = nodules(view)
    body = [
        _header(title, view, rows, warnings),
        html.section("The scan", scan_viewer.viewer(view, crop, found), scan_viewer.curve(view, found)),
        html.section("Nodules", _table(rows, found), _strips(view, rows, found)),
        html.section("How this was made", html.definitions(facts), _embedded(view, crop)),
        html.data("scan-data", scan_viewer.data(view, crop, found)),
    ]
    return html.page(title, "\n".join(body), style=_file("scan_page.css"), script=_file("scan_page.js"))


def _file(name: str) -> str:
    return (importlib.resources.files("wsns.report") / name).read_text(encoding="utf-8")


def _header(title: str, view: ScanView, rows: Sequence[Mapping[str, Any]], warnings: Sequence[str]) -> Markup:
    count, searched = len(view.z), int(np.isfinite(view.probabilities).sum())
    found = (
        f"{len(rows)} nodule{'s' * (len(rows) != 1)} found"
        if rows
        else "No nodules found, which does not mean that there are none"
    )
    slices = (
        f"{searched:,} of {count:,} slices searched"
        if searched != count
        else f"{count:,} slices, all searched"
    )
    told = [
        element("p", element("strong", NOTICE), " What was found is what a program outlined: it misses nodules and "
                "outlines what is none. A radiologist must look at the whole scan.", class_="alarm"),
    ]  # fmt: skip
    if warnings:
        heading = "Warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        listed = Markup(html.bullets(list(warnings)))
        told.append(element("div", element("strong", heading), listed, class_="alarm"))
    lead = element("p", f"{found}; {slices}.", class_="lead")
    return element("header", element("h1", title), lead, *told)


def _table(rows: Sequence[Mapping[str, Any]], found: Sequence[Nodule]) -> str:
    if not rows:
        words = (
            " The networks’ sensitivity is limited: they miss nodules, such as small, faint and ground-glass ones and "
            "those that touch the chest wall or a vessel, and what scores below the threshold is not shown."
        )
        return element("p", element("strong", NONE_FOUND), words, class_="alarm")
    known = {nodule.number: nodule for nodule in found}
    shown = [name for name in COLUMNS if any(row.get(name, "") != "" for row in rows)]
    lines = []
    for row in rows:
        number = int(row["nodule"])
        slices = f"{row.get('slice_first', '')}–{row.get('slice_last', '')}"
        cells = [minus(str(row.get(name, ""))) for name in shown]
        lines.append(
            (_jump(number, known.get(number)), cells[0] if shown[:1] == ["score"] else "", slices, *cells[1:])
        )
    heads = ("Nodule", "Score", "Slices", *(COLUMNS[name] for name in shown if name != "score"))
    words = (
        "The highest score is first. The centre’s x, y, z are in the scanner’s coordinates (LPS): x grows to the "
        "patient’s left, y to the back, z to the head. Slices are counted from the feet. A click on a row shows the "
        "nodule in the scan."
    )
    return html.paragraph(words) + html.table("What was found", heads, lines)


def _jump(number: int, nodule: Nodule | None) -> Markup | str:
    if nodule is None:
        return str(number)
    return element(
        "a", element("span", class_="swatch", style=f"background:{nodule.colour}"), f" {number}",
        href="#viewer", data_slice=nodule.largest + 1, data_nodule=number,
        aria_label=f"Nodule {number}: show it in the scan",
    )  # fmt: skip


def _strips(view: ScanView, rows: Sequence[Mapping[str, Any]], found: Sequence[Nodule]) -> str:
    if not found:
        return ""
    words = (
        f"Slices through each nodule, alone and with its outline: {minus(f'{WINDOW[0]} to {WINDOW[1]}')} HU, at least "
        f"{MINIMUM_ZOOM_MM:g} mm wide, the patient’s right on the left; bars are 10 mm. A click shows the slice in the "
        "scan."
    )
    if len(found) > SHOWN:
        words += f" Only the first {SHOWN} of {len(found)} nodules have pictures here."
    by_number = {int(row["nodule"]): row for row in rows}
    strips = [_strip(view, nodule, by_number.get(nodule.number, {})) for nodule in found[:SHOWN]]
    return html.paragraph(words) + "\n".join(strips)


def _strip(view: ScanView, nodule: Nodule, row: Mapping[str, Any]) -> str:
    flat = (view.labels[nodule.box] == nodule.number).any(axis=0)
    whole = np.zeros(view.hu.shape[1:], bool)
    whole[nodule.box[1:]] = flat
    top, left, side = zoom_box(SliceView(view.hu[nodule.largest], spacing=view.spacing), whole)
    frame = (slice(top, top + side), slice(left, left + side))
    pictures = [
        _picture(view, nodule, k, frame)
        for k in scan_pictures.through(view.labels, nodule.number, nodule.box, PICTURES)
    ]
    parts = [
        f"score {row['score']}" if "score" in row else "",
        f"{row['volume_mm3']} mm³" if "volume_mm3" in row else "",
        f"{row['long_axis_mm']} × {row['short_axis_mm']} mm"
        if {"long_axis_mm", "short_axis_mm"} <= set(row)
        else "",
        f"{row['side']} lung" if row.get("side") else "",
    ]
    told = ", ".join(part for part in parts if part)
    swatch = element("span", class_="swatch", style=f"background:{nodule.colour}")
    heading = element("h3", swatch, f" Nodule {nodule.number} ", element("span", told, class_="told"))
    strip = element("div", *pictures, class_="strip")
    box = Markup(html.scrolling(f"Slices through nodule {nodule.number}", strip))
    return element("article", heading, box)


def _picture(view: ScanView, nodule: Nodule, k: int, frame: tuple[slice, slice]) -> Markup:
    """Returns a slice's part, alone and below it with the outline, as a link into the scan."""
    side, name = frame[0].stop - frame[0].start, f"n{nodule.number}s{k + 1}"
    png = scan_pictures.uri(scan_pictures.windowed(view.hu[k][frame], WINDOW), "png")
    image = element("image", id=name, href=png, width=side, height=side)
    length = 10 / view.spacing
    bar = element(
        "path",
        d=f"M{0.05 * side:.2f} {0.95 * side:.2f}h{length:.2f}",
        class_="ruler",
        vector_effect="non-scaling-stroke",
    )
    border = scan_pictures.edges(view.labels[k][frame] == nodule.number)
    line = [
        element("path", d=border, class_=kind, stroke=stroke, vector_effect="non-scaling-stroke")
        for kind, stroke in (("around", nodule.ink), ("outline", nodule.colour))
    ]
    frame_of = {"viewBox": f"0 0 {side} {side}", "aria_hidden": "true"}
    return element(
        "a",
        element("svg", image, bar, **frame_of),
        element("svg", element("use", href=f"#{name}"), *line, **frame_of),
        element("span", f"slice {k + 1}"),
        href="#viewer", data_slice=k + 1, data_nodule=nodule.number,
        aria_label=f"Nodule {nodule.number}, slice {k + 1}: show it in the scan",
    )  # fmt: skip


def _embedded(view: ScanView, crop: tuple[slice, slice]) -> str:
    """Returns what of the scan is in the page, and how exactly."""
    rows, columns = crop
    height, width = view.hu.shape[1:]
    part = (
        f"rows {rows.start + 1} to {rows.stop} and columns {columns.start + 1} to {columns.stop} of "
        f"{height} × {width}, which hold the lungs and nodules with {scan_pictures.MARGIN_MM:g} mm around them"
        if (rows.stop - rows.start, columns.stop - columns.start) != (height, width)
        else f"whole slices of {height} × {width} pixels"
    )
    low, high = scan_pictures.TONES[0][0], scan_pictures.TONES[-1][0]
    return html.paragraph(
        f"In this page are all {len(view.z):,} slices: {part}. They are JPEG pictures in 256 greys, from "
        f"{minus(f'{low} to {high}')} HU with the finest steps in soft tissue: made for looking, not for measuring. "
        "All measures come from the scan itself. The map is shown where it is positive, brightest at the scan’s "
        "maximum."
    )
