"""Both lungs: found in 3-D at about 2.5 mm, outlined at full resolution in the slices that are asked for."""

import dataclasses
import math

import numpy as np
from scipy import ndimage

from wsns.data.lungs import checks as lung_checks
from wsns.data.lungs.air import left_and_right, lung_air
from wsns.data.lungs.airway import airway
from wsns.data.lungs.chest import AIR_BELOW, at_edge, beyond_field, body, coarsen
from wsns.data.volume import Volume
from wsns.ops.morphology import FOUR, box, filled, grown, large_parts

MIN_PART_MM2 = 25.0
LOST_SHARE = 1 / 3  # of the larger lung's volume; a lung with less does not show where its side ends


@dataclasses.dataclass(frozen=True, eq=False)
class Lungs:
    """The lungs of one scan.

    `coarse` is (z, y, x) uint8: 0, or 1 and 2 for the lung at low and at high x, or 3 for airways (trachea
    and main bronchi, with their walls). One voxel covers `factor` = (slices, pixels, pixels) of the scan;
    `voxel` is its size in mm; `middle` is the coarse column of the body's midline; `cut_mm2` is each lung's
    area at the edge of the field of view, where the scan does not hold it whole.
    """

    coarse: np.ndarray
    factor: tuple[int, int, int]
    voxel: tuple[float, float, float]
    middle: float
    cut_mm2: tuple[float, float]

    @property
    def volumes_ml(self) -> tuple[float, float]:
        """The volumes of lung 1 and lung 2 at the coarse resolution."""
        first, second = (
            int(np.count_nonzero(self.coarse == lung)) * math.prod(self.voxel) / 1000 for lung in (1, 2)
        )
        return first, second

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at: a lung that is missing, cut, small, or shorter than the other one."""
        return lung_checks.warnings(self.coarse, self.voxel, self.middle, self.cut_mm2)

    def extent(self, depth: int) -> tuple[range, range, range]:
        """Returns the slices, rows and columns that the lungs span, in a scan of `depth` slices.

        Where a lung has less than a third of the other's volume, the columns also hold the larger one's
        mirror image at the body's midline, so that a crop centred on them holds both sides of the chest.
        """
        volumes = self.volumes_ml
        both = box((self.coarse == 1) | (self.coarse == 2))
        low, high = [side.start for side in both], [side.stop for side in both]
        if min(volumes) < LOST_SHARE * max(volumes):
            columns = box(self.coarse == 1 + int(np.argmax(volumes)))[2]
            low[2] = min(low[2], math.floor(2 * self.middle - columns.stop))
            high[2] = max(high[2], math.ceil(2 * self.middle - columns.start))
        z, y, x = (range(a * f, b * f) for a, b, f in zip(low, high, self.factor))
        return range(z.start, min(z.stop, depth)), y, x

    def in_slice(self, hu: np.ndarray, k: int) -> np.ndarray:
        """Outlines the lungs in one slice at full resolution.

        Args:
            hu: (Y, X) int16, slice `k` of the scan.
            k: its index.

        Returns:
            (Y, X) uint8: 0, 1, 2; holes (vessels, nodules) are filled, the pleura's bays are not.
        """
        plane = self.coarse[k // self.factor[0]]
        near = ndimage.grey_dilation(np.where(plane == 3, 0, plane), size=(3, 3))
        labels = _enlarge(np.where(plane, plane, near), self.factor[1], hu.shape)
        mask = np.zeros(hu.shape, np.uint8)
        least = MIN_PART_MM2 / (self.voxel[1] / self.factor[1]) ** 2
        for lung, where in enumerate(ndimage.find_objects(labels, max_label=2), start=1):
            if where is None:
                continue
            air = ndimage.gaussian_filter(hu[where].astype(np.float32), 0.7) < AIR_BELOW
            whole = filled(large_parts(air & (labels[where] == lung), least, FOUR))
            mask[where][whole & (mask[where] == 0)] = lung
        return mask


def segment(volume: Volume) -> Lungs:
    """Finds both lungs, without airways, table or bowel gas.

    Air that the body encloses, less the airways, cut in two where the lungs touch.

    Raises:
        wsns.errors.InputError: if nothing in the scan looks like a lung.
    """
    low, factor, voxel = coarsen(volume)
    beyond = beyond_field(low)
    around = body(low, beyond, voxel)
    inside = around & (low < AIR_BELOW)
    near = box(grown(inside))
    low, inside = low[near], inside[near]
    tubes = grown(airway(low, inside, voxel))
    lungs = lung_air(low, inside & ~tubes, voxel)
    middle = _midline(around[near[0]][np.any(lungs, axis=(1, 2))])
    labels = np.zeros(around.shape, np.uint8)
    labels[near] = np.where(tubes, np.uint8(3), left_and_right(lungs, middle - near[2].start, voxel))
    counts = np.bincount(labels[:, at_edge(beyond)].ravel(), minlength=3) * voxel[0] * voxel[1]
    return Lungs(labels, factor, voxel, middle, (float(counts[1]), float(counts[2])))


def _midline(body: np.ndarray) -> float:
    """Returns the column halfway between the body's sides: the median over the planes (z, y, x) given."""
    columns = np.any(body, axis=1)
    first = columns.argmax(axis=1)
    last = columns.shape[1] - 1 - columns[:, ::-1].argmax(axis=1)
    return float(np.median(first + last + 1)) / 2


def _enlarge(plane: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return plane.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]
