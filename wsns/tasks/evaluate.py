"""The last step: Table 1, figures and `report.html`, from what the others left and without any network."""

import collections
import csv
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from wsns import workdir as files
from wsns.data import input as records
from wsns.data.slices import OVERVIEW_STEP, OVERVIEW_WINDOW
from wsns.evaluation import figures, plots, report, table_text, views
from wsns.evaluation.cases import Case, read_cases
from wsns.evaluation.report import Picture, ReportContent, SplitCount
from wsns.evaluation.table import Effort, Table, table1
from wsns.evaluation.views import SliceView
from wsns.models import pretrained
from wsns.models.build import TITLES
from wsns.tasks.segment import NAM_STEP

SPLITS = ("train", "validation", "test")
GALLERY = 4
TWIN = "LIDC twin"


def evaluate(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Writes `table1.{txt,csv,md}`, `figures/` and `report.html`, and prints the table."""
    cases = read_cases(workdir / "cases.csv")
    inputs = {
        "cases": files.fingerprint((workdir / "cases.csv").read_text()),
        "evaluate": config.evaluate.to_dict(),
    }
    if not stamps.is_done("evaluate", inputs):
        _write(config, workdir, cases)
        stamps.mark_done("evaluate", inputs)
    print((workdir / "table1.txt").read_text())
    print(f"report: {workdir / 'report.html'}")


def _write(config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case]) -> None:
    accounting = files.read_json(workdir / "records" / "accounting.json")
    with (workdir / "records" / "slices.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    effort = Effort(sum(int(row["voxels"]) for row in rows), len(rows))
    table = table1(cases, effort=effort, draws=config.evaluate.draws, seed=config.evaluate.seed)
    source = accounting["source"]
    synthetic = source == TWIN
    table_text.write_table(workdir, table, source=report.source_line(source, synthetic=synthetic))
    content = ReportContent(
        table=table,
        source=source,
        synthetic=synthetic,
        splits=count_splits(rows),
        start=pretrained.load_trunk(config.model.start, config.model.weights).name,
        split_fingerprint=accounting["split_fingerprint"],
        pictures=_pictures(config, workdir, cases, table),
        choices=choices(config),
        notes=_notes(config),
        config=files.read_json(workdir / "config.json"),
        environment=files.read_json(workdir / "environment.json"),
        accounting=accounting,
    )
    files.write_text(workdir / "report.html", report.render(content))


def count_splits(rows: Sequence[Mapping[str, str]]) -> list[SplitCount]:
    """Counts patients, scans and slices per split, from the rows of `slices.csv`."""
    counts = []
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        labels = collections.Counter(row["label"] for row in own)
        patients, scans = ({row[name] for row in own} for name in ("patient", "series"))
        counts.append(SplitCount(split, len(patients), len(scans), labels["1"], labels["0"]))
    return counts


def choices(config: ConfigDict) -> list[tuple[str, str]]:
    """Returns what was chosen where the paper is silent, as this run has it."""
    segment, model = config.segment, config.model
    return [
        ("HU window of the networks' input", f"{model.window[0]:g} to {model.window[1]:g} HU, three equal channels"),
        ("Global pooling", {"mean": "mean", "sum": "sum (Eq. 1)", "lse": "log-mean-exp"}[model.pool]),
        ("NAM", "weights of the nodule class minus those of the normal class, signed"),
        ("Detection", "1-GAP probability of at least 0.5, for all weakly supervised rows"),
        (
            "Scope",
            f"NAM smoothed by {segment.sigma:g} px, above {segment.tau:g} of its maximum, inside the closed lungs; "
            "the basin of greatest peak-to-saddle height",
        ),
        (
            "Scope of 2- and 3-GAP",
            "the most prominent blob whose peak lies in the 1-GAP scope and reaches "
            f"{segment.reach:g} of that map's maximum, cut by the 1-GAP scope; else the 1-GAP scope",
        ),
        ("Coarse row", "the union of all candidates in the scope, without screening"),
        (
            "Phases",
            f"fixed means {', '.join(f'{m:g}' for m in segment.means)} HU, β = {segment.beta:g}, "
            f"at most {segment.sweeps} sweeps",
        ),
        ("Masking", {"parenchyma": "candidate grown by a pixel, filled with the median HU of the lung around it",
                     "floor": "filled with the window's floor", "mean": "filled with the slice's mean"}[segment.fill]),
        ("Outline", {"compact": "object by Eq. 4, of its nested outlines the most compact",
                     "eq4": "the candidate of greatest change (Eq. 4)"}[segment.outline]),
        ("Two nodules", "where the consensus has two, the two most prominent blobs, screened one by one"),
        ("Reference", f"{config.data.consensus} of the readers; at least {config.data.agreement} overlap in the slice"),
        ("Negatives", "as many as positives, without any reader's mark; nodules under 3 mm can't be excluded"),
    ]  # fmt: skip


def slice_view(slices: records.Slices, n: int, kept: Mapping[str, np.ndarray], title: str) -> SliceView:
    """Returns a slice with the layers that its file in `masks/` keeps."""

    def numbered(kind: str) -> dict[int, np.ndarray]:
        return {gaps: kept[f"{kind} {gaps}"] for gaps in (1, 2, 3) if f"{kind} {gaps}" in kept}

    nams = {
        g: np.kron(m.astype(np.float32), np.ones((NAM_STEP, NAM_STEP))) for g, m in numbered("nam").items()
    }
    return SliceView(
        hu=slices.hu[n],
        lungs=slices.lungs[n],
        hull=kept.get("hull"),
        consensus=slices.nodules[n],
        nams=nams,
        scopes=numbered("scope"),
        candidates=numbered("candidates"),
        results={name.removeprefix("result "): kept[name] for name in kept if name.startswith("result ")},
        spacing=float(slices.spacing[n]),
        title=title,
        scan_slice=_whole(slices.overview[n]),
        origin=(int(slices.origin[n, 0]), int(slices.origin[n, 1])),
    )


def _whole(overview: np.ndarray) -> np.ndarray:
    low, high = OVERVIEW_WINDOW
    pixels = np.ones((OVERVIEW_STEP, OVERVIEW_STEP), np.float32)
    return np.kron(overview.astype(np.float32) * ((high - low) / 255) + low, pixels)


def _notes(config: ConfigDict) -> list[str]:
    notes = []
    if config.model.width != 1 or config.model.size != 384:
        notes.append(
            f"The networks have {config.model.width:g} of VGG16's width and see {config.model.size} × "
            f"{config.model.size} pixels: a small stand-in for the paper's."
        )
    return notes


def _pictures(
    config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case], table: Table
) -> list[Picture]:
    best = max(g for g in (1, 2, 3) if f"gap{g}" in config.models)
    method = f"{best}-GAP fine"
    chosen = figures.choose_gallery(cases, method, GALLERY)
    view = _Viewer(workdir)
    made: list[tuple[str, Figure, str, str]] = []
    shown = [*chosen["best"], *chosen["median"]]
    if shown:
        one = chosen["best"][0]
        made.append(
            (
                "overview",
                figures.overview(view(one), variant=best),
                f"The whole path on one slice of the test split ({method}).",
                "Eight panels from the slice over lungs, consensus, NAM, scope and candidates to the result.",
            )
        )
        several = [view(case) for case in (chosen["best"][:1] + chosen["median"][:2] + chosen["worst"][:2])]
        made.append(
            (
                "figure2",
                figures.figure2(several, variant=best),
                f"As the paper's Figure 2: NAMs and scopes of 1-, 2- and 3-GAP, results of {best}-GAP.",
                "Rows of slices: crop, three activation maps with scopes, coarse, fine and U-Net results.",
            )
        )
        groups = {name: [(view(case), case) for case in group] for name, group in chosen.items()}
        made.append(
            (
                "gallery",
                figures.gallery(groups, method),
                f"Best, median and worst Dice of {method} among the nodule slices of the test split.",
                "Slices with the outline of the result and of the consensus, in three groups.",
            )
        )
    made.append(
        (
            "figure3",
            plots.figure3(cases),
            "As the paper's Figure 3: true positives' Dice and area error against the nodule's diameter.",
            "Dice rises and area error grows with the nodule's size; the table's means by size.",
        )
    )
    made.append(
        (
            "training",
            plots.training_curves(_metrics(config, workdir)),
            "Training and validation, by epoch.",
            "Curves of loss, and of accuracy or Dice, per network.",
        )
    )
    pictures = []
    for name, figure, caption, alt in made:
        png = views.to_png(figure)
        files.write_bytes(workdir / "figures" / f"{name}.png", png)
        pictures.append(Picture(png, caption, alt))
    return pictures  # fmt: skip


class _Viewer:
    """Finds a case's slice among the test records and what was kept of it in `masks/`."""

    def __init__(self, workdir: pathlib.Path):
        self._masks = workdir / "masks"
        self._slices = records.load(workdir / "records", "test")
        keys = zip(self._slices.series.tolist(), np.round(self._slices.z, 3).tolist())
        self._at = {key: n for n, key in enumerate(keys)}

    def __call__(self, case: Case) -> SliceView:
        n = self._at[case.series, round(case.z, 3)]
        folder = self._masks / f"{case.patient}_{case.series[-8:]}"
        with np.load(folder / f"{self._slices.slice_index[n]:04d}.npz") as file:
            kept = {name: file[name] for name in file.files}
        return slice_view(self._slices, n, kept, f"{case.patient}, z = {case.z:g} mm")


def _metrics(config: ConfigDict, workdir: pathlib.Path) -> list[dict[str, Any]]:
    rows = []
    for name in config.models:
        for line in (workdir / name / "metrics.jsonl").read_text().splitlines():
            rows.append({"model": TITLES[name], **json.loads(line)})
    return rows
