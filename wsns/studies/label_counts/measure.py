"""What a reading makes of LIDC-IDRI: scans, nodules, slices and voxels, and why the others are left out."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wsns.data.lidc.annotations import READERS, Cluster, Scan, cluster
from wsns.data.lidc.selection import Reading, select


@dataclasses.dataclass(frozen=True)
class Tally:
    """What one reading makes of one scan, or of many together.

    Each slice is in one of eight groups. `one`, `two`, `more`: with so many nodules; `apart`: enough readers'
    masks reach it, but share too few pixels; `few`: masks of fewer readers; `empty`: contours without a pixel
    inside; `dropped`: only annotations that the reading leaves out; `free`: no contour of any reader.
    `too_many` are those with more nodules than the reading allows. `voxels` are the pixels that enough readers
    share; `annotations` are drawn, of which `annotations_empty` have no pixel in any slice; `nodules` are the
    groups of annotations that may count, of which `nodules_large` have more annotations than there were readers.
    """

    slices: int
    one: int
    two: int
    more: int
    apart: int
    few: int
    empty: int
    dropped: int
    free: int
    too_many: int
    voxels: int
    annotations: int
    annotations_empty: int
    annotations_dropped: int
    nodules: int
    nodules_large: int

    @property
    def positive(self) -> int:
        """Slices with a nodule, whether or not the reading allows so many."""
        return self.one + self.two + self.more


def total(tallies: Iterable[Tally]) -> Tally:
    """Adds tallies up."""
    parts = list(tallies)
    names = [field.name for field in dataclasses.fields(Tally)]
    return Tally(**{name: sum(getattr(part, name) for part in parts) for name in names})


def tally(scan: Scan, clusters: Sequence[Cluster], reading: Reading) -> Tally:
    """Counts one scan.

    Args:
        scan: geometry and annotations.
        clusters: its nodules, drawn as the reading says.
        reading: what counts.
    """
    unlimited = select(scan, clusters, dataclasses.replace(reading, max_nodules=len(scan.annotations) + 1))
    nodules = [len(numbers) for numbers in unlimited.positive.values()]
    counting = [group for group in clusters if len(group.masks) >= reading.min_readers]
    reasons = [_reason(k, counting, reading) for k in unlimited.uncertain]
    drawn = [mask.any() for group in clusters for mask in group.masks]
    return Tally(
        slices=len(scan.z),
        one=nodules.count(1),
        two=nodules.count(2),
        more=sum(n > 2 for n in nodules),
        **{reason: reasons.count(reason) for reason in ("apart", "few", "empty", "dropped")},
        free=len(unlimited.free),
        too_many=sum(n > reading.max_nodules for n in nodules),
        voxels=sum(_shared(group, reading) for group in counting),
        annotations=len(drawn),
        annotations_empty=drawn.count(False),
        annotations_dropped=len(scan.annotations) - len(drawn),
        nodules=len(counting),
        nodules_large=sum(len(group.masks) > READERS for group in counting),
    )


def tally_all(scan: Scan, readings: Sequence[Reading]) -> tuple[Tally, ...]:
    """Counts one scan by several readings; what they draw alike is drawn once."""
    drawn = {drawing: cluster(scan, drawing) for drawing in {r.drawing() for r in readings}}
    return tuple(tally(scan, drawn[reading.drawing()], reading) for reading in readings)


def describe(scans: Sequence[Scan]) -> dict[str, int]:
    """Returns what the database holds, whatever the reading."""
    patients = collections.Counter(scan.patient for scan in scans)
    annotations = [annotation for scan in scans for annotation in scan.annotations]
    return {
        "scans": len(scans),
        "patients": len(patients),
        "patients_with_several_scans": sum(number > 1 for number in patients.values()),
        "slices": sum(len(scan.z) for scan in scans),
        "annotations": len(annotations),
        "contours": sum(len(annotation.contours) for annotation in annotations),
    }


def summarise(scans: Iterable[Scan], tallies: Mapping[str, Tally]) -> dict[str, int | float]:
    """Returns the figures of one reading over some scans.

    Args:
        scans: those that count.
        tallies: what the reading makes of each, by series UID.
    """
    taken = [(scan, tallies[scan.series]) for scan in scans]
    sums = total(counts for _, counts in taken)
    return {
        "scans": len(taken),
        "patients": len({scan.patient for scan, _ in taken}),
        "scans_without_annotation": sum(not scan.annotations for scan, _ in taken),
        "scans_without_positive": sum(not counts.positive for _, counts in taken),
        "positive": sums.positive,
        **dataclasses.asdict(sums),
        "voxels_per_slice": round(sums.voxels / max(sums.positive, 1), 1),
        "slices_used": 2 * (sums.positive - sums.too_many),
    }


def _reason(k: int, clusters: Sequence[Cluster], reading: Reading) -> str:
    """Says why slice `k`, which somebody drew in, has no nodule that counts."""
    here = [(group, masks) for group in clusters if (masks := group.in_slice(k)) is not None]
    reach = [(masks.any(axis=(1, 2)).sum(), reading.needed(len(masks))) for _, masks in here]
    if any(readers >= needed for readers, needed in reach):
        return "apart"
    if any(readers for readers, _ in reach):
        return "few"
    lines = (c.k for group, _ in here for a in group.annotations for c in a.contours)
    return "empty" if k in lines else "dropped"


def _shared(group: Cluster, reading: Reading) -> int:
    return int(np.count_nonzero(group.masks.sum(axis=0) >= reading.needed(len(group.masks))))
