"""What the method found in a slice, with all intermediate steps."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """One scope of one variant and what was found in it.

    `first` (S, S) bool is C1, in which Eq. 4 sums; `scope` (S, S) bool is where the candidates lie.
    `candidates` is (M, S, S) bool, the largest first; `scores` (M,) follows Eq. 4, minus infinity before the
    screening; `chosen` is the index of the result, None where there is no candidate. `cut` candidates were
    left out as too many.
    """

    first: np.ndarray
    scope: np.ndarray
    candidates: np.ndarray
    cut: int
    scores: np.ndarray
    chosen: int | None

    @property
    def coarse(self) -> np.ndarray:
        """(S, S) bool: the union of the candidates, without screening."""
        return np.any(self.candidates, axis=0, out=np.zeros_like(self.scope))

    @property
    def fine(self) -> np.ndarray:
        """(S, S) bool: the screened candidate; empty where there is none."""
        return np.zeros_like(self.scope) if self.chosen is None else self.candidates[self.chosen]


@dataclasses.dataclass(frozen=True, eq=False)
class SliceResult:
    """What the method says about one slice.

    `nams` holds the NAM (S, S) float32 by number of GAPs, `labels` (S, S) int8 the phases, `hull` (S, S) bool
    the closed lungs, and `regions`, by number of GAPs, one region per nodule sought. `whole_lung`: the 1-GAP
    NAM is nowhere positive in the hull, which therefore is the scope.
    """

    nams: dict[int, np.ndarray]
    labels: np.ndarray
    hull: np.ndarray
    regions: dict[int, tuple[Region, ...]]
    whole_lung: bool

    def coarse(self, gaps: int) -> np.ndarray:
        """Returns the coarse mask (S, S) bool of a variant, all its nodules united."""
        return np.logical_or.reduce([region.coarse for region in self.regions[gaps]])

    def fine(self, gaps: int) -> np.ndarray:
        """Returns the fine mask (S, S) bool of a variant, all its nodules united."""
        return np.logical_or.reduce([region.fine for region in self.regions[gaps]])

    @property
    def cut(self) -> int:
        """How many candidates were left out, over all regions."""
        return sum(region.cut for regions in self.regions.values() for region in regions)
