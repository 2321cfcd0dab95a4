"""Marks: what the method points at in a scan, results of neighbouring slices joined, and which nodules they hit."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from scipy import ndimage

AROUND = np.ones((3, 3, 3), bool)


@dataclasses.dataclass(frozen=True)
class Mark:
    """One connected result in a scan.

    `scores`: by each of `wsns.evaluation.mark_scores.SCORES`, the highest of its slices; `score`: the one of them that
    ranks; `z`: mm, of its slice of highest probability; `slices`: how many; `area_mm2`: summed over them; `hits`: the
    scan's numbers of the nodules that it overlaps.
    """

    score: float
    z: float
    slices: int
    area_mm2: float
    hits: tuple[int, ...]
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)


def find_marks(
    results: np.ndarray,
    scores: Mapping[str, np.ndarray],
    ranks: str,
    nodules: np.ndarray,
    index: np.ndarray,
    z: np.ndarray,
    spacing: float,
) -> Iterator[Mark]:
    """Joins a scan's results, pixel to pixel (26 neighbours), over slices that follow each other.

    Args:
        results: (N, S, S) bool, empty where nothing was found.
        scores: (N,) by name, of each slice's result; not looked at where it is empty.
        ranks: which of the scores ranks.
        nodules: (N, S, S) int, the scan's number of the nodule at each pixel, 0 for none.
        index: (N,) int, ascending: which slice of the scan each is; where one is missing, marks end.
        z: (N,) mm.
        spacing: mm per pixel.
    """
    runs = np.split(np.arange(len(index)), np.flatnonzero(np.diff(index) > 1) + 1)
    for run in runs:
        parts, _ = ndimage.label(results[run], AROUND)
        for number, box in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts[box] == number
            depth = run[box[0]]
            best = depth[int(np.argmax(scores["probability"][depth]))]
            hits = np.unique(nodules[depth][:, box[1], box[2]][inside])
            yield Mark(
                float(scores[ranks][depth].max()),
                float(z[best]),
                len(depth),
                float(inside.sum() * spacing**2),
                tuple(int(hit) for hit in hits if hit),
                {name: float(own[depth].max()) for name, own in scores.items()},
            )
