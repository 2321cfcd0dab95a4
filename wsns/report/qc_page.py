"""The page by which a person checks the lungs, crop and nodules of every scan, beside its pictures."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from wsns.data.records.qc_image import BAR_MM, SIDE, WIDTH, WINDOW
from wsns.data.records.qc_levels import MUST, RULES
from wsns.data.records.summary import count
from wsns.report.html import bullets, contents, glossary, page, scrolling, section, text
from wsns.runtime.workdir import write_text

TITLE = "Check of the scans"
LEGEND = (
    "Left: a coronal section through the lungs’ middle, head up; yellow marks at the left are the slices with "
    "a nodule, white ones at the right those shown. Then three slices from head to feet. Lung 1 blue, lung 2 green, "
    "airway violet, nodules yellow, the crop’s frame white. Look for lungs that are not coloured whole, for colour "
    "outside them, and for lungs outside the frame. "
    f"CT from −{-WINDOW[0]} to {WINDOW[1]} HU; the orange bar at each panel’s foot is {BAR_MM} mm; the patient’s right "
    "is at the left unless a scan says otherwise."
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
    """Writes `check.html`: scans by level, the worst first.

    Args:
        directory: where the page goes; the pictures' paths are relative to it.
        rows: one per scan, as by `wsns.data.records.accounting.scan_rows`.
    """
    by_level = {level: [row for row in rows if row["level"] == level] for level in RULES}
    for own in by_level.values():
        own.sort(key=lambda row: -row["weight"])
    counts = ", ".join(f"{len(own)} {level}" for level, own in by_level.items())
    sections = "\n".join(
        section(f"{level.capitalize()}: {count(len(own), 'scan')}", *map(_scan, own))
        for level, own in by_level.items()
        if own
    )
    body = "\n".join(
        (
            f"<h1>{TITLE}</h1>",
            f'<p class="lead">{count(len(rows), "scan")}: {counts}.</p>',
            glossary({level.capitalize(): f"{rule}." for level, rule in RULES.items()}),
            f"<p>{text(LEGEND)}</p>",
            contents(sections),
            sections,
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
            bullets(row["warnings"], style="alarm" if row["level"] == MUST else "notes"),
            f"{scrolling(alt, image)}\n</article>",
        )
    )
