"""What the page of a searched scan shows, and the nodules in it."""

import dataclasses

import numpy as np

from wsns.export.volumes import colour
from wsns.report import scan_pictures


@dataclasses.dataclass(frozen=True, eq=False)
class ScanView:
    """What the page shows of a scan: axial slices, feet first, rows to the back, columns to the patient's left.

    Attributes:
        hu: (Z, Y, X) int16.
        z: (Z,) mm.
        spacing: mm per pixel.
        labels: (Z, Y, X) uint16, 0 or a nodule's number from 1, the likeliest first.
        lungs: (Z, Y, X) uint8, 0 outside of them.
        nam: (Z, Y, X) float32, the nodule activation map, 0 where none was read.
        probabilities: (Z,) of a nodule in each slice, NaN where none was searched.
    """

    hu: np.ndarray
    z: np.ndarray
    spacing: float
    labels: np.ndarray
    lungs: np.ndarray
    nam: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class Nodule:
    """A nodule: its number, its colour and one that shows beside it (`ink`), the slice (from 0) where it is largest,
    and where it lies in the scan (`box`).
    """

    number: int
    colour: str
    ink: str
    largest: int
    box: tuple[slice, ...]


def nodules(view: ScanView) -> list[Nodule]:
    """Returns the nodules of a scan's labels, by number."""
    places = scan_pictures.boxes(view.labels)
    most = scan_pictures.largest(view.labels, places)
    colours = {number: hexadecimal(number) for number in places}
    return [Nodule(n, colours[n], _ink(colours[n]), most[n], places[n]) for n in places]


def hexadecimal(number: int) -> str:
    """Returns the colour of a nodule, by its number from 1, as its segment in `nodules.seg.nrrd` has it."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour(number - 1))


def minus(words: str) -> str:
    """Returns a text with numbers in it that have a true minus sign."""
    return words.replace("-", "−")


def _ink(ground: str) -> str:
    """Returns black or white, whichever differs more from a ground."""
    red, green, blue = ((int(ground[n : n + 2], 16) / 255) ** 2.2 for n in (1, 3, 5))
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#fff"
