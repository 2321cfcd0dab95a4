"""The slices of one synthetic chest: tissue, lungs, vessels, airways, fissures, nodules, in a scanner's appearance."""

from collections.abc import Sequence

import numpy as np

from wsns.data.lidc.annotations import Scan
from wsns.data.synthetic import anatomy, fissures, scanner, vessels
from wsns.data.synthetic import tissue as twin_tissue
from wsns.data.synthetic.lidc_nodules import Nodule
from wsns.data.synthetic.scanner import Appearance

SIZE = 512
AIR, OUTSIDE = -980.0, -2048
LEAF = (0.32, 0.47)
"""mm, radius of a branch that feeds one point, from scan to scan."""
BRANCHES = (2500, 8000)
"""Ends of the vessels in each lung, from scan to scan: log-uniform."""
TEXTURE = (16.0, 32.0)
"""SD of the lung tissue's slow variation, HU, from scan to scan."""
_CELL = 4  # px: smooth anatomy is computed once per cell and interpolated
_ROUND_IMAGE = 0.7  # of the scanners show nothing outside the circle


class Renderer:
    """What the slices of one scan have in common, and how one of them is made."""

    def __init__(
        self, rng: np.random.Generator, scan: Scan, chest: anatomy.Anatomy, blur: float, look: Appearance
    ) -> None:
        """Draws all that is random in a scan but its noise.

        Args:
            rng: the source of chance, also of each slice's noise.
            scan: its geometry.
            chest: the anatomy.
            blur: SD of the scanner's point spread, mm.
            look: noise, sharpness and HU scale of the scan.
        """
        self.rng, self.scan, self.chest, self.blur, self.look = rng, scan, chest, blur, look
        coarse = (np.arange(SIZE // _CELL + 1) * _CELL - (SIZE - 1) / 2 - 0.5) * scan.spacing
        self.x, self.y = coarse[None].astype(np.float32), coarse[:, None].astype(np.float32)
        self.up = _interpolation(SIZE, _CELL)
        self.vessels, self.airways = _tubes(rng, chest)
        self.fissures = fissures.draw(rng)
        columns = (np.arange(SIZE) - (SIZE - 1) / 2)[None] * scan.spacing
        self.rises = fissures.rises(chest, self.fissures, columns)
        self.lung_hu = rng.normal(-878, 14)
        self.texture = rng.uniform(*TEXTURE)
        self.grain = rng.normal(0, 1, (int(np.ptp(scan.z) / 4) + 2, *self.up.shape[1:], self.up.shape[1]))
        radius = np.hypot(*np.ogrid[-255.5:256, -255.5:256])
        round_image = rng.random() < _ROUND_IMAGE
        self.outside = (radius > SIZE / 2) if round_image else np.zeros((SIZE, SIZE), bool)
        planes = max(int(np.ceil(scan.thickness / 1.3)), 1)
        self.planes = ((np.arange(planes) + 0.5) / planes - 0.5) * scan.thickness

    def slice(self, k: int, painted: Sequence[Nodule]) -> np.ndarray:
        """Returns slice k of the scan with its nodules, (512, 512) int16 HU."""
        z = float(self.scan.z[k])
        hu = self._tissue(z)
        distance = anatomy.lung_distance(self.chest, self.x, self.y, z)
        air = vessels.occupancy(self.airways, self.planes + z, self.scan.spacing, SIZE, self.blur)
        if distance.min() < 3:
            inside = np.clip(0.5 - self._up(distance) * np.float32(0.4 / self.blur), 0, 1)
            inside *= inside * (3 - 2 * inside)
            lung = self._parenchyma(z) + self._fissures(z)
            filled = vessels.occupancy(self.vessels, self.planes + z, self.scan.spacing, SIZE, self.blur)
            lung += filled * (np.float32(self.chest.contrast) - lung)
            hu += inside * (lung - hu)
        hu += air * (np.float32(AIR) - hu)
        for nodule in painted:
            nodule.blend(hu, k)
        hu = scanner.develop(self.rng, hu, self.look)
        hu[self.outside] = OUTSIDE
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
        return self._up(self.lung_hu + 0.35 * (self.y - self.chest.centre[1]) + self.texture * grain)

    def _fissures(self, z: float) -> np.ndarray:
        away = self._up(fissures.distance(self.chest, self.fissures, self.x, self.y, z))
        return fissures.DENSITY * fissures.weight(away, self.rises, self.scan.thickness, self.blur)

    def _up(self, coarse: np.ndarray) -> np.ndarray:
        return self.up @ coarse.astype(np.float32) @ self.up.T


def _interpolation(size: int, cell: int) -> np.ndarray:
    """Returns the (size, size / cell + 1) matrix that interpolates linearly between cell corners."""
    position = (np.arange(size) + 0.5) / cell
    return np.maximum(1 - np.abs(position[:, None] - np.arange(size // cell + 1)), 0).astype(np.float32)


def _tubes(rng: np.random.Generator, chest: anatomy.Anatomy) -> tuple[vessels.Capsules, vessels.Capsules]:
    """Returns the vessels (with airway walls, which look the same) and the airways' lumen."""
    trees, airways = [], [_trachea(chest)]
    leaf, branches = rng.uniform(*LEAF), int(np.exp(rng.uniform(*np.log(BRANCHES))))
    for side in (-1, 1):
        points = _points_in_lung(rng, chest, side, branches)
        root = anatomy.hilum(chest, side)
        half = rng.permutation(len(points)) < len(points) // 2
        trees += [
            vessels.grow(rng, points[half], root + [0, -6, 5], leaf),
            vessels.grow(rng, points[~half], root + [0, 0, -14], leaf),
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
    kept = depth > rng.uniform(0, 2, 8 * count)
    return np.stack([x, y, z], axis=1)[kept][:count]
