"""A finished run, opened again: what figures and notebooks show of it, without computing a step of it anew."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.data.records.schema import OVERVIEW_STEP, OVERVIEW_WINDOW, Slices
from wsns.errors import InputError
from wsns.evaluation.cases import Case, read_cases
from wsns.report.slice_view import SliceView
from wsns.run import masks
from wsns.runtime import workdir as files


class Run(NamedTuple):
    """A run's folder, its resolved config, and of its test split the slices and the cases."""

    workdir: pathlib.Path
    config: ConfigDict
    slices: Slices
    cases: Sequence[Case]


def open_run(workdir: str | pathlib.Path) -> Run:
    """Opens the folder of a run that has come to its table.

    Raises:
        InputError: if there is no such run, or it was made by another version of this code.
    """
    folder = pathlib.Path(workdir).absolute()
    missing = [
        name for name in ("config.json", "cases.csv", "records", "masks") if not (folder / name).exists()
    ]
    if missing:
        raise InputError(
            f"{folder} holds no finished run, it has no {missing[0]}: run `make demo` first, or name another run's "
            "folder in WSNS_WORKDIR"
        )
    slices = records.load(folder / "records", "test")
    return Run(folder, read_config(folder), slices, read_cases(folder / "cases.csv"))


def read_config(workdir: pathlib.Path) -> ConfigDict:
    """Returns a run's config from its `config.json`, in which tuples have become lists."""
    return ConfigDict(files.read_json(workdir / "config.json"))


def showcase(cases: Sequence[Case], variant: int) -> Case:
    """Returns the fine case of the slice in which screening gained most: the Dice of the fine result minus the coarse.

    Args:
        cases: of a run.
        variant: 1, 2 or 3 GAPs.

    Raises:
        InputError: if no slice with one nodule was declared a nodule slice.
    """
    coarse = {(c.series, c.z): c.dice or 0 for c in cases if c.method == f"{variant}-GAP coarse"}
    fine = [c for c in cases if c.method == f"{variant}-GAP fine" and c.nodules == 1 and c.detected]
    if not fine:
        raise InputError(
            "no slice with one nodule was detected in this run: train longer, or open another run"
        )
    # Where there is no candidate there is nothing to show of a choice.
    shown = [case for case in fine if case.same_object is not None] or fine
    return max(shown, key=lambda case: (case.dice or 0) - coarse[case.series, case.z])


def row_of(slices: Slices, case: Case) -> int:
    """Returns the row of a case's slice.

    Raises:
        InputError: if it isn't among the slices.
    """
    rows = np.flatnonzero((slices.series == case.series) & np.isclose(slices.z, case.z, rtol=0, atol=5e-4))
    if not len(rows):
        raise InputError(
            f"z = {case.z:g} of {case.series} is in cases.csv, but no record: segment the run again"
        )
    return int(rows[0])


def view(run: Run, case: Case) -> SliceView:
    """Returns the slice of a case with all that its file in `masks/` keeps."""
    n = row_of(run.slices, case)
    found = masks.read(
        masks.path(run.workdir / "masks", case.patient, case.series, run.slices.slice_index[n])
    )
    title, right = f"{case.patient}, z = {case.z:g} mm", right_side(run.workdir / "records", case.series)
    return slice_view(run.slices, n, found, title, right)


def right_side(directory: pathlib.Path, series: str) -> str:
    """Returns on which side of a scan's slices the patient's right is, '' where its records don't say."""
    rows = files.read_rows(directory / "scans.csv")
    return next((row.get("right", "") for row in rows if row["series"] == series), "")


def seen(run: Run, groups: Mapping[str, Sequence[Case]]) -> dict[str, list[tuple[SliceView, Case]]]:
    """Returns each case of some groups with its view, as `wsns.report.figures.gallery` takes them."""
    return {name: [(view(run, case), case) for case in group] for name, group in groups.items()}


def slice_view(slices: Slices, n: int, found: masks.Found, title: str, right: str = "") -> SliceView:
    """Returns a slice with the layers that its file in `masks/` keeps."""
    return SliceView(
        hu=slices.hu[n],
        lungs=slices.lungs[n],
        hull=found.hull,
        consensus=slices.nodules[n],
        nams=found.nams,
        scopes=found.scopes,
        candidates=found.candidates,
        results=found.results,
        spacing=float(slices.spacing[n]),
        title=title,
        scan_slice=_whole(slices.overview[n]),
        origin=(int(slices.origin[n, 0]), int(slices.origin[n, 1])),
        right=right,
    )


def _whole(overview: np.ndarray) -> np.ndarray:
    low, high = OVERVIEW_WINDOW
    pixels = np.ones((OVERVIEW_STEP, OVERVIEW_STEP), np.float32)
    return np.kron(overview.astype(np.float32) * ((high - low) / 255) + low, pixels)
