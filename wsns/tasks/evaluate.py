"""The last step: Table 1, figures and `report.html`, from what the others left and without any network."""

import collections
import pathlib
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from wsns import workdir as files
from wsns.evaluation import table_text
from wsns.evaluation.cases import Case, read_cases
from wsns.evaluation.table import Effort, table1
from wsns.models import pretrained
from wsns.report import page
from wsns.report.page import ReportContent, SplitCount
from wsns.tasks import choices, pictures

SPLITS = ("train", "validation", "test")
TWIN = "LIDC twin"


def evaluate(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Writes `table1.{txt,csv,md}`, `figures/` and `report.html`, and prints the table."""
    cases = read_cases(workdir / "cases.csv")
    inputs = {
        "cases": files.fingerprint((workdir / "cases.csv").read_text()),
        # The report quotes the whole config.
        "config": {name: value for name, value in config.to_dict().items() if name != "task"},
    }
    if not stamps.is_done("evaluate", inputs):
        _write(config, workdir, cases)
        stamps.mark_done("evaluate", inputs)
    print((workdir / "table1.txt").read_text())
    print(f"report: {workdir / 'report.html'}")


def _write(config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case]) -> None:
    accounting = files.read_json(workdir / "records" / "accounting.json")
    rows = files.read_rows(workdir / "records" / "slices.csv")
    effort = Effort(sum(int(row["voxels"]) for row in rows), len(rows))
    table = table1(
        cases,
        effort=effort,
        threshold=config.segment.detect,
        draws=config.evaluate.draws,
        seed=config.evaluate.seed,
    )
    source = accounting["source"]
    synthetic = source == TWIN
    table_text.write_table(workdir, table, source=page.source_line(source, synthetic=synthetic))
    content = ReportContent(
        table=table,
        source=source,
        synthetic=synthetic,
        splits=count_splits(rows),
        start=pretrained.load_trunk(config.model.start, config.model.weights).name,
        split_fingerprint=accounting["split_fingerprint"],
        pictures=pictures.draw(config, workdir, cases),
        choices=choices.choices(config),
        notes=choices.notes(config),
        config=files.read_json(workdir / "config.json"),
        environment=files.read_json(workdir / "environment.json"),
        accounting=accounting,
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
