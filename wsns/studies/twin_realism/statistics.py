"""What a slice of the lungs looks like in figures, to set a synthetic scan beside real ones.

Lengths are in mm, densities in HU.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage, stats

from wsns.data.lungs.hull import hull
from wsns.data.records.schema import Slices
from wsns.ops.morphology import eroded
from wsns.studies.twin_realism.dense_sections import DENSE_HU, Sections, sections
from wsns.studies.twin_realism.noise import Noise, noise

LOWEST, HIGHEST = -1100, 400
"""HU between which the lungs' pixels are counted; what lies beyond counts at the ends."""
PERCENTS = (5, 25, 50, 75, 95)
RADII_MM = (2.0, 3.0, 5.0, 8.0, float("inf"))
"""Of nodules: the edges of the groups."""
TEXTURES = ((1, 2), (3, 4), (5, 5))
"""The readers' scores from ground glass to solid, in groups."""
DISTANCES_MM = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""From the wall: the edges of the groups."""
LARGE_MM = 2.0
"""Radius of a section from which on it may be taken for a nodule, if it is round."""
_SKIN_MM = 1.5  # of lung at its edge, half wall, which is left out
_PLEURA_MM = 2.0
_ROW_PIXELS, _ROWS = 20, 30  # that the gradient needs


@dataclasses.dataclass(frozen=True)
class Nodule:
    """A nodule in a slice: radius of the disc of its area in mm, mean HU, texture (0 is none), whether its outline
    comes within 2 mm of the edge of the lungs' closed hull."""

    radius: float
    hu: float
    texture: float
    at_pleura: bool


@dataclasses.dataclass(frozen=True, eq=False)
class SliceLook:
    """What one slice looks like.

    `counts`: (1501,) pixels of the lungs by HU, from −1100 to 400, without 1.5 mm at the edge and what is denser than
    −650 HU; `gradient`: HU per cm by which the lungs are denser towards the back, NaN where they are too small to
    tell; `noise`; `sections`; `area`: (5,) cm² of lung by distance from the wall.
    """

    counts: np.ndarray
    gradient: float
    noise: Noise
    sections: Sections
    area: np.ndarray


def look(slices: Slices, n: int) -> SliceLook:
    """Measures slice `n`."""
    hu, lungs, spacing = slices.hu[n], slices.lungs[n] > 0, float(slices.spacing[n])
    inner = eroded(lungs, _SKIN_MM / spacing)
    depth = ndimage.distance_transform_edt(lungs) * spacing
    tissue = np.clip(hu[inner & (hu <= DENSE_HU)], LOWEST, HIGHEST) - LOWEST
    return SliceLook(
        counts=np.bincount(tissue, minlength=HIGHEST - LOWEST + 1),
        gradient=gradient(hu, inner & (hu <= DENSE_HU), spacing),
        noise=noise(hu, lungs),
        sections=sections(hu, inner, depth, spacing),
        area=np.histogram(depth[lungs], DISTANCES_MM)[0] * spacing**2 / 100,
    )


def gradient(hu: np.ndarray, tissue: np.ndarray, spacing: float) -> float:
    """Returns the HU per cm from front to back: the median slope between any two rows' medians (Theil and Sen).

    Args:
        hu: (S, S), the back at high rows.
        tissue: (S, S) bool, lung without vessels.
        spacing: mm per pixel.
    """
    rows = np.flatnonzero(tissue.sum(axis=1) >= _ROW_PIXELS)
    if len(rows) < _ROWS:
        return float("nan")
    medians = [np.median(hu[row][tissue[row]]) for row in rows]
    return float(stats.theilslopes(medians, rows * spacing / 10)[0])


def nodules(slices: Slices, n: int) -> tuple[Nodule, ...]:
    """Measures the nodules of slice `n`."""
    spacing = float(slices.spacing[n])
    depth = ndimage.distance_transform_edt(hull(slices.lungs[n], spacing)) * spacing
    made = []
    for label in range(1, int(slices.nodules[n].max()) + 1):
        mask = slices.nodules[n] == label
        if mask.any():
            radius = float(np.sqrt(mask.sum() * spacing**2 / np.pi))
            texture, at_pleura = float(slices.texture[n, label - 1]), bool(depth[mask].min() <= _PLEURA_MM)
            made.append(Nodule(radius, float(slices.hu[n][mask].mean()), texture, at_pleura))
    return tuple(made)


def statistics(looks: Sequence[SliceLook], found: Sequence[Nodule]) -> dict[str, float]:
    """Returns the figures of all these slices and nodules together, by name; NaN where there is nothing to measure.

    Args:
        looks: slices of one scan or of several; at least one.
        found: nodules in their slices.
    """
    return _tissue(looks) | _noise(looks) | _vessels(looks) | _nodules(found)


def percentiles(counts: np.ndarray, percents: Sequence[float]) -> np.ndarray:
    """Returns the percentiles in HU of pixels counted by HU as in `SliceLook.counts`; NaN if there is none."""
    total = np.cumsum(counts)
    if not total[-1]:
        return np.full(len(percents), np.nan)
    return np.searchsorted(total, np.array(percents) / 100 * total[-1]) + float(LOWEST)


def groups(edges: Sequence[float]) -> list[str]:
    """Returns the names of the groups between ascending edges, as '2–3' and '> 8'."""
    pairs = itertools.pairwise(edges)
    return [f"{low:g}–{high:g}" if np.isfinite(high) else f"> {low:g}" for low, high in pairs]


def _tissue(looks: Sequence[SliceLook]) -> dict[str, float]:
    values = percentiles(np.sum([look.counts for look in looks], axis=0), PERCENTS)
    made = {f"lung, {p} % (HU)": float(value) for p, value in zip(PERCENTS, values)}
    return made | {"denser towards the back (HU/cm)": _median([look.gradient for look in looks])}


def _noise(looks: Sequence[SliceLook]) -> dict[str, float]:
    made = {"noise, SD (HU)": _median([look.noise.sd for look in looks])}
    for n in (0, 1):
        made[f"noise, correlation at {n + 1} px"] = _median([look.noise.lags[n] for look in looks])
    return made


def _vessels(looks: Sequence[SliceLook]) -> dict[str, float]:
    radius, distance, is_round = (
        np.concatenate([getattr(look.sections, name) for look in looks])
        for name in ("radius", "distance", "round")
    )
    made = {"sections per slice": len(radius) / len(looks)}
    tails = np.percentile(radius, (10, 50, 90)) if len(radius) else [np.nan] * 3
    made |= {f"section radius, {p} % (mm)": float(value) for p, value in zip((10, 50, 90), tails)}
    made["round sections > 2 mm per slice"] = float((is_round & (radius > LARGE_MM)).sum() / len(looks))
    area = np.sum([look.area for look in looks], axis=0)
    counts = np.histogram(distance, DISTANCES_MM)[0]
    for name, number, cm2 in zip(groups(DISTANCES_MM), counts, area):
        made[f"sections per 100 cm², {name} mm from the wall"] = _share(100 * number, cm2)
    return made


def _nodules(found: Sequence[Nodule]) -> dict[str, float]:
    made = {"nodule outlines": float(len(found))}
    for name, low, high in zip(groups(RADII_MM), RADII_MM, RADII_MM[1:]):
        made[f"nodule HU, radius {name} mm"] = _mean([n.hu for n in found if low <= n.radius < high])
    for low, high in TEXTURES:
        name = f"{low}–{high}" if low < high else f"{low}"
        made[f"nodule HU, texture {name}"] = _mean([n.hu for n in found if low <= n.texture < high + 1])
    return made | {"nodules at the pleura (share)": _mean([float(n.at_pleura) for n in found])}


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
