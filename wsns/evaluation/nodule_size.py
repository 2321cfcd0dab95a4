"""How large a nodule is, and where: in mm, as radiologists measure it."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, distance


@dataclasses.dataclass(frozen=True)
class Measured:
    """A nodule's measures.

    `centre`: of its voxels, as x, y, z indices of the axial slices, fractions between them; `slices`: the first and
    the last; `volume_mm3`; `long_axis_mm`: the longest distance in the slice where that is longest; `short_axis_mm`:
    the extent at right angles to it there; `mean_hu`; `cut`: it touches the edge of the scan.
    """

    centre: tuple[float, float, float]
    slices: tuple[int, int]
    volume_mm3: float
    long_axis_mm: float
    short_axis_mm: float
    mean_hu: float
    cut: bool

    @property
    def mean_axis_mm(self) -> int:
        """The mean of both axes, rounded to whole mm as the Fleischner Society's guidelines have it (half up)."""
        return int((self.long_axis_mm + self.short_axis_mm) / 2 + 0.5)


def measure(labels: np.ndarray, hu: np.ndarray, *, step: float, pixel: float) -> list[Measured]:
    """Measures each nodule of a scan.

    Args:
        labels: (Z, Y, X), 0 or a nodule's number from 1; none is missing.
        hu: (Z, Y, X).
        step: mm between slices.
        pixel: mm.
    """
    measured = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = labels[box] == number
        corner = np.array([side.start for side in box])
        z, y, x = np.argwhere(mask).mean(axis=0) + corner
        long, short = max(_axes(mask), default=(0.0, 0.0))
        ends = [(side.start, side.stop) for side in box]
        measured.append(
            Measured(
                (float(x), float(y), float(z)),
                (box[0].start, box[0].stop - 1),
                float(np.count_nonzero(mask) * step * pixel**2),
                pixel * long,
                pixel * short,
                float(hu[box][mask].mean()),
                any(low == 0 or high == size for (low, high), size in zip(ends, labels.shape, strict=True)),
            )
        )
    return measured


def _axes(mask: np.ndarray) -> Iterator[tuple[float, float]]:
    """Yields for each slice of a mask (Z, Y, X) its longest distance and the extent at right angles, in pixels."""
    for plane in mask:
        pixels = np.argwhere(plane)
        if len(pixels):
            # A pixel is a square: its corners count, not its middle.
            corners = (pixels[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).reshape(-1, 2)
            outer = corners[ConvexHull(corners).vertices].astype(float)
            apart = distance.cdist(outer, outer)
            a, b = np.unravel_index(apart.argmax(), apart.shape)
            along = (outer[b] - outer[a]) / apart[a, b]
            across = outer @ np.array([-along[1], along[0]])
            yield float(apart[a, b]), float(np.ptp(across))
