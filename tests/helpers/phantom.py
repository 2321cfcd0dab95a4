"""A chest of ellipses: known lungs, airway, bowel gas and table, for tests of the data stage."""

import dataclasses

import numpy as np

from wsns.data.lidc.annotations import Annotation, Contour, Scan
from wsns.data.volume import Volume

TISSUE, LUNG, AIR = 40, -870, -1000


def volume(z: np.ndarray, spacing: float, side: int = 512, seed: int = 0) -> tuple[Volume, np.ndarray]:
    """Returns a chest CT and its true lungs (Z, Y, X) uint8: 1 at low x, 2 at high x."""
    axis = (np.arange(side) - side / 2 + 0.5) * spacing
    y, x = axis[:, None], axis[None]
    height = (z - z.mean()) / np.ptp(z)  # from -0.5, feet, to 0.5, head
    hu = np.full((len(z), side, side), AIR, np.int16)
    truth = np.zeros(hu.shape, np.uint8)
    body = (x / 165) ** 2 + (y / 110) ** 2 < 1
    table = (abs(y - 125) < 2) & (abs(x) < 150)
    noise = np.random.default_rng(seed).normal(0, 12, (side, side)).astype(np.int16)
    for k, h in enumerate(height):
        plane = hu[k]
        plane[body] = TISSUE
        plane[table] = 300
        reach = max(0.0, 1 - (h / 0.38) ** 2) ** 0.5
        for lung, centre in ((1, -72), (2, 72)):
            inside = ((x - centre) / 52) ** 2 + (y / 80) ** 2 < reach**2
            truth[k][inside] = lung
            plane[inside] = LUNG
        if h > 0.05:
            plane[x**2 + (y - 10) ** 2 < 8**2] = AIR
        elif h > 0.02:
            plane[(abs(x) < 40) & (abs(y - 10) < 6)] = AIR
            truth[k][(abs(x) < 40) & (abs(y - 10) < 6)] = 0
        if h < -0.42:
            plane[(x - 40) ** 2 + (y + 40) ** 2 < 15**2] = AIR
        plane += noise
    return Volume(hu, z, spacing), truth


def square(k: int, i: int, j: int, size: int, inclusion: bool = True) -> Contour:
    """A contour around (size - 1)² pixels whose first is (i + 1, j + 1)."""
    edge = np.arange(size)
    rim = [(i, j + e) for e in edge] + [(i + e, j + size) for e in edge]
    rim += [(i + size, j + size - e) for e in edge] + [(i + size - e, j) for e in edge]
    return Contour(k, inclusion, np.array(rim))


def scan(annotations: list[list[Contour]], slices: int = 20, series: str = "1.2.3") -> Scan:
    """A scan with one annotation per list of contours; 0.7 mm pixels, slices of 2.5 mm."""
    made = tuple(Annotation(n, 5, 5, 3, tuple(contours)) for n, contours in enumerate(annotations))
    return Scan(series, "1.2", "LIDC-IDRI-0001", 0.7, 2.5, np.arange(slices) * 2.5 - 100, made)


@dataclasses.dataclass(frozen=True)
class PhantomSource:
    """The chest above with the geometry of given scans."""

    scans: dict[str, Scan]
    name: str = "phantom"
    packed: tuple[str, ...] = ()
    synthetic: bool = True

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(self.scans)

    def only(self, series: object) -> "PhantomSource":
        return PhantomSource({uid: self.scans[uid] for uid in series})  # type: ignore[attr-defined]

    def read(self, series: str) -> Volume:
        return volume(self.scans[series].z, self.scans[series].spacing)[0]

    def identity(self, series: str) -> str:
        return f"phantom {series}"

    def notes(self, series: str) -> tuple[str, ...]:
        return ()
