"""`twin_check.html`: the twin beside real scans, in how well they are told apart, in pictures and in figures."""

from collections.abc import Mapping, Sequence

from wsns.report import html
from wsns.studies.twin_realism import text as likeness_text
from wsns.studies.twin_realism.classification import Verdict
from wsns.studies.twin_realism.scan import ScanLook

TITLE = "The synthetic twin beside real scans"
CAPTIONS = {
    "nodules": "Real nodules (orange), each with one of the twin (blue) of like radius at its right where there is "
    "one, in its largest slice and in the middle of the picture. 64 of the scan's own pixels across, −1000 to 400 HU.",
    "crops": "Lung drawn at random, a row of a real scan and a row of the twin in turn. 64 of the scan's own pixels "
    "across, −1000 to −200 HU.",
    "statistics": "Real scans (orange, solid) and the twin (blue, dashed): thin lines are single scans, thick ones all "
    "of a kind together.",
}


def render(
    table: Mapping[str, Mapping[str, float]],
    verdict: Verdict,
    real: Sequence[ScanLook],
    twin: Sequence[ScanLook],
    pictures: Mapping[str, bytes],
) -> str:
    """Returns the page, with everything in it.

    Args:
        table: figures by column and name, as by `wsns.studies.twin_realism.text.columns`.
        verdict: how well crops are told apart.
        real: the real scans.
        twin: those of the twin.
        pictures: PNG by the names of `CAPTIONS`.
    """
    shown = {name: html.picture(pictures[name], CAPTIONS[name], CAPTIONS[name]) for name in CAPTIONS}
    lead = f"{len(twin)} synthetic scans and {len(real)} real ones of LIDC-IDRI: the same figures of both."
    telling = (
        html.bullets(likeness_text.verdict_lines(verdict)),
        html.table("By real scan, unseen", likeness_text.SCAN_HEADS, likeness_text.scan_cells(verdict, real)),
        html.table(
            "One feature alone: 1 where it is higher in every real crop, 0 where it is lower; medians of both",
            likeness_text.FEATURE_HEADS,
            likeness_text.feature_cells(verdict.features),
        ),
    )
    heads, rows = likeness_text.cells(table)
    body = (
        f'<h1>{html.text(TITLE)}</h1>\n<p class="lead">{html.text(lead)}</p>',
        html.section("Crops told apart", *telling),
        html.section("Nodules", shown["nodules"]),
        html.section("Lung", shown["crops"]),
        html.section(
            "Figures",
            shown["statistics"],
            html.table("Twin and real scans", heads, rows),
            html.bullets(likeness_text.remarks(real, twin), style="notes"),
        ),
    )
    return html.page(TITLE, "\n".join(body))
