"""`report.html`: one self-contained page that opens with Table 1 and says what it stands on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from wsns import paper
from wsns.evaluation import table1_text
from wsns.evaluation.paired_differences import COMPARED
from wsns.evaluation.secondary import Secondary
from wsns.evaluation.table1 import Table
from wsns.report import data_section, false_alarms, html, secondary_sections, table1
from wsns.report.table1 import Learned

PLACED = {"overview", "curves", "causes", "failures", "alarms"}
"""Figures that stand with their sections."""
SYNTHETIC = "Synthetic data: these are not LIDC results."


@dataclasses.dataclass(frozen=True)
class SplitCount:
    """What one split holds: patients, scans, and slices with and without a nodule."""

    split: str
    patients: int
    scans: int
    positives: int
    negatives: int


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A figure as PNG, with its caption and, for those who can't see it, what it shows."""

    png: bytes
    caption: str
    alt: str


@dataclasses.dataclass(frozen=True, eq=False)
class ReportContent:
    """All that the page says.

    Attributes:
        table: Table 1.
        source: the data in words, as "LIDC twin" or "LIDC-IDRI".
        synthetic: whether the images are synthetic.
        splits: what went in, per split.
        start: what the trunk started from, as "shapes trunk, not ImageNet".
        split_fingerprint: of the patients' split.
        secondary: what is measured beyond Table 1.
        pictures: the figures, in order; those of `PLACED` stand with their sections, 'overview' on top.
        learned: what each network learned from.
        choices: (subject, what was chosen) where the paper is silent.
        notes: further remarks about this run, a sentence or two each.
        config: `config.json`.
        environment: `environment.json`: versions, devices, git state.
        accounting: `accounting.json`: values, mappings, or lists of rows, which become tables.
        opening: sections of HTML that stand before Table 1.
    """

    table: Table
    source: str
    synthetic: bool
    splits: Sequence[SplitCount]
    start: str
    split_fingerprint: str
    secondary: Secondary
    pictures: Mapping[str, Picture] = dataclasses.field(default_factory=dict)
    learned: Sequence[Learned] = ()
    choices: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    accounting: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    opening: str = ""


def source_line(source: str, *, synthetic: bool) -> str:
    """Returns the data in words as every table's heading says them."""
    return f"{source} (synthetic, not LIDC results)" if synthetic else f"{source} (real scans)"


def render(content: ReportContent) -> str:
    """Returns the page: HTML with its style and pictures inside, without scripts or links."""
    title = (
        f"Weakly-supervised nodule segmentation: {source_line(content.source, synthetic=content.synthetic)}"
    )
    sections = "\n".join(part for part in (content.opening, *_sections(content)) if part)
    body = [_header(content), _pictures(content, "overview"), html.contents(sections), sections]
    return html.page(title, "\n".join(part for part in body if part))


def _sections(content: ReportContent) -> list[str]:
    table, found = content.table, content.secondary
    data = source_line(content.source, synthetic=content.synthetic)
    return [
        table1.section(table, data, content.learned),
        _basis(content),
        html.section("Differences between methods", _differences(table)),
        html.section("Slices with two nodules", _two_nodules(table)),
        html.section("Labelling effort", _effort(table)),
        html.section(
            "Slice classification",
            secondary_sections.classification(table, found),
            _pictures(content, "curves"),
        ),
        html.section("Whole scans", secondary_sections.whole_scans(found.whole)),
        html.section(
            "Where the maps look, and what there was to choose", secondary_sections.localisation(found)
        ),
        html.section("Distances between outlines", secondary_sections.surfaces(found)),
        html.section("Which nodules", secondary_sections.groups(table, found)),
        html.section(
            "Why results fail", secondary_sections.causes(found), _pictures(content, "causes", "failures")
        ),
        html.section("False alarms", false_alarms.counts(table), _pictures(content, "alarms")),
        html.section("Figures", _pictures(content, *(n for n in content.pictures if n not in PLACED))),
        html.section("Chosen where the paper is silent", _choices(content.choices)),
        data_section.section(content.accounting),
        html.section(
            "Configuration and versions",
            html.folded("Configuration (config.json)", html.definitions(content.config)),
            html.folded("Versions and devices (environment.json)", html.definitions(content.environment)),
        ),
    ]


def _pictures(content: ReportContent, *names: str) -> str:
    """Returns those of the figures that there are."""
    shown = [content.pictures[name] for name in names if name in content.pictures]
    return "\n".join(html.picture(picture.png, picture.alt, picture.caption) for picture in shown)


def _header(content: ReportContent) -> str:
    lead = f"After {paper.CITATION}. {table1_text.basis(content.table)}."
    lines = [
        "<header>",
        "<h1>Weakly-supervised segmentation of pulmonary nodules</h1>",
        f'<p class="lead">{html.text(lead)}</p>',
    ]
    if content.synthetic:
        lines.append(
            f'<p class="alarm"><strong>{SYNTHETIC}</strong> Every image here was generated '
            f"({html.text(content.source)}): the geometry and the readers’ outlines come from LIDC-IDRI, "
            "the pixels do not. The figures say nothing about real scans.</p>"
        )
    return "\n".join([*lines, "</header>"])


def _basis(content: ReportContent) -> str:
    """Returns the box that says what all figures stand on."""
    data = source_line(content.source, synthetic=content.synthetic)
    facts = {
        "Images": data,
        "Trunk’s start": content.start,
        "Split by patient, fingerprint": content.split_fingerprint,
    }
    counts = [
        (s.split, f"{s.patients:,}", f"{s.scans:,}", f"{s.positives:,}", f"{s.negatives:,}")
        for s in content.splits
    ]
    heads = ("Split", "Patients", "Scans", "Slices with a nodule", "Slices without")
    return (
        '<section class="basis" id="basis">\n<h2>What this stands on</h2>\n'
        + html.definitions(facts)
        + (html.table("What went in", heads, counts) if counts else "")
        + _lessons(content.learned)
        + html.bullets(list(content.notes))
        + "\n</section>"
    )


def _lessons(learned: Sequence[Learned]) -> str:
    rows = [(own.network, table1.lesson(own)) for own in learned]
    return html.table("What each network learned from", ("Network", "Training"), rows) if rows else ""


def _differences(table: Table) -> str:
    rows = [
        (f"{pair.one} − {pair.other}", *table1_text.difference_cells(pair.figures))
        for pair in table.differences
    ]
    heads = ("Methods", *(table1_text.HEADINGS[name] for name in COMPARED))
    caption = (
        "Below a difference its 95 % interval, paired over patients; TP columns: difference of the two means"
    )
    return html.table(caption, heads, rows) if rows else ""


def _two_nodules(table: Table) -> str:
    if not any(row.n for row in table.two_nodules):
        return "<p>The test split has no slice with two nodules.</p>"
    slices, both, one = paper.TWO_NODULES
    rows: list[tuple[object, ...]] = [(row.method, row.both, row.one, row.none) for row in table.two_nodules]
    rows.append((f"{html.PAPERS}, {paper.TWO_NODULES_MODEL}", both, one, slices - both - one))
    caption = (
        f"{table.two_nodules[0].n:,} slices (in the paper {slices}), "
        "by how many of the two nodules the result overlaps"
    )
    return html.table(caption, ("Method", "Both", "One", "None"), rows)


def _effort(table: Table) -> str:
    if table.effort is None:
        return ""
    voxels, slices = paper.EFFORT
    return (
        f"<p>One slice label stands for {table1_text.number(table.effort.ratio, 0)} voxels of the consensus "
        f"({table.effort.voxels:,} voxels, {table.effort.slices:,} slices with and without a nodule). "
        f"The paper’s: {voxels / slices:.0f} ({voxels:,} / {slices:,}).</p>"
    )


def _choices(choices: Sequence[tuple[str, str]]) -> str:
    return html.table("Not stated in the paper", ("Subject", "Chosen"), choices) if choices else ""
