"""What went into the records and what was left out, in words: `accounting.json` as the page says it."""

from collections.abc import Mapping
from typing import Any

from wsns.report import html

WORDS = {
    "scans_without_positive_slice": "Scans without a slice with a nodule",
    "scans_missing": "Scans of the database that are not in the folder",
    "excluded": "Left out by name",
    "slices_with_two_nodules": "Slices with two nodules",
    "slices_with_more_nodules_left_out": "Slices with more nodules, left out",
    "negatives_missing": "Slices without a nodule that were wanted and not found",
    "consensus_empty_used_overlap": "Nodules without a consensus in a slice: the readers’ overlap stands for it",
    "voxels": "Pixels of nodules",
    "voxels_outside_crop": "… outside the crop, which nothing can find",
    "voxels_outside_hull": "… outside the closed hull of the lungs, which the method doesn’t search",
    "lung_outside_crop_mean": "Share of the lungs outside the crop, mean over scans",
    "lung_outside_crop_largest": "… of the scan that loses most",
    "scans_to_look_at": "Scans that a person must look at (records/check.html)",
    "scans_with_minor_warnings": "… with a minor warning",
    "bytes": "Size of the records",
    "seconds": "Time to build them",
}
"""By the key in `accounting.json`, in the page's order; other keys stand below, as they are."""


def section(accounting: Mapping[str, Any]) -> str:
    """Returns the counts in words, a table for each list of rows, and all values as they are, folded."""
    counts = [(words, _said(key, accounting[key])) for key, words in WORDS.items() if key in accounting]
    tables = {
        name: value
        for name, value in accounting.items()
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value)
    }
    plain = {name: value for name, value in accounting.items() if name not in tables}
    return html.section(
        "Accounting: what was left out",
        html.table("All splits together", ("What", "How much"), counts) if counts else "",
        *(_rows(name, rows) for name, rows in tables.items()),
        html.folded("As it stands in accounting.json", html.definitions(plain)),
    )


def _said(key: str, value: Any) -> str:
    if key == "bytes":
        return f"{value / 1e6:,.0f} MB"
    if key == "seconds":
        return f"{value / 60:,.1f} minutes"
    if key.startswith("lung_outside"):
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value) or "none"


def _rows(name: str, rows: list[Mapping[str, Any]]) -> str:
    heads = list(dict.fromkeys(key for row in rows for key in row))
    flat = [html.flatten(row) for row in rows]
    return html.table(
        name.capitalize(),
        [head.capitalize() for head in heads],
        [[row.get(key, "") for key in heads] for row in flat],
    )
