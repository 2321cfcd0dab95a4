"""The figures of a run, from its records, `masks/`, `cases.csv` and training logs."""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from wsns import workdir as files
from wsns.data.records import input as records
from wsns.data.records.slices import OVERVIEW_STEP, OVERVIEW_WINDOW, Slices
from wsns.evaluation.beyond import Beyond
from wsns.evaluation.cases import WEAK, Case
from wsns.models.build import TITLES
from wsns.report import figures, plots, views
from wsns.report.curves import curves
from wsns.report.page import Picture
from wsns.report.views import SliceView
from wsns.tasks.segment import NAM_STEP

GALLERY = 4
EXAMPLES = 5

CAPTIONS = {
    "overview": (
        "The whole path on the slice of the test split with the highest Dice ({method}).",
        "Eight panels from the slice over lungs, consensus, NAM, scope and candidates to the result.",
    ),
    "figure2": (
        "As the paper's Figure 2: NAMs and scopes of 1-, 2- and 3-GAP, coarse and fine results; detected slices "
        "of several patients, from the best to the worst.",
        "Rows of slices: crop, three activation maps with scopes, coarse, fine and U-Net results, consensus.",
    ),
    "gallery": (
        "Best, median and worst Dice of {method} among the nodule slices of the test split.",
        "Slices with the outline of the result and of the consensus, in three groups.",
    ),
    "curves": (
        "How well the slice classifiers tell slices apart and what their scores are worth; on whole scans how many "
        "nodules the fine results find. The band is the 95 % interval over patients.",
        "ROC and calibration curves of 1-, 2- and 3-GAP, and their FROC; the tables give the same figures in numbers.",
    ),
    "causes": (
        "Slices with one nodule by the first thing that went wrong.",
        "One bar per method, divided by cause; the table above it holds the same numbers.",
    ),
    "failures": (
        "Failures of {method} by cause, the largest nodules first.",
        "Slices with the outlines of result, scope and consensus, one row per cause.",
    ),
    "figure3": (
        "As the paper's Figure 3: Dice and area error of the true positives against the nodule's diameter. The "
        "readers' Dice is with the consensus that they are part of.",
        "Four plots, coarse and fine, of mean and SD per bin of diameter; the table above has the overall means.",
    ),
    "training": (
        "Training and validation, by epoch.",
        "Curves of loss, and of accuracy or Dice, one column per network.",
    ),
}


def draw(
    config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case], found: Beyond
) -> dict[str, Picture]:
    """Writes `figures/` and returns the same pictures for the report by name, each with its caption."""
    method = max(case.method for case in cases if case.method.endswith("fine"))
    pictures = {}
    for name, figure in _figures(config, workdir, cases, found, method).items():
        png = views.to_png(figure)
        files.write_bytes(workdir / "figures" / f"{name}.png", png)
        caption, alt = CAPTIONS[name]
        pictures[name] = Picture(png, caption.format(method=method), alt)
    return pictures


def _figures(
    config: ConfigDict, workdir: pathlib.Path, cases: Sequence[Case], found: Beyond, method: str
) -> dict[str, Figure]:
    return {
        **_slices(_Viewer(workdir), cases, method),
        "curves": curves(found),
        "causes": plots.cause_bars(found.causes),
        "figure3": plots.figure3(cases),
        "training": plots.training_curves(_metrics(config, workdir)),
    }


def _slices(view: Callable[[Case], SliceView], cases: Sequence[Case], method: str) -> dict[str, Figure]:
    """Returns the figures made of slices, as far as there are some."""
    variant = int(method[0])
    chosen = figures.choose_gallery(cases, method, GALLERY)
    made = {}
    if chosen["best"]:
        made["overview"] = figures.overview(view(chosen["best"][0]), variant=variant)
    if examples := _examples(cases, method):
        made["figure2"] = figures.figure2([view(case) for case in examples], variant=variant)
    if chosen["best"]:
        made["gallery"] = figures.gallery(_seen(view, chosen), method)
    if failures := figures.choose_failures(cases, method, GALLERY):
        made["failures"] = figures.gallery(_seen(view, failures), method, scopes=True)
    return made


def _seen(
    view: Callable[[Case], SliceView], groups: Mapping[str, Sequence[Case]]
) -> dict[str, list[tuple[SliceView, Case]]]:
    return {name: [(view(case), case) for case in group] for name, group in groups.items()}


def _examples(cases: Sequence[Case], method: str) -> list[Case]:
    """Returns detected slices with one nodule, one per patient, spread from the best to the worst Dice."""
    found = [case for case in cases if case.method == method and case.detected and case.nodules == 1]
    best: dict[str, Case] = {}
    for case in sorted(found, key=lambda case: -(case.dice or 0)):
        best.setdefault(case.patient, case)
    ranked = list(best.values())
    rows = np.unique(np.linspace(0, len(ranked) - 1, min(EXAMPLES, len(ranked))).round().astype(int))
    return [ranked[row] for row in rows]


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


def slice_view(slices: Slices, n: int, kept: Mapping[str, np.ndarray], title: str) -> SliceView:
    """Returns a slice with the layers that its file in `masks/` keeps."""

    def numbered(kind: str) -> dict[int, np.ndarray]:
        return {gaps: kept[f"{kind} {gaps}"] for gaps in (1, 2, 3) if f"{kind} {gaps}" in kept}

    found: dict[str, np.ndarray | None] = {} if "hull" in kept else dict.fromkeys(WEAK)
    found |= {name.removeprefix("result "): kept[name] for name in kept if name.startswith("result ")}
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
        results=found,
        spacing=float(slices.spacing[n]),
        title=title,
        scan_slice=_whole(slices.overview[n]),
        origin=(int(slices.origin[n, 0]), int(slices.origin[n, 1])),
    )


def _whole(overview: np.ndarray) -> np.ndarray:
    low, high = OVERVIEW_WINDOW
    pixels = np.ones((OVERVIEW_STEP, OVERVIEW_STEP), np.float32)
    return np.kron(overview.astype(np.float32) * ((high - low) / 255) + low, pixels)
