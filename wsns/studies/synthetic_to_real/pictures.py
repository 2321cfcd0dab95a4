"""Pictures of every real nodule, as the first seed's networks see it, with words on all seeds."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from wsns.data.lungs.hull import hull
from wsns.data.records import loading as records
from wsns.evaluation.cases import Case, read_cases
from wsns.report import slice_view
from wsns.run.folder import Run, row_of, view
from wsns.run.masks import enlarged
from wsns.studies.synthetic_to_real.measure import REAL, Reading, largest_slices
from wsns.studies.synthetic_to_real.predictions import Trial, nam_name
from wsns.studies.synthetic_to_real.section import NoduleView, nodule_figures

MOST = 120
"""Nodules that are drawn, the largest first: a page of thousands would not open."""


def draw(trial: Trial, config: ConfigDict, readings: Sequence[Reading], method: str) -> list[bytes]:
    """Returns the pictures as PNG.

    Args:
        trial: the run whose map and results are drawn; its real slices are segmented.
        config: of these.
        readings: of all seeds.
        method: whose map and result are drawn, '1-GAP' to '3-GAP'.
    """
    own = [reading for reading in readings if reading.where == REAL and reading.method == method]
    hits: dict[tuple[str, float], list[int]] = {}
    for reading in own:
        hits.setdefault((reading.series, reading.z), []).append(reading.hit or 0)
    mine = [reading for reading in own if reading.seed == trial.config.seed]
    run = Run(
        trial.real, config, records.load(trial.real / "records", "test"), read_cases(trial.real / "cases.csv")
    )
    cases = {(case.series, case.z): case for case in run.cases if case.method == f"{method} fine"}
    largest = sorted(largest_slices(mine).values(), key=lambda reading: -(reading.radius_mm or 0))
    with np.load(trial.real / "nams.npz") as nams:
        shown = [
            _nodule(run, cases[reading.series, reading.z], reading,
                    nams[nam_name(method, reading.series, reading.z)], hits[reading.series, reading.z])
            for reading in largest[:MOST]
        ]  # fmt: skip
    return [slice_view.to_png(figure) for figure in nodule_figures(shown)]


def _nodule(run: Run, case: Case, reading: Reading, nam: np.ndarray, hits: Sequence[int]) -> NoduleView:
    options = run.config.segment
    n = row_of(run.slices, case)
    fine = enlarged(nam).astype(np.float32)
    closed = hull(run.slices.lungs[n], float(run.slices.spacing[n]), options.hull_closing, options.hull_part)
    title = f"{reading.patient}, z = {reading.z:g} mm, radius {reading.radius_mm:.1f} mm"
    seen = dataclasses.replace(view(run, case), nams={int(reading.method[0]): fine}, hull=closed, title=title)
    words = f"{_found(hits)}\n{_outlined(case)}"
    return NoduleView(seen, reading.method, (reading.peak_row, reading.peak_column), words)


def _found(hits: Sequence[int]) -> str:
    if len(hits) == 1:
        return "found" if hits[0] else "missed"
    return f"found in {sum(hits)} of {len(hits)} seeds" if any(hits) else f"missed in all {len(hits)} seeds"


def _outlined(case: Case) -> str:
    if not case.detected:
        return f"not detected (probability {case.score:.2f})"
    return f"outlined, Dice {case.dice:.2f}" if case.tp else "the outline is elsewhere"
