"""What networks that learned from synthetic scans do on real ones: slices told apart, nodules pointed at."""

import collections
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from wsns.evaluation.bootstrap import Estimate, Resampled, count, means, nested_weights
from wsns.evaluation.localisation import NEAR_MM
from wsns.evaluation.roc import auc
from wsns.evaluation.scan_names import scan_names

TWIN, REAL = "twin", "real"
"""Where slices are from: the validation split of the twin, on which epochs are chosen, and the real scans."""
LUNG_AREA = "lung area"
FIGURES = ("auc", "accuracy", "fpr", "hit", "chance", "nodule_hit")
THRESHOLD = 0.5
SIZES = {
    "under 3 mm": (0.0, 3.0),
    "3 to 5 mm": (3.0, 5.0),
    "5 to 8 mm": (5.0, 8.0),
    "8 mm and more": (8.0, math.inf),
}
"""Of a nodule: radius of the disc of its area in its largest slice."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """One slice read by one network; None where there is no nodule in the crop.

    `where`: TWIN or REAL; `seed` of the training; `peak_row`, `peak_column`: the map's highest pixel in the lungs'
    closed hull; `peak_mm` from there to the nearest pixel of any nodule; `chance` that a pixel of the hull is within
    5 mm of one; of the largest nodule in the slice its number in the scan, its radius here, and in its largest slice.
    """

    where: str
    seed: int
    method: str
    patient: str
    series: str
    z: float
    label: int
    probability: float
    peak_row: int
    peak_column: int
    peak_mm: float | None
    chance: float | None
    nodule: int | None
    radius_mm: float | None
    nodule_radius_mm: float | None
    lung_area_mm2: float

    @property
    def hit(self) -> int | None:
        """1 where the peak lies within 5 mm of a nodule, 0 where it doesn't."""
        return None if self.peak_mm is None else int(self.peak_mm <= NEAR_MM)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure's mean over the seeds with its interval, and each seed's value; NaN where there is none."""

    mean: Estimate
    seeds: tuple[float, ...]

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds; NaN for a single one."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else math.nan


@dataclasses.dataclass(frozen=True)
class Line:
    """One method on one group of slices: "all", nodules of a size (and all slices without), or a scan's."""

    where: str
    method: str
    group: str
    seeds: tuple[int, ...]
    positives: int
    negatives: int
    nodules: int
    patients: int
    figures: Mapping[str, Figure]


def measure(readings: Sequence[Reading], *, draws: int, seed: int) -> list[Line]:
    """Measures every method; all methods and seeds under the same draws of patients and nodules.

    `auc` and `accuracy` (at 0.5) are over all slices, `fpr` (at 0.5) over those without a nodule, `hit` and `chance`
    over those with one; `nodule_hit` is the share of nodules that are hit in their largest slice. The lungs' area alone
    stands for a method without a network.
    A figure of too few patients has no interval.

    Args:
        readings: of one or both places; all methods and seeds of a place hold the same slices.
        draws: behind each interval.
        seed: of the draws.
    """
    lines: list[Line] = []
    for where in dict.fromkeys(reading.where for reading in readings):
        methods = _by_method([reading for reading in readings if reading.where == where])
        slices = next(iter(methods.values()))[0]
        weights = _weights(slices, draws, seed)
        for group, member in _groups(slices).items():
            members = np.flatnonzero(member)
            drawn = weights[:, members]
            for method, seeds in methods.items():
                chosen = [[rows[n] for n in members] for rows in seeds]
                lines.append(_line(method, group, chosen, drawn))
            lines.append(_area_line(group, [slices[n] for n in members], drawn))
    return lines


def is_trained(method: str) -> bool:
    """Says whether a method is a network that has learned from slices."""
    return method.endswith("-GAP")


def largest_slices(readings: Sequence[Reading]) -> dict[tuple[str, int], Reading]:
    """Returns for each nodule (series, number) the reading of its largest slice, of equal ones the first.

    Args:
        readings: of one method and seed.
    """
    largest: dict[tuple[str, int], Reading] = {}
    for reading in sorted(readings, key=lambda reading: (reading.series, reading.z)):
        if reading.nodule is None or reading.radius_mm is None:
            continue
        key = reading.series, reading.nodule
        if key not in largest or reading.radius_mm > (largest[key].radius_mm or 0):
            largest[key] = reading
    return largest


def _by_method(readings: Sequence[Reading]) -> dict[str, list[list[Reading]]]:
    """Returns each method's readings, one list per seed, all in one order of slices."""
    methods: dict[str, dict[int, list[Reading]]] = collections.defaultdict(dict)
    for reading in sorted(readings, key=lambda reading: (reading.series, reading.z)):
        methods[reading.method].setdefault(reading.seed, []).append(reading)
    return {method: [seeds[seed] for seed in sorted(seeds)] for method, seeds in methods.items()}


def _weights(slices: Sequence[Reading], draws: int, seed: int) -> np.ndarray:
    units = [
        (row.series, row.nodule) if row.nodule is not None else (row.series, -1 - n)
        for n, row in enumerate(slices)
    ]
    number = {unit: n for n, unit in enumerate(dict.fromkeys(units))}
    return nested_weights(
        _patients(slices),
        np.array([row.label for row in slices]),
        np.array([number[unit] for unit in units]),
        draws=draws,
        seed=seed,
    )


def _groups(slices: Sequence[Reading]) -> dict[str, np.ndarray]:
    """Returns which slices (N,) bool belong to each group that has one with a nodule."""
    negative = np.array([not row.label for row in slices])
    radius = np.array([row.nodule_radius_mm or math.nan for row in slices])
    found = {"all": np.ones(len(slices), bool)}
    for name, (low, high) in SIZES.items():
        of_size = (low <= radius) & (radius < high)
        if of_size.any():
            found[name] = of_size | negative
    series = np.array([row.series for row in slices])
    for uid, name in scan_names(sorted((row.patient, row.series) for row in slices)).items():
        found[name] = series == uid
    return found


def _line(method: str, group: str, seeds: Sequence[Sequence[Reading]], weights: np.ndarray) -> Line:
    values = [dict(_figures(rows, weights)) for rows in seeds]
    figures = {name: _over_seeds([own[name] for own in values]) for name in FIGURES}
    return _counted(method, group, tuple(rows[0].seed for rows in seeds), seeds[0], figures)


def _area_line(group: str, rows: Sequence[Reading], weights: np.ndarray) -> Line:
    area = _auc(rows, np.array([row.lung_area_mm2 for row in rows]), weights)
    return _counted(LUNG_AREA, group, (), rows, {"auc": _over_seeds([area])})


def _counted(
    method: str, group: str, seeds: tuple[int, ...], rows: Sequence[Reading], figures: Mapping[str, Figure]
) -> Line:
    positives = sum(row.label for row in rows)
    return Line(
        where=rows[0].where,
        method=method,
        group=group,
        seeds=seeds,
        positives=positives,
        negatives=len(rows) - positives,
        nodules=len(largest_slices(rows)),
        patients=len({row.patient for row in rows}),
        figures=figures,
    )


def _over_seeds(seeds: Sequence[Resampled]) -> Figure:
    """Returns the mean over seeds of a figure."""
    mean = Resampled(np.mean([own.values for own in seeds], axis=0), min(own.patients for own in seeds))
    return Figure(mean.estimate, tuple(float(own.values[0]) for own in seeds))


def _figures(rows: Sequence[Reading], weights: np.ndarray) -> Iterator[tuple[str, Resampled]]:
    label, score = _labels(rows), np.array([row.probability for row in rows])
    patient = _patients(rows)
    hits = np.array([math.nan if row.hit is None else row.hit for row in rows])
    chance = np.array([math.nan if row.chance is None else row.chance for row in rows])
    largest = {id(row) for row in largest_slices(rows).values()}
    of_largest = np.where([id(row) in largest for row in rows], hits, math.nan)
    yield "auc", _auc(rows, score, weights)
    yield "accuracy", means(((score >= THRESHOLD) == label).astype(float), patient, weights)
    yield "fpr", means(np.where(label, math.nan, score >= THRESHOLD), patient, weights)
    yield "hit", means(hits, patient, weights)
    yield "chance", means(chance, patient, weights)
    yield "nodule_hit", means(of_largest, patient, weights)


def _labels(rows: Sequence[Reading]) -> np.ndarray:
    return np.array([row.label for row in rows], bool)


def _patients(rows: Sequence[Reading]) -> np.ndarray:
    return np.array([row.patient for row in rows])


def _auc(rows: Sequence[Reading], score: np.ndarray, weights: np.ndarray) -> Resampled:
    label, patient = _labels(rows), _patients(rows)
    return Resampled(auc(score, label, weights), min(count(patient, label), count(patient, ~label)))
