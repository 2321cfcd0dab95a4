"""The last step: Table 1, all other measures, figures and `report.html`, without any network."""

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.data.records.summary import is_synthetic
from wsns.evaluation import secondary_table, table1_text
from wsns.evaluation.cases import Case, read_cases
from wsns.evaluation.secondary import Whole, secondary, whole_scans
from wsns.evaluation.table1 import Effort, table1
from wsns.models.factory import TITLES
from wsns.models.weights import start
from wsns.report import open_choices, page
from wsns.report.page import ReportContent, SplitCount
from wsns.run import figures, scan_files, training_facts
from wsns.run.folder import Run
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.tasks import scans
from wsns.training.log import read_metrics

SPLITS = ("train", "validation", "test")
SCAN_FILES = ("cases.csv", "marks.csv", "scans.csv")


def evaluate(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Writes what `write_report` does, and prints the table.

    Raises:
        InputError: if there are no cases, or they are damaged.
    """
    write_report(config, workdir, stamps)
    print(files.read_text(workdir / "table1.txt"))
    print(f"report: {workdir / 'report.html'}")


def write_report(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps, *, opening: str = "") -> None:
    """Writes `table1.{txt,csv,md}`, `measures.csv`, `figures/` and `report.html`, if they are not done.

    Args:
        config: of the run.
        workdir: the run's folder.
        stamps: the run's.
        opening: sections of HTML that the report begins with.

    Raises:
        InputError: if there are no cases, or they are damaged.
    """
    cases = read_cases(workdir / "cases.csv")
    searched = bool(config.scans.most) and stamps.is_done("scans", scans.inputs(config, workdir))
    inputs = {
        "cases": files.fingerprint(files.read_text(workdir / "cases.csv")),
        "scans": [
            files.fingerprint(files.read_text(workdir / "scans" / name)) for name in SCAN_FILES if searched
        ],
        # The report quotes the whole config.
        "config": {name: value for name, value in config.to_dict().items() if name != "task"},
        "opening": files.fingerprint(opening),
    }
    stamps.do(
        Step(
            "evaluate",
            "table, figures and report",
            inputs,
            (),
            lambda: _write(config, workdir, cases, _whole(config, workdir) if searched else None, opening),
            # Who asks for the report alone wants it made anew.
            whole=config.task != "evaluate",
        )
    )


def _whole(config: ConfigDict, workdir: pathlib.Path) -> Whole:
    cases, marked, left_out, beyond_crop = scan_files.read(workdir / "scans")
    return whole_scans(cases, marked, left_out, beyond_crop, **_settings(config))


def _settings(config: ConfigDict) -> dict[str, Any]:
    return {"threshold": config.segment.detect, **config.evaluate.to_dict()}


def _write(
    config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case], whole: Whole | None, opening: str
) -> None:
    accounting = files.read_json(workdir / "records" / "accounting.json")
    rows = files.read_rows(workdir / "records" / "slices.csv")
    effort = Effort(sum(int(row["voxels"]) for row in rows), len(rows))
    run = Run(
        workdir, config, records.load(workdir / "records", "test"), [case for case in cases if case.reachable]
    )
    table = table1(cases, effort=effort, **_settings(config))
    found = secondary(cases, whole, **_settings(config))
    source = accounting["source"]
    synthetic = is_synthetic(accounting)
    table1_text.write_table(workdir, table, source=page.source_line(source, synthetic=synthetic))
    files.write_rows(workdir / "measures.csv", secondary_table.COLUMNS, secondary_table.rows(table, found))
    logs = {TITLES[name]: read_metrics(workdir / name) for name in config.models}
    content = ReportContent(
        table=table,
        source=source,
        synthetic=synthetic,
        splits=count_splits(rows),
        start=start.load_trunk(config.model.start, config.model.weights).name,
        split_fingerprint=accounting["split_fingerprint"],
        secondary=found,
        pictures=figures.draw(run, found),
        learned=training_facts.learned(config, workdir),
        choices=open_choices.choices(config, accounting),
        notes=open_choices.notes(config) + open_choices.training_notes(logs),
        config=files.read_json(workdir / "config.json"),
        environment=files.read_json(workdir / "environment.json"),
        accounting=accounting,
        opening=opening,
    )
    files.write_text(workdir / "report.html", page.render(content))


def count_splits(rows: Sequence[Mapping[str, str]]) -> list[SplitCount]:
    """Counts patients, scans and slices per split and in all, from the rows of `slices.csv`."""
    counts = []
    for split in (*SPLITS, "all"):
        own = [row for row in rows if split in ("all", row["split"])]
        labels = collections.Counter(row["label"] for row in own)
        patients, scans = ({row[name] for row in own} for name in ("patient", "series"))
        counts.append(SplitCount(split, len(patients), len(scans), labels["1"], labels["0"]))
    return counts
