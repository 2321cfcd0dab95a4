"""The one function that says which set of candidates a scope gets."""

import numpy as np

from wsns.errors import InputError
from wsns.segmentation.candidates import Candidates, candidates
from wsns.segmentation.levels import level_candidates

KINDS = ("phases", "full")


def find_candidates(
    kind: str,
    hu: np.ndarray,
    labels: np.ndarray,
    scope: np.ndarray,
    hull: np.ndarray,
    spacing: float,
    *,
    openings: tuple[float, ...] = (1.5, 3.0),
    min_area: float = 4.0,
    limit: int = 32,
) -> Candidates:
    """Returns the candidates of a scope: nested pieces of the slice's phases, or of thresholds of the HU.

    Args:
        kind: 'phases' (see `candidates`) or 'full' (see `level_candidates`, which has openings of its own).
        hu: (S, S) in HU.
        labels: (S, S) int, the phases; not looked at for 'full'.
        scope: (S, S) bool, where to look.
        hull: (S, S) bool, the closed lungs.
        spacing: mm per pixel.
        openings: radii of the discs in pixels, of 'phases'.
        min_area: mm2 of a piece before it is grown.
        limit: most candidates; the largest stay.

    Raises:
        InputError: on any other `kind`.
    """
    if kind not in KINDS:
        raise InputError(f"candidates is {kind!r}: use one of {', '.join(KINDS)}")
    if kind == "full":
        return level_candidates(hu, scope, hull, spacing, min_area=min_area, limit=limit)
    return candidates(labels, scope, hull, spacing, openings=openings, min_area=min_area, limit=limit)
