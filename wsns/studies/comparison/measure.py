"""Several runs side by side on the slices that they share, each paired with the first one."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.errors import InputError
from wsns.evaluation.bootstrap import DRAWS, Estimate
from wsns.evaluation.cases import METHODS, VARIANTS, Case
from wsns.evaluation.paired_differences import COMPARED, difference
from wsns.evaluation.resampled import Drawn, Figures, draw

CLASSIFIED = ("accuracy", "auc")
"""Of the slice classifiers, what is compared."""
CLASSIFIERS = tuple(f"{gaps}-GAP classifier" for gaps in VARIANTS)


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run left: its cases, and by dotted name the config fields and the fingerprints that they stand on."""

    name: str
    cases: Sequence[Case]
    fields: Mapping[str, Any]
    fingerprints: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Line:
    """A run's row of the table: a method's `COMPARED` or a classifier's `CLASSIFIED`.

    `less_first` is the difference to the first run's row, paired over patients; empty for the first run itself, and
    where the first has no such row. `same`: no figure differs, under any draw.
    """

    run: str
    row: str
    figures: Mapping[str, Estimate]
    less_first: Mapping[str, Estimate]
    same: bool


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Lines row by row and in each run by run, on what slices they stand, and in what the runs differ."""

    runs: tuple[str, ...]
    lines: tuple[Line, ...]
    patients: int
    positives: int
    negatives: int
    data: tuple[str, ...]
    configs: tuple[str, ...]


def compare(runs: Sequence[Run], *, draws: int = DRAWS, seed: int = 0) -> Comparison:
    """Returns the runs' figures and their differences to the first run's, all under the same draws of patients.

    Args:
        runs: the first is what the others are compared with.
        draws: of patients.
        seed: of the draws.

    Raises:
        InputError: if the runs share no slice.
    """
    shared = set.intersection(*(_slices(run) for run in runs))
    if not shared:
        raise InputError(
            f"{', '.join(run.name for run in runs)} share no test slice: compare runs on the same records and split"
        )
    drawn = [_draw(run, shared, draws, seed) for run in runs]
    rows = [_rows(own) for own in drawn]
    labels = [nodules for *_, nodules in shared]
    return Comparison(
        runs=tuple(run.name for run in runs),
        lines=tuple(
            _line(run.name, row, own[row], rows[0].get(row) if n else None)
            for row in (*METHODS, *CLASSIFIERS)
            for n, (run, own) in enumerate(zip(runs, rows, strict=True))
            if row in own
        ),
        patients=len(drawn[0].patients),
        positives=labels.count(1),
        negatives=labels.count(0),
        data=tuple(_data_differences(runs, len(shared))),
        configs=tuple(_config_differences(runs)),
    )


def _slices(run: Run) -> set[tuple[str, str, float, int]]:
    return {(case.patient, case.series, case.z, case.nodules) for case in run.cases}


def _draw(run: Run, shared: set[tuple[str, str, float, int]], draws: int, seed: int) -> Drawn:
    own = [case for case in run.cases if (case.patient, case.series, case.z, case.nodules) in shared]
    return draw(own, threshold=run.fields["segment.detect"], draws=draws, seed=seed)


def _rows(drawn: Drawn) -> dict[str, Figures]:
    methods: dict[str, Figures] = {
        name: {key: of[key] for key in COMPARED} for name, of in drawn.methods.items()
    }
    classifiers: dict[str, Figures] = {
        f"{name} classifier": {key: of[key] for key in CLASSIFIED} for name, of in drawn.classifiers.items()
    }
    return methods | classifiers


def _line(run: str, row: str, figures: Figures, first: Figures | None) -> Line:
    own = {name: values.estimate for name, values in figures.items()}
    if first is None:
        return Line(run, row, own, {}, False)
    same = all(np.array_equal(figures[name].values, first[name].values, equal_nan=True) for name in figures)
    return Line(run, row, own, difference(row, figures, row, first, tuple(figures)).figures, same)


def _data_differences(runs: Sequence[Run], shared: int) -> Iterator[str]:
    """Yields, by name, which data aren't the first run's and which slices are left out."""
    first = runs[0]
    for run in runs[1:]:
        names = sorted(first.fingerprints.keys() | run.fingerprints.keys())
        other = [name for name in names if run.fingerprints.get(name) != first.fingerprints.get(name)]
        if other:
            yield f"{run.name}: not the {' and '.join(other)} of {first.name}"
    for run in runs:
        if (count := len(_slices(run))) > shared:
            yield f"{run.name}: {count - shared:,} of {count:,} test slices left out, which not all runs have"


def _config_differences(runs: Sequence[Run]) -> Iterator[str]:
    """Yields for each run the fields in which its config differs from the first run's."""
    first = runs[0].fields
    for run in runs[1:]:
        names = sorted(first.keys() | run.fields.keys())
        changed = [
            f"{name} {_words(run.fields, name)} ({_words(first, name)})"
            for name in names
            if run.fields.get(name) != first.get(name)
        ]
        yield f"{run.name}: {', '.join(changed) or 'the same config'}"


def _words(fields: Mapping[str, Any], name: str) -> str:
    if name not in fields:
        return "no such field"
    value = fields[name]
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value) if value != "" else "''"
