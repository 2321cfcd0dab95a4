"""The LIDC twin: a synthetic CT with the geometry of a real scan and nodules where its readers drew them.

Nothing in it comes from an image: anatomy, vessels and noise are drawn at random from the series UID, so
that the whole path runs, and can be checked, without the archive's 128 GB. It is a crude phantom, not a
model of disease; every figure made from it must say so.
"""

import hashlib

import numpy as np

from wsns.data.readers.annotations import Scan, cluster
from wsns.data.twin import anatomy, nodules, vessels
from wsns.data.twin import fit as twin_fit
from wsns.data.twin import tissue as twin_tissue
from wsns.data.volume import Volume

VERSION = 2
SIZE = 512
LEAF = (
    0.32  # mm, radius of a branch that feeds one point; it settles how many round sections look like nodules
)
_CELL = 4  # px: smooth anatomy is computed once per cell and interpolated


def render(scan: Scan, *, seed: int = 0) -> Volume:
    """Renders the synthetic volume of one scan.

    Args:
        scan: geometry and annotations; every reader's nodule is painted.
        seed: another seed gives another chest and noise around the same nodules.

    Returns:
        A volume with the scan's z and spacing; the same for the same series UID, seed and `VERSION`.
    """
    rng = np.random.default_rng(_entropy(scan.series, seed))
    groups = cluster(scan)
    places = [nodules.place(scan, group) for group in groups]
    centres = np.array([centre for centre, _ in places]).reshape(-1, 3)
    at_pleura = rng.random(len(places)) < 0.2
    depths = np.where(at_pleura, 0.7, 1.3) * [radius for _, radius in places]
    chest = twin_fit.draw(rng, scan.z, SIZE * scan.spacing, centres, np.minimum(depths, 18.0))
    blur = rng.uniform(0.45, 0.75)
    painted = [nodules.paint(rng, scan, group, blur) for group in groups]
    renderer = _Renderer(rng, scan, chest, blur)
    hu = np.empty((len(scan.z), SIZE, SIZE), np.int16)
    for k in range(len(scan.z)):
        hu[k] = renderer.slice(k, painted)
    return Volume(hu=hu, z=scan.z, spacing=scan.spacing)


def _entropy(series: str, seed: int) -> int:
    text = f"wsns twin {VERSION} {series} {seed}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


class _Renderer:
    """What the slices of one scan have in common, and how one of them is made."""

    def __init__(self, rng: np.random.Generator, scan: Scan, chest: anatomy.Anatomy, blur: float) -> None:
        self.rng, self.scan, self.chest, self.blur = rng, scan, chest, blur
        coarse = (np.arange(SIZE // _CELL + 1) * _CELL - (SIZE - 1) / 2 - 0.5) * scan.spacing
        self.x, self.y = coarse[None].astype(np.float32), coarse[:, None].astype(np.float32)
        self.up = _interpolation(SIZE, _CELL)
        self.vessels, self.airways = _tubes(rng, chest)
        self.lung_hu = rng.normal(-878, 14)
        self.grain = rng.normal(0, 1, (int(np.ptp(scan.z) / 4) + 2, *self.up.shape[1:], self.up.shape[1]))
        self.noise = float(np.exp(rng.uniform(np.log(10), np.log(35))))
        self.correlation = rng.choice([0.0, rng.uniform(0.1, 0.25)], p=[0.3, 0.7])
        radius = np.hypot(*np.ogrid[-255.5:256, -255.5:256])
        self.outside = (radius > SIZE / 2) if rng.random() < 0.7 else np.zeros((SIZE, SIZE), bool)
        planes = max(int(np.ceil(scan.thickness / 1.3)), 1)
        self.planes = ((np.arange(planes) + 0.5) / planes - 0.5) * scan.thickness

    def slice(self, k: int, painted: list[nodules.Nodule]) -> np.ndarray:
        """Returns slice k, (512, 512) int16 HU."""
        z = float(self.scan.z[k])
        hu = self._tissue(z)
        distance = anatomy.lung_distance(self.chest, self.x, self.y, z)
        air = vessels.occupancy(self.airways, self.planes + z, self.scan.spacing, SIZE, self.blur)
        if distance.min() < 3:
            inside = np.clip(0.5 - self._up(distance) * np.float32(0.4 / self.blur), 0, 1)
            inside *= inside * (3 - 2 * inside)
            lung = self._parenchyma(z)
            filled = vessels.occupancy(self.vessels, self.planes + z, self.scan.spacing, SIZE, self.blur)
            lung += filled * (np.float32(self.chest.contrast) - lung)
            hu += inside * (lung - hu)
        hu += air * (np.float32(-980) - hu)
        for nodule in painted:
            nodule.blend(hu, k)
        hu += self._noise()
        hu[self.outside] = -2048
        return np.clip(np.rint(hu), -2048, 3071).astype(np.int16)

    def _tissue(self, z: float) -> np.ndarray:
        body = anatomy.body_distance(self.chest, self.x, self.y, z)
        hu = twin_tissue.tissue(self.chest, self.x, self.y, z, body)
        bed = self.chest.centre[1] + self.chest.half[1] + self.chest.wall[1] + 9
        table = np.abs(self.y - bed - 8 + self.x**2 / 2200) - 1.5
        return self._up(np.where((table < 1.5) & (body > 2), np.maximum(hu, -100 - 300 * table), hu))

    def _parenchyma(self, z: float) -> np.ndarray:
        level = (z - self.scan.z[0]) / 4
        low = int(level)
        grain = self.grain[low] + (level - low) * (self.grain[low + 1] - self.grain[low])
        return self._up(self.lung_hu + 0.35 * (self.y - self.chest.centre[1]) + 14 * grain)

    def _noise(self) -> np.ndarray:
        white = self.rng.standard_normal((SIZE + 2, SIZE + 2), np.float32)
        a = np.float32(self.correlation)
        white = white[1:-1] + a * (white[:-2] + white[2:])
        white = white[:, 1:-1] + a * (white[:, :-2] + white[:, 2:])
        return white * np.float32(self.noise / (1 + 2 * a * a))

    def _up(self, coarse: np.ndarray) -> np.ndarray:
        return self.up @ coarse.astype(np.float32) @ self.up.T


def _interpolation(size: int, cell: int) -> np.ndarray:
    """Returns the (size, size / cell + 1) matrix that interpolates linearly between cell corners."""
    position = (np.arange(size) + 0.5) / cell
    return np.maximum(1 - np.abs(position[:, None] - np.arange(size // cell + 1)), 0).astype(np.float32)


def _tubes(rng: np.random.Generator, chest: anatomy.Anatomy) -> tuple[vessels.Capsules, vessels.Capsules]:
    """Returns the vessels (with airway walls, which look the same) and the airways' lumen."""
    trees, airways = [], [_trachea(chest)]
    for side in (-1, 1):
        points = _points_in_lung(rng, chest, side, 3000)
        root = anatomy.hilum(chest, side)
        half = rng.permutation(len(points)) < len(points) // 2
        trees += [
            vessels.grow(rng, points[half], root + [0, -6, 5], LEAF),
            vessels.grow(rng, points[~half], root + [0, 0, -14], LEAF),
        ]
        ends = points[rng.permutation(len(points))[:40]]
        middle = np.array([root[0] + side * 30, root[1], root[2]])
        airways.append(vessels.grow(rng, middle + 0.75 * (ends - middle), root, 0.62))
    lumen = vessels.join(airways)
    walls = lumen.widened(0.4 + 0.12 * lumen.radius, 880 / (880 + chest.contrast))
    return vessels.join([*trees, walls]), lumen


def _trachea(chest: anatomy.Anatomy) -> vessels.Capsules:
    """Returns windpipe and main bronchi down to the lung roots."""
    x, y = chest.centre
    height = chest.apex - chest.base
    y += anatomy.spine_y(chest) - 40
    top, fork = [x, y - 12, chest.apex + 120], [x, y - 4, chest.base + 0.63 * height]
    ends = [anatomy.hilum(chest, side) for side in (-1, 1)]
    return vessels.tubes(np.array([top, fork, fork]), np.array([fork, *ends]), np.array([8.5, 6.5, 6.0]))


def _points_in_lung(rng: np.random.Generator, chest: anatomy.Anatomy, side: int, count: int) -> np.ndarray:
    """Draws points in one lung, fewer towards the pleura."""
    x = chest.centre[0] + side * rng.uniform(0, chest.half[0], 8 * count)
    y = chest.centre[1] + rng.uniform(-1, 1, 8 * count) * chest.half[1]
    z = rng.uniform(chest.base, chest.apex, 8 * count)
    depth = -anatomy.lung_distance(chest, x, y, z)
    kept = depth > rng.uniform(0, 4, 8 * count)
    return np.stack([x, y, z], axis=1)[kept][:count]
