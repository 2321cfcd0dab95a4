"""CT volumes, and what a source of them must offer."""

import dataclasses
from collections.abc import Iterable
from typing import Protocol

import numpy as np

AIR_HU = -1024


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """One CT scan, slices by ascending z.

    `hu` is (Z, Y, X) int16 in Hounsfield units, `z` (Z,) float in mm, `spacing` the pixel spacing in mm. `right` says
    on which side of a slice the patient's right is: 'left', or 'right' where rows run from the patient's left. `notes`
    is what was handled in its pixels and must be told, each a sentence.
    """

    hu: np.ndarray
    z: np.ndarray
    spacing: float
    right: str = "left"
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Volumes by series UID; picklable, so that a worker process gets its own copy."""

    @property
    def name(self) -> str:
        """What the volumes are, as reports print it."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether the volumes were rendered: what is measured on them is no result on real scans."""
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

    def identity(self, series: str) -> str:
        """Returns a text that changes when the volume of this series may have changed."""
        ...

    @property
    def packed(self) -> tuple[str, ...]:
        """Packed files beside the scans, as messages name them: what they hold is not seen."""
        ...

    def notes(self, series: str) -> tuple[str, ...]:
        """Returns what was handled in this series and must be told, each a sentence."""
        ...
