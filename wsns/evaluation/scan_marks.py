"""Marks: what the method points at in a scan, results of its slices joined in 3-D, and which nodules they hit."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from wsns.segmentation.nodules import Nodules


@dataclasses.dataclass(frozen=True)
class Mark:
    """One connected result in a scan.

    `scores`: by each of `wsns.evaluation.mark_scores.SCORES`, the highest of its slices; `score`: the one of them that
    ranks; `z`: mm, of its largest slice; `slices`: how many; `area_mm2`: summed over them; `hits`: the scan's numbers
    of the nodules that it overlaps.
    """

    score: float
    z: float
    slices: int
    area_mm2: float
    hits: tuple[int, ...]
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)


def find_marks(
    found: Nodules, ranks: str, nodules: np.ndarray, z: Sequence[float] | np.ndarray, spacing: float
) -> list[Mark]:
    """Sets what was found in a scan beside its nodules.

    Args:
        found: in the scan, see `wsns.segmentation.nodules.join`; labels (Z, S, S).
        ranks: which of the scores ranks.
        nodules: (Z, S, S) int, the scan's number of the nodule at each pixel, 0 for none.
        z: (Z,) mm.
        spacing: mm per pixel.
    """
    marks = []
    boxes = ndimage.find_objects(found.labels)
    for number, (box, scores) in enumerate(zip(boxes, found.scores, strict=True), start=1):
        inside = found.labels[box] == number
        areas = inside.sum(axis=(1, 2))
        hits = np.unique(nodules[box][inside])
        marks.append(
            Mark(
                scores[ranks],
                float(z[box[0].start + int(areas.argmax())]),
                int(np.count_nonzero(areas)),
                float(areas.sum() * spacing**2),
                tuple(int(hit) for hit in hits if hit),
                scores,
            )
        )
    return marks
