"""Both lungs: found in 3-D at about 2.5 mm, outlined at full resolution in the slices that are asked for."""

import dataclasses

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from wsns.data.volume import AIR_HU, Volume
from wsns.errors import InputError

COARSE_MM = 2.6
AIR_BELOW = -400  # halfway between parenchyma and soft tissue
GAS_BELOW = -955  # mean of the inner voxels: gas in the bowel, never parenchyma
MIN_LUNG_ML = 100
MIN_SHARE = 0.1  # of the larger lung
MAX_AIRWAY_ML = 150
AIRWAY_BELOW = (-800, -850, -880, -900, -920, -940, -960, -980)
TRACHEA_MM2 = (60.0, 900.0)
MIN_PART_MM2 = 25.0


@dataclasses.dataclass(frozen=True, eq=False)
class Lungs:
    """The lungs of one scan.

    `coarse` is (z, y, x) uint8: 0, or 1 and 2 for the lung at low and at high x, or 3 for airways (trachea
    and main bronchi, with their walls). One voxel covers `factor` = (slices, pixels, pixels) of the scan;
    `voxel` is its size in mm.
    """

    coarse: np.ndarray
    factor: tuple[int, int, int]
    voxel: tuple[float, float, float]

    @property
    def volumes_ml(self) -> tuple[float, float]:
        """The volumes of lung 1 and lung 2 at the coarse resolution."""
        counts = np.bincount(self.coarse.ravel(), minlength=4) * np.prod(self.voxel) / 1000
        return float(counts[1]), float(counts[2])

    def extent(self, depth: int) -> tuple[range, range, range]:
        """Returns the slices, rows and columns that the lungs span, in a scan of `depth` slices."""
        boxes = ndimage.find_objects(((self.coarse == 1) | (self.coarse == 2)).astype(np.uint8))
        z, y, x = (range(s.start * f, s.stop * f) for s, f in zip(boxes[0], self.factor))
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
        for lung, box in enumerate(ndimage.find_objects(labels, max_label=2), start=1):
            if box is None:
                continue
            air = ndimage.gaussian_filter(hu[box].astype(np.float32), 0.7) < AIR_BELOW
            filled = ndimage.binary_fill_holes(_without_small(air & (labels[box] == lung), least))
            mask[box][filled & (mask[box] == 0)] = lung
        return mask


def segment(volume: Volume) -> Lungs:
    """Finds both lungs, without airways, table or bowel gas.

    Air that the body encloses, less the airways (grown from the trachea until they would leak, after Mori et
    al. 1996), split in two where the lungs touch.

    Raises:
        InputError: if nothing in the scan looks like a lung.
    """
    low, factor, voxel = _coarsen(volume)
    inside = _body(low, voxel) & (low < AIR_BELOW)
    airway = _airway(low, inside, voxel)
    wall = ndimage.binary_dilation(airway, ndimage.generate_binary_structure(3, 1), iterations=1)
    lungs = _lungs(low, inside & ~wall, voxel)
    labels = _left_and_right(lungs, voxel)
    labels[wall & (labels == 0)] = 3
    return Lungs(labels, factor, voxel)


def _coarsen(volume: Volume) -> tuple[np.ndarray, tuple[int, int, int], tuple[float, float, float]]:
    """Returns block means (z, y, x) float32, and the blocks' size in voxels and in mm; air pads the edges."""
    step = float(np.median(np.diff(volume.z)))
    in_plane, slices = (max(1, round(COARSE_MM / size)) for size in (volume.spacing, step))
    depth, rows, columns = volume.hu.shape
    pad = ((0, -rows % in_plane), (0, -columns % in_plane))
    planes = []
    for hu in volume.hu:
        padded = np.pad(hu, pad, constant_values=AIR_HU).astype(np.float32)
        tall = padded.reshape(padded.shape[0] // in_plane, in_plane, -1).sum(axis=1)
        planes.append(sum(tall[:, offset::in_plane] for offset in range(in_plane)) / in_plane**2)
    low = np.stack([np.mean(planes[k : k + slices], axis=0) for k in range(0, depth, slices)])
    size = volume.spacing * in_plane
    return low, (slices, in_plane, in_plane), (step * slices, size, size)


def _body(low: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    """Returns the body with all air in it: the largest tissue once thin things (table) are opened away."""
    disc = _disc(6.0 / voxel[1])[None]
    tissue = _largest(ndimage.binary_opening(low > AIR_BELOW, disc))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in tissue])


def _airway(low: np.ndarray, inside: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    """Grows trachea and main bronchi from a seed, at the highest threshold that does not leak into a lung."""
    airway = np.zeros(low.shape, bool)
    seed = _trachea(low, inside, voxel)
    if seed is None:
        return airway
    for threshold in AIRWAY_BELOW:
        labels, _ = ndimage.label(inside & (low < threshold))
        if labels[seed] == 0:
            continue
        grown = labels == labels[seed]
        if grown.sum() * np.prod(voxel) <= MAX_AIRWAY_ML * 1000:
            return grown
    return airway


def _trachea(
    low: np.ndarray, inside: np.ndarray, voxel: tuple[float, float, float]
) -> tuple[int, int, int] | None:
    """Returns a voxel of the trachea: from the top, the first chain of roundish air near the midline."""
    run = max(2, round(20 / voxel[0]))
    columns = np.nonzero(inside.any(axis=(0, 1)))[0]
    if not len(columns):
        return None
    middle = (columns[0] + columns[-1]) / 2
    previous: list[tuple[np.ndarray, int]] = []
    for k in range(len(low) - 1, -1, -1):
        labels, count = ndimage.label(inside[k] & (low[k] < -750))
        current = []
        for part in range(1, count + 1):
            mask = labels == part
            area = mask.sum() * voxel[1] ** 2
            y, x = np.nonzero(mask)
            near = abs(x.mean() - middle) * voxel[2] < 40
            compact = np.ptp(x) * voxel[2] < 40 and np.ptp(y) * voxel[1] < 40
            if TRACHEA_MM2[0] <= area <= TRACHEA_MM2[1] and near and compact:
                length = 1 + max((n for old, n in previous if (old & mask).any()), default=0)
                if length >= run:
                    y0, x0 = np.unravel_index(np.where(mask, low[k], np.inf).argmin(), mask.shape)
                    return k, int(y0), int(x0)
                current.append((mask, length))
        previous = current
    return None


def _lungs(low: np.ndarray, air: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    """Returns the air that is lung: the largest parts, none of which is pure gas.

    Raises:
        InputError: if no part is large enough.
    """
    labels, count = ndimage.label(air)
    ml = np.bincount(labels.ravel(), minlength=count + 1) * np.prod(voxel) / 1000
    ml[0] = 0
    large = np.flatnonzero(ml >= max(MIN_LUNG_ML, MIN_SHARE * ml.max()))
    core = np.where(ndimage.binary_erosion(air), labels, 0)
    means = ndimage.mean(low, core, large) if len(large) else np.array([])
    kept = [part for part, mean in zip(large, np.nan_to_num(means)) if mean > GAS_BELOW]
    kept = sorted(kept, key=lambda part: -ml[part])[:2]
    if not kept:
        raise InputError("no lung found in the scan: is it a chest CT in Hounsfield units?")
    return np.isin(labels, kept)


def _left_and_right(lungs: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    """Labels the lung at low x 1 and that at high x 2, cutting them apart at their thinnest bridge."""
    box = ndimage.find_objects(lungs.astype(np.uint8))[0]
    inner = np.pad(lungs[box], 1)
    distance = ndimage.distance_transform_edt(inner, voxel)
    for depth in (0, 2, 4, 6, 8, 10, 13, 16, 20):
        labels, count = ndimage.label(distance > depth)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        sizes[0] = 0
        first, second = np.argsort(sizes)[:-3:-1] if count > 1 else (1, 0)
        if sizes[second] > MIN_SHARE * sizes[first]:
            markers = np.select([labels == first, labels == second], [1, 2]).astype(np.int32)
            break
    else:  # one lung only: on its side of the midline
        markers = inner.astype(np.int32)
    split = watershed(-distance, markers, mask=inner)
    centres = [np.nonzero(split == part)[2].mean() if (split == part).any() else np.inf for part in (1, 2)]
    if centres[0] > centres[1] or (np.isinf(centres[1]) and centres[0] + box[2].start > lungs.shape[2] / 2):
        split = np.array([0, 2, 1])[split]
    result = np.zeros(lungs.shape, np.uint8)
    result[box] = split[1:-1, 1:-1, 1:-1]
    return result


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def _without_small(mask: np.ndarray, least: float) -> np.ndarray:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= least)[labels]


def _enlarge(plane: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return plane.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def _disc(radius: float) -> np.ndarray:
    reach = int(radius)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return y**2 + x**2 <= radius**2
