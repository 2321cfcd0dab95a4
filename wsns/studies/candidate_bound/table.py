"""The bound's table: each scheme over all nodules of all slices, and by scan."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, Resampled, means, nested_weights
from wsns.studies.candidate_bound.measure import FIGURES, Nodule, Row

READERS = "a reader against the majority of the others"
GOOD = 0.5


@dataclasses.dataclass(frozen=True)
class Line:
    """One scheme over all nodules of all slices.

    `best`: mean Dice of the best candidate; `gain`: the same less the first scheme's, paired; `good`: share of
    `best` from 0.5 on; `figures`: means of the other `FIGURES`; `number`, `most`: candidates per nodule, mean and
    95th percentile; `cut`: how many were too many, in all; `scans`: `best` by patient and series.
    """

    scheme: str
    best: Estimate
    gain: Estimate
    good: float
    figures: Mapping[str, float]
    number: float
    most: float
    cut: int
    scans: Mapping[tuple[str, str], float]


def lines(rows: Sequence[Row], *, draws: int, seed: int) -> list[Line]:
    """Sums the rows up, a line per scheme in the order in which they come; intervals: patients and nodules drawn."""
    schemes: dict[str, list[Row]] = {}
    for row in rows:
        schemes.setdefault(row.scheme, []).append(row)
    first = next(iter(schemes.values()))
    patient = np.array([row.nodule.patient for row in first])
    _, nodules = np.unique([f"{row.nodule.series} {row.nodule.number}" for row in first], return_inverse=True)
    weights = nested_weights(patient, np.zeros(len(first)), nodules, draws=draws, seed=seed)

    def mean(own: Sequence[Row]) -> Resampled:
        return means(np.array([row.dice["best"] for row in own]), patient, weights)

    return [_line(name, own, mean(own), mean(first)) for name, own in schemes.items()]


def reader_rows(found: Iterable[tuple[Nodule, float]]) -> list[Row]:
    """Returns the readers' row of each nodule and its Dice, see `wsns.studies.candidate_bound.measure.reader_dice`."""
    nothing = dict.fromkeys(FIGURES, float("nan"))
    return [Row(READERS, nodule, 0, 0, nothing | {"best": value}) for nodule, value in found]


def _line(scheme: str, rows: Sequence[Row], best: Resampled, first: Resampled) -> Line:
    values = np.array([[row.dice[name] for name in FIGURES] for row in rows])
    good = values[np.isfinite(values[:, 0]), 0] >= GOOD
    counts = np.array([row.candidates for row in rows])
    scans: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scans.setdefault((row.nodule.patient, row.nodule.series), []).append(row.dice["best"])
    return Line(
        scheme,
        best.estimate,
        (best - first).estimate,
        float(good.mean()) if len(good) else float("nan"),
        dict(zip(FIGURES, values.mean(axis=0).tolist(), strict=True)),
        float(counts.mean()),
        float(np.percentile(counts, 95)),
        sum(row.cut for row in rows),
        {
            scan: float(np.nanmean(own)) if np.isfinite(own).any() else float("nan")
            for scan, own in scans.items()
        },
    )
