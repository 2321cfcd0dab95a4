"""What a result gets right or wrong in a slice, beyond its Dice: where the map looks, what there was to choose."""

import numpy as np

from wsns.data.records.schema import Slices
from wsns.evaluation.metrics import dice
from wsns.ops.morphology import dilated
from wsns.segmentation.results import Region, SliceResult
from wsns.segmentation.selection import same_object

NEAR_MM = 5.0
"""Of a nodule: the pointing game counts a peak as a hit up to so far from its consensus."""


def peak(nam: np.ndarray, hull: np.ndarray) -> tuple[int, int]:
    """Returns where (row, column) the map is highest inside the lungs' closed hull, which is where scopes lie.

    Args:
        nam: (S, S).
        hull: (S, S) bool; where it is empty, the whole crop counts.
    """
    values = np.where(hull, nam, -np.inf) if hull.any() else nam
    row, column = np.unravel_index(int(np.argmax(values)), nam.shape)
    return int(row), int(column)


def peak_distance_mm(
    nam: np.ndarray, hull: np.ndarray, reference: np.ndarray, spacing: float
) -> float | None:
    """Returns how far the map's `peak` lies from the nearest pixel of the reference; None without one.

    Args:
        nam: (S, S).
        hull: (S, S) bool, the lungs' closed hull; where it is empty, the whole crop counts.
        reference: (S, S) bool.
        spacing: mm per pixel.
    """
    pixels = np.argwhere(reference)
    if not len(pixels):
        return None
    return float(np.sqrt(((pixels - peak(nam, hull)) ** 2).sum(axis=1).min()) * spacing)


def peak_chance(hull: np.ndarray, reference: np.ndarray, spacing: float) -> float | None:
    """Returns the share of the hull's pixels within 5 mm of the reference: how often chance is a hit.

    None without a reference. A nodule that the hull leaves out counts as part of it.

    Args:
        hull: (S, S) bool, the lungs' closed hull; where it is empty, the whole crop counts.
        reference: (S, S) bool.
        spacing: mm per pixel.
    """
    inside = hull | reference if hull.any() else np.ones_like(reference)
    if not reference.any():
        return None
    return float((dilated(reference, NEAR_MM / spacing) & inside).sum() / inside.sum())


def where_to_point(hull: np.ndarray, reference: np.ndarray, spacing: float) -> np.ndarray:
    """Returns where a `peak` is sought (1) and where it is a hit, within 5 mm of the reference (2): (S, S) uint8.

    0 is elsewhere, and all over without a reference: such a slice doesn't count.

    Args:
        hull: (S, S) bool, the lungs' closed hull; where it is empty, the whole crop counts.
        reference: (S, S) bool.
        spacing: mm per pixel.
    """
    inside = hull if hull.any() or not reference.any() else np.ones_like(hull)
    return np.where(inside & reference.any(), 1 + dilated(reference, NEAR_MM / spacing), 0).astype(np.uint8)


def scope_share(result: SliceResult, gaps: int, reference: np.ndarray) -> float | None:
    """Returns the share of the reference (S, S) bool that lies in a variant's scopes; None if none was sought."""
    regions = result.regions.get(gaps, ())
    if not regions or not reference.any():
        return None
    scope = np.any([region.scope for region in regions], axis=0)
    return float((scope & reference).sum() / reference.sum())


def best_choice(region: Region, reference: np.ndarray) -> tuple[float, bool | None]:
    """Returns the Dice of the best candidate, and whether the chosen one is of the same object.

    0 and None where there is no candidate; an object is all candidates that share half of the smaller area.

    Args:
        region: screened.
        reference: (S, S) bool, one nodule.
    """
    if region.chosen is None:
        return 0.0, None
    values = np.array([dice(mask, reference) for mask in region.candidates])
    best = int(values.argmax())
    return float(values[best]), bool(values[best] > 0 and same_object(region.candidates, best)[region.chosen])


def weak_measures(
    result: SliceResult, gaps: int, hull: np.ndarray, reference: np.ndarray, spacing: float
) -> dict[str, float | int | None]:
    """Returns the columns of `wsns.evaluation.cases.Case` that only a weak row has.

    Args:
        result: of the slice.
        gaps: which variant.
        hull: (S, S) bool, the lungs' closed hull.
        reference: (S, S) bool, all its nodules.
        spacing: mm per pixel.
    """
    best, right = None, None
    regions = result.regions.get(gaps, ())
    if len(regions) == 1 and reference.any():
        best, right = best_choice(regions[0], reference)
    return {
        "peak_mm": peak_distance_mm(result.nams[gaps], hull, reference, spacing),
        "peak_chance": peak_chance(hull, reference, spacing),
        "in_scope": scope_share(result, gaps, reference),
        "best_dice": best,
        "same_object": None if right is None else int(right),
    }


def nodule_facts(slices: Slices, n: int) -> dict[str, float | int | None]:
    """Returns what is known of the nodule of slice `n`, of several the largest: texture, readers, their Dice, number.

    None where it isn't known: no texture, or the crop leaves the whole nodule out.
    """
    areas = np.bincount(slices.nodules[n].ravel(), minlength=2)[1:]
    beyond = {"outside_crop": int(slices.outside_crop[n])}
    if not areas.any():
        return beyond | {"texture": None, "readers": None, "reader_dice": None, "nodule": None}
    largest = int(areas.argmax())
    drawn = slices.reader_dice[n, largest]
    drawn = drawn[drawn > 0]
    texture = float(slices.texture[n, largest])
    return beyond | {
        "nodule": int(slices.cluster[n, largest]),
        "texture": texture if texture > 0 else None,
        "readers": int(slices.agreement[n, largest]),
        "reader_dice": float(drawn.mean()) if len(drawn) else None,
    }
