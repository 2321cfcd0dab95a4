"""The thresholds of the method, in one place."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from wsns.errors import InputError
from wsns.segmentation.energy import MEANS
from wsns.segmentation.selection import OUTLINES

CHOICES = {
    "candidates": ("phases", "full"),
    "contrast": ("difference", "nodule"),
    "fill": ("parenchyma", "floor", "mean"),
    "outline": tuple(OUTLINES),
    "screening": ("incremental", "full"),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Every threshold of the method.

    Attributes:
        detect: 1-GAP probability from which on a slice is searched for nodules.
        contrast: the weights of a NAM: of the nodule class minus the other's ('difference'), or its own ('nodule').
        sigma: pixels of the Gaussian that smooths a NAM before its blobs are sought.
        tau: share of the NAM's maximum in the hull that a blob's pixels exceed.
        reach: share of a multi-GAP NAM's maximum in the slice that a peak inside C1 must reach to count.
        means: HU of the phases, ascending.
        reestimate: whether each sweep of the ICM ends with the means of its phases; else they stay.
        beta: weight of the boundary in the phases' energy.
        sweeps: most sweeps of the ICM.
        candidates: pieces of the 'phases', or of thresholds of the HU ('full', which uses no phases).
        hull_closing: mm, radius of the disc that closes the lungs.
        hull_part: mm2, smaller parts of a lung are left out of the hull.
        openings: pixels, radii of the discs that detach candidates from vessels.
        min_area: mm2 of the smallest candidate before it is grown by a pixel.
        max_candidates: per scope; beyond that the largest stay.
        fill: what a masked candidate is filled with: 'parenchyma', 'floor' or 'mean'.
        screening: of masked copies: 'incremental' (what each can change only) or 'full' (the whole network).
        outline: which outline of the screened object: 'edge', 'compact' or 'eq4', see `selection.choose`.
        batch: slices per call of a network: a matter of memory.
        copies: masked copies per call of the network; 0 takes what suits the device.

    Raises:
        InputError: for a value that no run can have.
    """

    detect: float = 0.5
    contrast: str = "difference"
    sigma: float = 4.0
    tau: float = 0.5
    reach: float = 0.5
    means: tuple[float, ...] = MEANS
    reestimate: bool = False
    beta: float = 0.3
    sweeps: int = 8
    candidates: str = "phases"
    hull_closing: float = 10.0
    hull_part: float = 100.0
    openings: tuple[float, ...] = (1.5, 3.0)
    min_area: float = 4.0
    max_candidates: int = 32
    fill: str = "parenchyma"
    screening: str = "incremental"
    outline: str = "edge"
    batch: int = 8
    copies: int = 0

    def __post_init__(self) -> None:
        for name, wrong, wanted in self._rules():
            if wrong:
                raise InputError(f"config.segment.{name}={getattr(self, name)!r}: {wanted}")

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        for field in dataclasses.fields(self):
            alike = _alike(getattr(self, field.name), field.default)
            yield field.name, not alike, f"must be of the kind of {field.default!r}"
        for name in ("detect", "tau", "reach"):
            yield name, not 0 <= getattr(self, name) <= 1, "must lie between 0 and 1"
        for name in ("sigma", "beta", "hull_closing", "hull_part", "min_area", "copies"):
            yield name, not getattr(self, name) >= 0, "must be at least 0"
        for name in ("sweeps", "max_candidates", "batch"):
            yield name, getattr(self, name) < 1, "must be at least 1"
        ascending = all(a < b for a, b in zip(self.means, self.means[1:]))
        yield "means", len(self.means) < 2 or not ascending, "at least two HU, ascending"
        yield "openings", not self.openings or min(self.openings) < 0, "at least one radius, none below 0"
        for name, choices in CHOICES.items():
            yield name, getattr(self, name) not in choices, f"choose one of {', '.join(choices)}"


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, tuple | list) and all(_alike(part, default[0]) for part in value)
    return isinstance(value, int | float if isinstance(default, float) else type(default))
