"""What the method found in a slice, with all intermediate steps."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """One scope of one variant and what was found in it.

    `first` (S, S) bool is C1, in which Eq. 4 sums; `scope` (S, S) bool is where the candidates lie.
    `candidates` is (M, S, S) bool, the largest first; `fill` (M,) the HU that replace each in its masked copy;
    `edges` (M,) is how steep the HU are along each, in HU per pixel;
    `scores` (M,) follows Eq. 4, minus infinity before the screening; `chosen` is the index of the result, None
    where there is no candidate. `cut` candidates were left out as too many.
    """

    first: np.ndarray
    scope: np.ndarray
    candidates: np.ndarray
    cut: int
    fill: np.ndarray
    edges: np.ndarray
    scores: np.ndarray
    chosen: int | None = None

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

    By number of GAPs, `probabilities` holds the nodule's, `nams` the NAM (S, S) float32, and `regions` one region
    per nodule sought; none where the slice is not `detected`. Where it is, `labels` (S, S) int8 are the phases, all 0
    if the candidates stand on none, and `hull` (S, S) bool the closed lungs. `whole_lung`: the 1-GAP NAM is nowhere
    positive in the hull, which therefore is the scope.
    """

    probabilities: dict[int, float]
    nams: dict[int, np.ndarray]
    detected: bool
    labels: np.ndarray | None = None
    hull: np.ndarray | None = None
    regions: dict[int, tuple[Region, ...]] = dataclasses.field(default_factory=dict)
    whole_lung: bool = False

    def coarse(self, gaps: int) -> np.ndarray:
        """Returns the coarse mask (S, S) bool of a variant, all its nodules united."""
        return self._united([region.coarse for region in self.regions.get(gaps, ())])

    def fine(self, gaps: int) -> np.ndarray:
        """Returns the fine mask (S, S) bool of a variant, all its nodules united."""
        return self._united([region.fine for region in self.regions.get(gaps, ())])

    @property
    def cut(self) -> int:
        """How many candidates were left out, over all regions."""
        return sum(region.cut for regions in self.regions.values() for region in regions)

    def _united(self, masks: list[np.ndarray]) -> np.ndarray:
        return np.any(masks, axis=0) if masks else np.zeros(self.nams[1].shape, bool)
