"""The page by which a person checks the lungs, crop and nodules of every scan, beside its pictures."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from wsns.data.records.picture import SIDE, WIDTH
from wsns.report.markup import bullets, page, scrolling, section, text
from wsns.tasks.summary import count
from wsns.workdir import write_text

TITLE = "Check of the scans"
LEGEND = (
    "Left: a coronal section through the lungs’ middle, head up; yellow marks at the left are the slices with "
    "a nodule, white ones at the right those shown. Then three slices from head to feet. Lung 1 blue, lung 2 green, "
    "airway violet, nodules yellow, the crop’s frame white. Look for lungs that are not coloured whole, for colour "
    "outside them, and for lungs outside the frame."
)
STYLE = """
article { margin: 1.6rem 0 2.2rem; break-inside: avoid; }
article h3 { margin: 0; font-size: 1.08rem; }
article p { margin: .15rem 0; max-width: none; }
article .alarm { padding: .4rem 1rem .4rem 2rem; margin: .4rem 0; }
article .box { margin: .5rem 0; background: #000; }
article img { display: block; width: 100%; min-width: 44rem; height: auto; }
@media print { article img { min-width: 0; } article .box { -webkit-print-color-adjust: exact; } }
"""


def write_check_page(directory: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes `check.html`, scans with warnings first.

    Args:
        directory: where the page goes; the pictures' paths are relative to it.
        rows: one per scan, as by `wsns.tasks.facts.scan_rows`.
    """
    doubtful = [row for row in rows if row["warnings"]]
    others = [row for row in rows if not row["warnings"]]
    body = "\n".join(
        (
            f"<h1>{TITLE}</h1>",
            f'<p class="lead">{count(len(rows), "scan")}: {len(doubtful)} to look at, {len(others)} without a '
            "warning. A warning says what is unusual, not that it is wrong.</p>",
            f"<p>{text(LEGEND)}</p>",
            section("Scans to look at", *map(_scan, doubtful)),
            section("Scans without a warning", *map(_scan, others)),
        )
    )
    write_text(
        pathlib.Path(directory) / "check.html", page(TITLE, body, style=STYLE, pictures="data: file: 'self'")
    )


def _scan(row: Mapping[str, Any]) -> str:
    facts = (
        f"{row['slices']:,} slices of {row['thickness']:g} mm · lungs {row['lung_1_ml']:,} and "
        f"{row['lung_2_ml']:,} ml · {count(row['positives'], 'slice')} with a nodule · pixels of nodules outside "
        f"the crop {row['outside_crop']:,}, outside the lungs’ hull {row['outside_hull']:,} · lungs outside the crop "
        f"{100 * row['lung_outside_crop']:.1f} %"
    )
    alt = f"{row['patient']}: coronal section and three slices with lungs, crop and nodules outlined"
    image = (
        f'<img src="{text(row["picture"])}" alt="{text(alt)}" width="{WIDTH}" height="{SIDE}" loading="lazy">'
    )
    return "\n".join(
        (
            f"<article>\n<h3>{text(row['patient'])}</h3>",
            f"<p><code>{text(row['series'])}</code></p>\n<p>{text(facts)}</p>",
            bullets(row["warnings"], style="alarm"),
            f"{scrolling(alt, image)}\n</article>",
        )
    )
