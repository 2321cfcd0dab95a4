"""The figures of a run, from its records, `masks/`, `cases.csv` and training logs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wsns.errors import InputError
from wsns.evaluation.cases import Case
from wsns.evaluation.secondary import Secondary
from wsns.models.factory import TITLES
from wsns.report import false_alarms, figures, plots, slice_view
from wsns.report.curves import curves
from wsns.report.page import Picture
from wsns.run.folder import Run, seen, view
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.training.log import read_metrics

GALLERY = 4
EXAMPLES = 5

CAPTIONS = {
    "overview": (
        "From a CT slice to the outlined nodule: the slice of the test split with the highest Dice ({method}), not a "
        "typical one. 1–2: the slice, and the crop that the networks see. 3: lungs, and their closed hull, in which "
        "nodules are sought. 4: what the readers drew, their consensus. 5: the nodule activation map (NAM), where a "
        "network that learned “nodule” or “no nodule” alone sees a nodule. 6: its strongest blob, the scope. 7: "
        "candidates in it. 8: the one chosen, the result, beside the consensus.",
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
    "alarms": (
        "Slices without a nodule in which something is marked, by method: {alarms}. Those of the highest score, other "
        "patients first. “Score” is the method's own probability of a nodule; the area is that of the mark.",
        "Slices without a nodule, each with the outline of what was marked, one row per method.",
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


def draw(run: Run, found: Secondary) -> dict[str, Picture]:
    """Writes a run's `figures/` and returns the same pictures for the report by name, each with its caption."""
    method = max(case.method for case in run.cases if case.method.endswith("fine"))
    pictures = {}
    for name, figure in _figures(run, found, method).items():
        png = slice_view.to_png(figure)
        files.write_bytes(run.workdir / "figures" / f"{name}.png", png)
        caption, alt = CAPTIONS[name]
        pictures[name] = Picture(png, caption.format(method=method, alarms=_alarms(run.cases)), alt)
    return pictures


def _figures(run: Run, found: Secondary, method: str) -> dict[str, Figure]:
    return {
        **_slices(run, method),
        "curves": curves(found),
        "causes": plots.cause_bars(found.causes),
        "figure3": plots.figure3(run.cases),
        "training": plots.training_curves(_metrics(run)),
    }


def _slices(run: Run, method: str) -> dict[str, Figure]:
    """Returns the figures made of slices, as far as there are some."""
    variant = int(method[0])
    chosen = figures.choose_gallery(run.cases, method, GALLERY)
    made = {}
    if chosen["best"]:
        made["overview"] = figures.overview(view(run, chosen["best"][0]), variant=variant)
    if examples := _examples(run.cases, method):
        made["figure2"] = figures.figure2([view(run, case) for case in examples], variant=variant)
    if chosen["best"]:
        made["gallery"] = figures.gallery(seen(run, chosen), method)
    if failures := figures.choose_failures(run.cases, method, GALLERY):
        made["failures"] = figures.gallery(seen(run, failures), method, scopes=True)
    alarms = {name: false_alarms.choose(run.cases, name, GALLERY) for name in (method, "U-Net")}
    if shown := {name: found for name, found in alarms.items() if found}:
        made["alarms"] = false_alarms.gallery(seen(run, shown))
    return made


def _alarms(cases: Sequence[Case]) -> str:
    """Returns how many slices without a nodule each method marks, in words."""
    said = []
    for name in false_alarms.SHOWN:
        without = [case for case in cases if case.method == name and not case.label]
        if without:
            said.append(f"{name} {sum(case.area_mm2 > 0 for case in without):,} of {len(without):,}")
    return ", ".join(said)


def _examples(cases: Sequence[Case], method: str) -> list[Case]:
    """Returns detected slices with one nodule, one per patient, spread from the best to the worst Dice."""
    found = [case for case in cases if case.method == method and case.detected and case.nodules == 1]
    best: dict[str, Case] = {}
    for case in sorted(found, key=lambda case: -(case.dice or 0)):
        best.setdefault(case.patient, case)
    ranked = list(best.values())
    rows = np.unique(np.linspace(0, len(ranked) - 1, min(EXAMPLES, len(ranked))).round().astype(int))
    return [ranked[row] for row in rows]


def _metrics(run: Run) -> list[dict[str, Any]]:
    rows = []
    for name in run.config.models:
        try:
            rows += [{"model": TITLES[name], **row} for row in read_metrics(run.workdir / name)]
        except InputError as error:
            progress.say(f"warning: {error}; the report is without this network's curves")
    return rows
