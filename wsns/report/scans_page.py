"""The page over all scans of a batch: what was found in each, and a way to its own page."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from wsns.report import html


def page_of(
    manifests: Sequence[Mapping[str, Any]],
    nodules: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, str]],
    notice: str,
) -> str:
    """Returns the page.

    Args:
        manifests: of the scans that were searched, see `predict.json`.
        nodules: rows of all scans' `nodules.csv`, each with its `scan`.
        failures: of the others, `scan`, `input` and `reason`.
        notice: what everybody must read first.
    """
    rows = []
    for own in manifests:
        found = [row for row in nodules if row["scan"] == own["scan"]]
        first = f"{found[0]['mean_axis_mm']} mm, {found[0]['side']}" if found else ""
        rows.append(
            (
                html.element("a", own["scan"], href=f"{quote(own['scan'])}/report.html"),
                pathlib.PurePath(own["input"]).name,
                own["size"][2],
                own["nodules"],
                first,
                own["seconds"],
                len(own["warnings"]),
            )
        )
    heads = ("Scan", "From", "Slices", "Nodules", "The likeliest", "Seconds", "Warnings")
    body = f"<h1>Nodules in {len(manifests)} scans</h1>" + html.paragraph(notice)
    body += html.section("Scans", html.table("What was found in each scan", heads, rows) if rows else "")
    if failures:
        lost = [(row["scan"], row["reason"]) for row in failures]
        body += html.section(
            "Not searched", html.table("Scans that couldn't be searched", ("Scan", "Why"), lost)
        )
    return html.page("Nodules in several scans", body)
