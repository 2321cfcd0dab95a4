"""The nodules of the synthetic chest: where the readers drew them, as dense as they scored them."""

import dataclasses

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from wsns.data.lidc.annotations import Cluster, Scan

_MARGIN = (2, 4, 4)
GROUND_GLASS, SOLID = -560.0, 20.0


@dataclasses.dataclass(frozen=True, eq=False)
class Nodule:
    """A painted nodule: (K, I, J) float32 `weight` (0..1) and `hu`, with the box's corner (k, i, j)."""

    origin: tuple[int, int, int]
    weight: np.ndarray
    hu: np.ndarray

    def blend(self, hu: np.ndarray, k: int) -> None:
        """Paints the nodule's part of slice `k` into (Y, X) `hu`; denser tissue stays as it is."""
        level = k - self.origin[0]
        if not 0 <= level < len(self.weight):
            return
        _, i, j = self.origin
        rows, columns = self.weight.shape[1:]
        top, left = max(-i, 0), max(-j, 0)
        view = hu[i + top : i + rows, j + left : j + columns]
        part = np.s_[level, top : top + view.shape[0], left : left + view.shape[1]]
        np.maximum(view, view + self.weight[part] * (self.hu[part] - view), out=view)


def place(scan: Scan, cluster: Cluster) -> tuple[np.ndarray, float]:
    """Returns the centre (x, y, z) and the radius of the mean reader's mask, mm.

    x and y count from the middle of a 512 x 512 image.
    """
    mean = cluster.masks.mean(axis=0)
    weights = mean if mean.any() else np.ones_like(mean)
    k, i, j = (np.average(g, weights=weights) for g in np.indices(mean.shape))
    z = np.interp(cluster.origin[0] + k, np.arange(len(scan.z)), scan.z)
    x, y = ((c + o - 255.5) * scan.spacing for c, o in ((j, cluster.origin[2]), (i, cluster.origin[1])))
    area = mean.sum(axis=(1, 2)).max() * scan.spacing**2
    return np.array([x, y, z]), float(np.sqrt(max(area, 1.0) / np.pi))


def paint(rng: np.random.Generator, scan: Scan, cluster: Cluster, blur: float) -> Nodule:
    """Makes a nodule from the readers' masks and texture scores.

    The mean of the masks is blurred as everything else in the slice is, and between slices by their
    thickness. Readers draw around the visible edge, so that half of the blurred edge is lung: only what
    stands out of it is filled, which is also why small nodules are dark.

    Args:
        rng: the source of chance.
        scan: for the spacing.
        cluster: one nodule.
        blur: SD of the scanner's point spread, mm.
    """
    mean = np.pad(cluster.masks.mean(axis=0, dtype=np.float32), [(m, m) for m in _MARGIN])
    gap = float(np.median(np.diff(scan.z)))
    across = np.hypot(blur / scan.spacing, 0.6)
    spread = (np.hypot(0.6, 0.36 * scan.thickness) / gap, across, across)
    soft = gaussian_filter(mean, spread, truncate=2.5)
    subtlety = float(np.median([a.subtlety for a in cluster.annotations]))
    weight = np.clip((soft - 0.22) / 0.78, 0, 1) * (0.65 + 0.07 * subtlety)
    texture = float(np.median([a.texture for a in cluster.annotations]))
    grain = gaussian_filter(rng.normal(size=mean.shape).astype(np.float32), (0.5, 1.5, 1.5))
    grain /= grain.std() + 1e-6
    hu = _density(mean > 0.5, texture, (gap, scan.spacing, scan.spacing))
    hu += grain * np.where(hu < -200, 45, 15)
    origin = tuple(o - m for o, m in zip(cluster.origin, _MARGIN))
    return Nodule((origin[0], origin[1], origin[2]), weight, hu.astype(np.float32))


def _density(mask: np.ndarray, texture: float, spacing: tuple[float, float, float]) -> np.ndarray:
    """Returns the HU before partial volume: 1 is ground glass, 3 has a solid core, 5 is solid."""
    around = np.interp(texture, [1, 2, 3, 4, 5], [GROUND_GLASS, GROUND_GLASS, -480, -120, SOLID])
    inside = np.interp(texture, [1, 2, 3, 4, 5], [GROUND_GLASS, -400, 0, SOLID, SOLID])
    depth = distance_transform_edt(mask, sampling=spacing)
    core = np.clip((depth - 0.35 * depth.max()) / (0.25 * depth.max() + 0.5), 0, 1)
    return around + core * (inside - around)
