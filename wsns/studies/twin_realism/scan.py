"""What one scan gives to a comparison of synthetic scans with real ones."""

import dataclasses
import zlib

import numpy as np

from wsns.data.records.schema import Slices
from wsns.errors import InputError
from wsns.studies.twin_realism import crops as likeness_crops
from wsns.studies.twin_realism import statistics as likeness
from wsns.studies.twin_realism.classification import Crops
from wsns.studies.twin_realism.statistics import Nodule, SliceLook

SHOWN = 10
"""Larger crops of each scan, at most, for a sheet to look at."""
SHOWN_SIDE = 64


@dataclasses.dataclass(frozen=True, eq=False)
class NoduleCrop:
    """A nodule's largest slice: `hu` (64, 64) int16 around it, `mask` (64, 64) bool, `radius` in mm."""

    hu: np.ndarray
    mask: np.ndarray
    radius: float
    spacing: float
    patient: str


@dataclasses.dataclass(frozen=True, eq=False)
class ScanLook:
    """What a scan looks like: its slices and nodules, its `crops` in figures, some larger ones to look at,
    `shown` (M, 64, 64) int16, and each nodule in its largest slice, `pictures`."""

    patient: str
    series: str
    spacing: float
    thickness: float
    slices: tuple[SliceLook, ...]
    nodules: tuple[Nodule, ...]
    crops: Crops
    shown: np.ndarray
    pictures: tuple[NoduleCrop, ...]


def look_at(slices: Slices, *, count: int, crops: int, seed: int) -> ScanLook:
    """Measures a scan.

    Args:
        slices: all of its slices that show lungs.
        count: slices to measure, at equal distances, two at least; nodules are measured in all of theirs.
        crops: to draw from these slices, half of them from every second one; fewer where there are no more.
        seed: of the draw, which also depends on the series.

    Raises:
        InputError: if there is no place for a crop.
    """
    rng = np.random.default_rng([seed, zlib.crc32(str(slices.series[0]).encode())])
    # The middles of `count` equal parts: the first and last slices hold a lung's tip, or none.
    middles = ((np.arange(count) + 0.5) / count * len(slices)).astype(int)
    some = slices.take(np.unique(middles))
    positive = np.flatnonzero(slices.label)
    return ScanLook(
        patient=str(slices.patient[0]),
        series=str(slices.series[0]),
        spacing=float(slices.spacing[0]),
        thickness=float(slices.thickness[0]),
        slices=tuple(likeness.look(some, n) for n in range(len(some))),
        nodules=tuple(nodule for n in positive for nodule in likeness.nodules(slices, int(n))),
        crops=_crops(some, crops, rng),
        shown=_shown(some, rng),
        pictures=_pictures(slices),
    )


def _crops(slices: Slices, count: int, rng: np.random.Generator) -> Crops:
    """Draws crops from either half of the slices."""
    halves = [
        likeness_crops.draw(slices.take(np.arange(first, len(slices), 2)), wanted, rng)
        for first, wanted in enumerate((count - count // 2, count // 2))
    ]
    if not all(map(len, halves)):
        raise InputError(
            f"no square of {likeness_crops.SIDE} pixels is {likeness_crops.LEAST_LUNG:.0%} lung in half of its slices: "
            "leave the scan out with config.data.exclude, or take more slices (config.check.slices)"
        )
    return Crops(
        likeness_crops.features(np.concatenate(halves)),
        np.repeat([False, True], [len(half) for half in halves]),
    )


def _shown(slices: Slices, rng: np.random.Generator) -> np.ndarray:
    """Draws one crop from each slice that has room for it: (M, 64, 64)."""
    each = [likeness_crops.draw(slices.take([n]), 1, rng, SHOWN_SIDE) for n in range(len(slices))]
    return np.concatenate(each)[:SHOWN]


def _pictures(slices: Slices) -> tuple[NoduleCrop, ...]:
    """Returns each nodule of the scan in the slice where it is largest."""
    largest: dict[int, tuple[int, int, int]] = {}
    for n in np.flatnonzero(slices.label):
        for label, number in enumerate(slices.cluster[n][: slices.count[n]], start=1):
            size = int((slices.nodules[n] == label).sum())
            largest[int(number)] = max(largest.get(int(number), (0, 0, 0)), (size, int(n), label))
    return tuple(_picture(slices, n, label) for size, n, label in largest.values() if size)


def _picture(slices: Slices, n: int, label: int) -> NoduleCrop:
    mask, spacing = slices.nodules[n] == label, float(slices.spacing[n])
    centre = np.argwhere(mask).mean(axis=0).round().astype(int)
    row, column = np.clip(centre - SHOWN_SIDE // 2, 0, np.array(mask.shape) - SHOWN_SIDE)
    where = np.s_[row : row + SHOWN_SIDE, column : column + SHOWN_SIDE]
    radius = float(np.sqrt(mask.sum() * spacing**2 / np.pi))
    return NoduleCrop(slices.hu[n][where], mask[where], radius, spacing, str(slices.patient[n]))
