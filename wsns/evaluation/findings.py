"""What a result gets right or wrong in a slice, beyond its Dice: where the map looks, what there was to choose."""

import numpy as np

from wsns.data.lungs.morphology import dilated
from wsns.data.records.slices import Slices
from wsns.evaluation.metrics import dice
from wsns.segmentation.outline import same_object
from wsns.segmentation.results import Region, SliceResult

NEAR_MM = 5.0
"""Of a nodule: the pointing game counts a peak as a hit up to so far from its consensus."""


def peak_distance_mm(nam: np.ndarray, reference: np.ndarray, spacing: float) -> float | None:
    """Returns how far the map's maximum lies from the nearest pixel of the reference; None without one.

    Args:
        nam: (S, S).
        reference: (S, S) bool.
        spacing: mm per pixel.
    """
    pixels = np.argwhere(reference)
    if not len(pixels):
        return None
    peak = np.unravel_index(int(np.argmax(nam)), nam.shape)
    return float(np.sqrt(((pixels - peak) ** 2).sum(axis=1).min()) * spacing)


def peak_chance(lungs: np.ndarray, reference: np.ndarray, spacing: float) -> float | None:
    """Returns the share of the lungs' pixels within 5 mm of the reference: how often chance is a hit.

    None without a reference. A nodule that the lungs' mask leaves out counts as lung.

    Args:
        lungs: (S, S), not 0 inside the lungs.
        reference: (S, S) bool.
        spacing: mm per pixel.
    """
    inside = (lungs > 0) | reference
    if not reference.any():
        return None
    return float((dilated(reference, NEAR_MM / spacing) & inside).sum() / inside.sum())


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
    result: SliceResult, gaps: int, lungs: np.ndarray, reference: np.ndarray, spacing: float
) -> dict[str, float | int | None]:
    """Returns the columns of `wsns.evaluation.cases.Case` that only a weak row has.

    Args:
        result: of the slice.
        gaps: which variant.
        lungs: (S, S), not 0 inside the lungs.
        reference: (S, S) bool, all its nodules.
        spacing: mm per pixel.
    """
    best, right = None, None
    regions = result.regions.get(gaps, ())
    if len(regions) == 1 and reference.any():
        best, right = best_choice(regions[0], reference)
    return {
        "peak_mm": peak_distance_mm(result.nams[gaps], reference, spacing),
        "peak_chance": peak_chance(lungs, reference, spacing),
        "in_scope": scope_share(result, gaps, reference),
        "best_dice": best,
        "same_object": None if right is None else int(right),
    }


def nodule_facts(slices: Slices, n: int) -> dict[str, float | int | None]:
    """Returns what is known of the nodule of slice `n`, of several the largest: texture, readers, their Dice.

    None where it isn't known: no texture, or nobody drew the nodule in this slice.
    """
    areas = np.bincount(slices.nodules[n].ravel(), minlength=2)[1:]
    if not areas.any():
        return {"texture": None, "readers": None, "reader_dice": None}
    largest = int(areas.argmax())
    drawn = slices.reader_dice[n, largest]
    drawn = drawn[drawn > 0]
    texture = float(slices.texture[n, largest])
    return {
        "texture": texture if texture > 0 else None,
        "readers": int(slices.agreement[n, largest]),
        "reader_dice": float(drawn.mean()) if len(drawn) else None,
    }
