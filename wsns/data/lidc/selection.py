"""Which slices show a nodule and which show none (section 3.1 of the paper), from the annotations alone."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence

import numpy as np

from wsns.data.lidc.annotations import Cluster, Drawing, Scan, cluster


@dataclasses.dataclass(frozen=True)
class Reading:
    """What counts as a nodule in a slice: who must agree, and on what.

    `agreement`: readers whose masks must share a pixel of the slice; `agreement_share`: and at least this
    share of the nodule's annotations; `min_readers`: nodules with fewer annotations don't count;
    `max_nodules`: slices with more nodules are left out; `contour` and `single_contours`: see `Drawing`.
    The database doesn't say whose an annotation is, so each counts as a reader of its own.
    """

    agreement: int = 2
    agreement_share: float = 0.0
    min_readers: int = 1
    max_nodules: int = 2
    contour: str = "outside"
    single_contours: bool = True

    def drawing(self) -> Drawing:
        """Returns how the readers' lines become masks."""
        return Drawing(self.contour, self.single_contours)

    def needed(self, annotations: int) -> int:
        """Returns how many masks must overlap for a nodule of so many annotations."""
        return max(self.agreement, math.ceil(self.agreement_share * annotations))


@dataclasses.dataclass(frozen=True)
class Selection:
    """A scan's slices by what the readers say; every slice is in exactly one group.

    `positive` maps slice to the clusters that count in it; `too_many` are slices with more of them than the
    reading allows; `free` holds no contour of any reader, whatever the reading drops; `uncertain` are the rest.
    """

    positive: dict[int, tuple[int, ...]]
    too_many: tuple[int, ...]
    free: tuple[int, ...]
    uncertain: tuple[int, ...]


def select(scan: Scan, clusters: Sequence[Cluster], reading: Reading) -> Selection:
    """Sorts a scan's slices: a nodule counts in a slice where enough readers' masks share a pixel.

    Args:
        scan: whose slices.
        clusters: its nodules, drawn as the reading says.
        reading: what counts.
    """
    counting: dict[int, list[int]] = {}
    for number, group in enumerate(clusters):
        if len(group.masks) < reading.min_readers:
            continue
        reached = (group.masks.sum(axis=0) >= reading.needed(len(group.masks))).any(axis=(1, 2))
        for k in np.flatnonzero(reached) + group.origin[0]:
            counting.setdefault(int(k), []).append(number)
    positive = {k: tuple(n) for k, n in sorted(counting.items()) if len(n) <= reading.max_nodules}
    too_many = tuple(k for k in sorted(counting) if k not in positive)
    drawn = {contour.k for annotation in scan.annotations for contour in annotation.contours}
    free = tuple(k for k in range(len(scan.z)) if k not in drawn)
    uncertain = tuple(k for k in sorted(drawn) if k not in counting)
    return Selection(positive, too_many, free, uncertain)


def count_positives(scan: Scan, reading: Reading) -> int:
    """Returns the number of a scan's positive slices."""
    return len(select(scan, cluster(scan, reading.drawing()), reading).positive)


def negatives(series: str, free: Sequence[int], span: range, wanted: int, seed: int) -> tuple[int, ...]:
    """Draws slices without any annotation from those that the lungs span.

    Args:
        series: the series UID, which with `seed` settles the draw.
        free: slices without any annotation.
        span: slices that the lungs reach.
        wanted: how many; fewer come back where there are not enough.
        seed: of the draw.
    """
    inside = np.array([k for k in free if k in span], int)
    digest = hashlib.sha256(f"{series}:{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return tuple(int(k) for k in np.sort(rng.permutation(inside)[:wanted]))
