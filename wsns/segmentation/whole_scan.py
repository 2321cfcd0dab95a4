"""A whole scan through the method: crops that hold both lungs, slice by slice, and what was found put back in place."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from wsns.data.lungs.masks import Lungs
from wsns.data.records.extract import centred, crop
from wsns.data.records.neighbours import nearest
from wsns.data.volume import AIR_HU, Volume
from wsns.segmentation import pipeline
from wsns.segmentation.nodules import Piece
from wsns.segmentation.results import SliceResult

OVERLAP_MM = 40.0
"""How far crops reach into each other: a nodule of 30 mm lies whole in one of them, with some lung around it."""


@dataclasses.dataclass(frozen=True)
class Crops:
    """Where a scan is searched: slices `span`, and the corners (row, column) of square crops of `size` pixels."""

    span: range
    corners: tuple[tuple[int, int], ...]
    size: int


@dataclasses.dataclass(frozen=True, eq=False)
class Searched:
    """What was found in a scan (Z, Y, X).

    `pieces`: of all slices and crops; `probabilities`: (Z,) of the slices, the highest of their crops, NaN where none
    was read; `nam`: (Z, Y, X) float32, of the variant that outlines, 0 where none was read; `lungs`: (Z, Y, X) uint8.
    """

    pieces: tuple[Piece, ...]
    probabilities: np.ndarray
    nam: np.ndarray
    lungs: np.ndarray


Scores = Callable[[SliceResult], Mapping[str, float]]
"""What a slice's result is scored by; empty where nothing was found."""
Method = Callable[[pipeline.Slices], Iterator[SliceResult]]
"""Networks, screening and options, ready to search slices."""


def choose_crops(lungs: Lungs, shape: tuple[int, int, int], size: int, pixel: float) -> Crops:
    """Returns crops that together hold both lungs: one, centred on them, where that is enough.

    Args:
        lungs: of the scan.
        shape: of the scan (Z, Y, X).
        size: pixels of a crop.
        pixel: mm.
    """
    span, rows, columns = lungs.extent(shape[0])
    overlap = min(math.ceil(OVERLAP_MM / pixel), size // 2)
    corners = [(y, x) for y in starts(rows, size, overlap) for x in starts(columns, size, overlap)]
    return Crops(span, tuple(corners), size)


def starts(span: range, size: int, overlap: int) -> list[int]:
    """Returns where crops of `size` pixels begin that hold a span, each reaching `overlap` pixels into the next."""
    length = span.stop - span.start
    if length <= size:
        return [centred(span, size)]
    count = math.ceil((length - overlap) / (size - overlap))
    return [round(start) for start in np.linspace(span.start, span.stop - size, count)]


def search(
    volume: Volume,
    lungs: Lungs,
    crops: Crops,
    method: Method,
    scores: Scores,
    *,
    gaps: int,
    neighbours: float,
    done: Callable[[int], object] = lambda count: None,
) -> Searched:
    """Searches all slices of a scan that hold lung.

    Args:
        volume: of the scan.
        lungs: in it.
        crops: where.
        method: searches slices.
        scores: of a slice's result.
        gaps: the variant whose fine outline is taken.
        neighbours: mm to the slices below and above that the networks see; 0 for none.
        done: is told of slices as they are searched.
    """
    masks = np.zeros(volume.hu.shape, np.uint8)
    for k in crops.span:
        masks[k] = lungs.in_slice(volume.hu[k], k)
    pieces: list[Piece] = []
    probabilities = np.full(len(volume.hu), np.nan)
    nam = np.zeros(volume.hu.shape, np.float32)
    for corner in crops.corners:
        inside = [k for k in crops.span if crop(masks[k], corner, crops.size, 0).any()]
        if not inside:
            continue
        results = method(slices_of(volume, masks, inside, corner, crops.size, neighbours))
        for k, result in zip(inside, results, strict=True):
            probabilities[k] = np.fmax(probabilities[k], result.probabilities[1])
            _put(nam[k], result.nams[gaps], corner)
            if own := scores(result):
                pieces.append(Piece(k, corner, result.fine(gaps), own))
            done(1)
    return Searched(tuple(pieces), probabilities, nam, masks)


def slices_of(
    volume: Volume,
    masks: np.ndarray,
    inside: Sequence[int],
    corner: tuple[int, int],
    size: int,
    neighbours: float,
) -> pipeline.Slices:
    """Returns crops of slices as the method takes them: of each one nodule is sought.

    Args:
        volume: of the scan.
        masks: (Z, Y, X) uint8, its lungs.
        inside: which slices.
        corner: (row, column) of the crop.
        size: of the crop.
        neighbours: mm to the slices that go with each; 0 for none.
    """
    hu = np.stack([crop(volume.hu[k], corner, size, AIR_HU) for k in inside])
    lungs = np.stack([crop(masks[k], corner, size, 0) for k in inside])
    beside = None
    if neighbours:
        pairs = [nearest(volume.z, k, neighbours) for k in inside]
        beside = np.stack([[crop(volume.hu[n], corner, size, AIR_HU) for n in pair] for pair in pairs])
    spacing = np.full(len(inside), volume.spacing)
    return pipeline.Slices(hu, lungs, spacing, np.ones(len(inside), int), beside)


def _put(plane: np.ndarray, values: np.ndarray, corner: tuple[int, int]) -> None:
    """Puts a crop's values back into its slice, where they are higher than what another crop put there."""
    low = np.maximum(corner, 0)
    high = np.maximum(np.minimum(np.add(corner, values.shape), plane.shape), low)
    there = plane[low[0] : high[0], low[1] : high[1]]
    inside = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
    np.copyto(there, np.where(there == 0, values[inside], np.maximum(there, values[inside])))
