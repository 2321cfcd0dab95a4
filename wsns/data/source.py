"""The one function that says where volumes come from: the archive or its synthetic twin."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wsns.data.dicom import archive as dicom
from wsns.data.lidc.annotations import Scan
from wsns.data.synthetic import scanner, twin
from wsns.data.volume import Source, Volume


@dataclasses.dataclass(frozen=True)
class TwinSource:
    """Synthetic volumes with the geometry and the nodules of the given scans, as scanners of those looks show it."""

    scans: Mapping[str, Scan]
    seed: int = 0
    looks: scanner.Ranges = scanner.RANDOMISED
    name: str = "LIDC twin"
    packed: tuple[str, ...] = ()
    synthetic: bool = True

    @property
    def series(self) -> tuple[str, ...]:
        """The given scans, in the order of the database."""
        return tuple(self.scans)

    def only(self, series: Iterable[str]) -> "TwinSource":
        """Returns the twin of these scans alone."""
        return dataclasses.replace(self, scans={uid: self.scans[uid] for uid in series})

    def read(self, series: str) -> Volume:
        """Renders the twin of one scan."""
        return twin.render(self.scans[series], seed=self.seed, looks=self.looks)

    def identity(self, series: str) -> str:
        """Returns what settles the twin of a scan."""
        return f"twin {twin.VERSION} of {series}, seed {self.seed}, {self.looks}"

    def notes(self, series: str) -> tuple[str, ...]:
        """Returns nothing: a twin has no faults to handle."""
        return ()


def open_source(
    manual_dir: str,
    scans: Mapping[str, Scan],
    *,
    seed: int = 0,
    looks: scanner.Ranges = scanner.RANDOMISED,
    cache: pathlib.Path | None = None,
    workers: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Source:
    """Opens the archive in a folder, or the synthetic twin.

    Args:
        manual_dir: the folder with the archive's DICOM files; empty for the twin.
        scans: the database's scans by series UID.
        seed: of the twin's random choices.
        looks: of the twin's scanners.
        cache: file that keeps the archive's headers from one run to the next.
        workers: processes that read headers; 0 for one per core.
        progress: wraps the list of the archive's files while their headers are read.

    Raises:
        wsns.errors.InputError: if the folder is missing, unreadable or holds none of the scans.
    """
    if not manual_dir:
        return TwinSource(dict(scans), seed, looks)
    return dicom.open_archive(manual_dir, scans, cache=cache, workers=workers, progress=progress)
