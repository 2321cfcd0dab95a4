"""CT volumes, and the one function that says where they come from: the archive or its synthetic twin."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from wsns.data.annotations import Scan

AIR_HU = -1024


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """One CT scan, slices by ascending z.

    `hu` is (Z, Y, X) int16 in Hounsfield units, `z` (Z,) float in mm, `spacing` the pixel spacing in mm.
    """

    hu: np.ndarray
    z: np.ndarray
    spacing: float


class Source(Protocol):
    """Volumes by series UID; picklable, so that a worker process gets its own copy."""

    @property
    def name(self) -> str:
        """What the volumes are, as reports print it."""
        ...

    @property
    def series(self) -> tuple[str, ...]:
        """The series UIDs that `read` accepts, in the order of the database."""
        ...

    def only(self, series: Iterable[str]) -> "Source":
        """Returns the source of these series alone, having checked what can be checked without pixels.

        Raises:
            wsns.errors.InputError: if one of them is not one complete axial scan.
        """
        ...

    def read(self, series: str) -> Volume:
        """Returns the volume of one series.

        Raises:
            wsns.errors.InputError: if its files cannot be read.
        """
        ...


@dataclasses.dataclass(frozen=True)
class TwinSource:
    """Synthetic volumes with the geometry and the nodules of the given scans."""

    scans: Mapping[str, Scan]
    seed: int = 0
    name: str = "LIDC twin"

    @property
    def series(self) -> tuple[str, ...]:
        """The given scans, in the order of the database."""
        return tuple(self.scans)

    def only(self, series: Iterable[str]) -> "TwinSource":
        """Returns the twin of these scans alone."""
        return dataclasses.replace(self, scans={uid: self.scans[uid] for uid in series})

    def read(self, series: str) -> Volume:
        """Renders the twin of one scan."""
        from wsns.data import twin  # only here: users of the archive need no renderer

        return twin.render(self.scans[series], seed=self.seed)


def open_source(
    manual_dir: str,
    scans: Mapping[str, Scan],
    seed: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Source:
    """Opens the archive in a folder, or the synthetic twin.

    Args:
        manual_dir: the folder with the archive's DICOM files; empty for the twin.
        scans: the database's scans by series UID.
        seed: of the twin's random choices.
        progress: wraps the list of the archive's files while their headers are read.

    Raises:
        wsns.errors.InputError: if the folder is missing, unreadable or holds none of the scans.
    """
    if not manual_dir:
        return TwinSource(dict(scans), seed)
    from wsns.data import dicom  # only here: needs SimpleITK and pydicom

    return dicom.open_archive(manual_dir, scans, progress)
