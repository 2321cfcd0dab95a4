"""One chest CT through the method: its nodules in 3-D, with their scores and measures."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from wsns.data.images.ct import ChestCT
from wsns.data.lungs import masks as lungs
from wsns.errors import InputError
from wsns.evaluation.mark_scores import SCORES, result_scores
from wsns.evaluation.nodule_size import Measured, measure
from wsns.segmentation.nodules import join
from wsns.segmentation.whole_scan import Method, choose_crops, search

COLUMNS = (
    "nodule", "score", "x_mm", "y_mm", "z_mm", "slice_first", "slice_last", "volume_mm3", "long_axis_mm",
    "short_axis_mm", "mean_axis_mm", "mean_hu", "side", "cut_by_edge", "sop_first", "sop_last",
)  # fmt: skip
"""Of a nodule's row. Its centre is in LPS; slices are counted from 1 at the feet; `sop_…` are the SOP UIDs of the first
and the last slice of a DICOM series."""
LIDC_PIXEL_MM = (0.45, 1.0)
LIDC_THICKEST_MM = 5.0
NEAR_MM = 10.0
"""How far from a nodule the lung is looked for that it lies in."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """What counts as a nodule.

    Attributes:
        score: which of `wsns.evaluation.mark_scores.SCORES` ranks nodules.
        least: score from which on one counts.
        smallest: mm, the diameter of a ball of its volume.

    Raises:
        InputError: for a value that can't be.
    """

    score: str
    least: float
    smallest: float

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise InputError(f"config.predict.score={self.score!r}: choose one of {', '.join(SCORES)}")
        if math.isnan(self.least):
            raise InputError("config.predict.least=nan: must be a number")
        if not 0 <= self.smallest < 100:
            raise InputError(
                f"config.predict.smallest={self.smallest:g}: must be a diameter in mm, 0 or more"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What was found in a scan; all arrays are axial slices, feet first, rows to the back, columns to the left.

    Attributes:
        ct: the scan, with `ct.volume.hu` (Z, Y, X) int16 and `ct.volume.z` (Z,) mm.
        labels: (Z, Y, X) uint16, 0 or a nodule's number from 1, the likeliest first.
        lungs: (Z, Y, X) uint8: 1 right, 2 left lung.
        nam: (Z, Y, X) float32, the nodule activation map of most GAPs, 0 where none was read.
        probabilities: (Z,) of a nodule in each slice, NaN where none was searched.
        measured: of each nodule, see `wsns.evaluation.nodule_size.Measured`.
        nodules: a row for each, by `COLUMNS`.
        warnings: what a person should know, each a sentence.
    """

    ct: ChestCT
    labels: np.ndarray
    lungs: np.ndarray
    nam: np.ndarray
    probabilities: np.ndarray
    measured: tuple[Measured, ...]
    nodules: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]


def predict_scan(
    ct: ChestCT,
    method: Method,
    rules: Rules,
    *,
    gaps: int,
    crop: int,
    neighbours: float,
    progress: Callable[[int], Callable[[int], object]] = lambda total: lambda count: None,
) -> Prediction:
    """Searches a scan.

    Args:
        ct: the scan.
        method: networks, screening and thresholds.
        rules: what counts as a nodule.
        gaps: of the variant whose outline is taken.
        crop: pixels of the square that the networks see.
        neighbours: mm to the slices that they see with each; 0 for none.
        progress: is told how many slices there are, and returns what is told of those that are done.

    Raises:
        InputError: if nothing in the scan looks like a lung.
    """
    volume = ct.volume
    found = lungs.segment(volume)
    crops = choose_crops(found, volume.hu.shape, crop, volume.spacing)
    searched = search(
        volume, found, crops, method, lambda result: result_scores(result, gaps),
        gaps=gaps, neighbours=neighbours, done=progress(len(crops.span) * len(crops.corners)),
    )  # fmt: skip
    step = float(np.median(np.diff(volume.z)))
    nodules = join(
        searched.pieces, volume.hu.shape, ranks=rules.score, step=step, pixel=volume.spacing,
        least=rules.least, smallest=rules.smallest,
    )  # fmt: skip
    measured = tuple(measure(nodules.labels, volume.hu, step=step, pixel=volume.spacing))
    sides = list(_sides(nodules.labels, searched.lungs, (step, volume.spacing, volume.spacing)))
    rows = tuple(
        row(number, scores[rules.score], own, side, ct)
        for number, (scores, own, side) in enumerate(zip(nodules.scores, measured, sides, strict=True), 1)
    )
    told = (*ct.notes, *found.warnings, *_unlike_training(volume.spacing, step))
    return Prediction(
        ct, nodules.labels, searched.lungs, searched.nam, searched.probabilities, measured, rows, told
    )


def row(number: int, score: float, own: Measured, side: str, ct: ChestCT) -> dict[str, Any]:
    """Returns a nodule's row, by `COLUMNS`, numbers rounded to what they can say."""
    x, y, z = ct.grid.position(ct.order.index(np.array(own.centre), ct.grid.size))
    return {
        "nodule": number,
        "score": round(score, 4),
        "x_mm": round(float(x), 2),
        "y_mm": round(float(y), 2),
        "z_mm": round(float(z), 2),
        "slice_first": own.slices[0] + 1,
        "slice_last": own.slices[1] + 1,
        "volume_mm3": round(own.volume_mm3, 1),
        "long_axis_mm": round(own.long_axis_mm, 1),
        "short_axis_mm": round(own.short_axis_mm, 1),
        "mean_axis_mm": own.mean_axis_mm,
        "mean_hu": round(own.mean_hu, 1),
        "side": side,
        "cut_by_edge": "yes" if own.cut else "no",
        "sop_first": ct.sop_uids[own.slices[0]] if ct.sop_uids else "",
        "sop_last": ct.sop_uids[own.slices[1]] if ct.sop_uids else "",
    }


def _sides(labels: np.ndarray, both: np.ndarray, voxel: tuple[float, float, float]) -> Iterator[str]:
    """Yields for each nodule the patient's side: that of the lung of which most lies near it, '' if none does."""
    reach = [math.ceil(NEAR_MM / side) for side in voxel]
    for box in ndimage.find_objects(labels):
        near = both[tuple(slice(max(0, s.start - r), s.stop + r) for s, r in zip(box, reach, strict=True))]
        right, left = (int(np.count_nonzero(near == lung)) for lung in (1, 2))
        yield "" if not right + left else "right" if right >= left else "left"


def _unlike_training(pixel: float, step: float) -> Iterator[str]:
    low, high = LIDC_PIXEL_MM
    if not low <= pixel <= high:
        yield f"Pixels of {pixel:.2f} mm: the networks were made for {low:g} to {high:g} mm."
    if step > LIDC_THICKEST_MM:
        yield (
            f"Slices {step:g} mm apart: the networks were made for {LIDC_THICKEST_MM:g} mm at most; small nodules "
            "lie between them."
        )
