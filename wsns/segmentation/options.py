"""The thresholds of the method, in one place."""

import dataclasses

from wsns.segmentation.icm import MEANS


@dataclasses.dataclass(frozen=True)
class Options:
    """Every threshold of the method.

    Attributes:
        sigma: pixels of the Gaussian that smooths a NAM before its blobs are sought.
        tau: share of the NAM's maximum in the hull that a blob's pixels exceed.
        reach: share of a multi-GAP NAM's maximum in the slice that a peak inside C1 must reach to count.
        means: HU of the phases, ascending.
        beta: weight of the boundary in the phases' energy.
        sweeps: most sweeps of the ICM.
        hull_closing: mm, radius of the disc that closes the lungs.
        hull_part: mm2, smaller parts of a lung are left out of the hull.
        openings: pixels, radii of the discs that detach candidates from vessels.
        min_area: mm2 of the smallest candidate before it is grown by a pixel.
        max_candidates: per scope; beyond that the largest stay.
        fill: what a masked candidate is filled with: 'parenchyma', 'floor' or 'mean'.
        outline: which outline of the screened object: 'compact' or 'eq4'.
        batch: slices, or masked copies, per call of a network: a matter of memory.
    """

    sigma: float = 4.0
    tau: float = 0.5
    reach: float = 0.5
    means: tuple[float, ...] = MEANS
    beta: float = 0.3
    sweeps: int = 8
    hull_closing: float = 10.0
    hull_part: float = 100.0
    openings: tuple[float, ...] = (1.5, 3.0)
    min_area: float = 4.0
    max_candidates: int = 32
    fill: str = "parenchyma"
    outline: str = "compact"
    batch: int = 32
