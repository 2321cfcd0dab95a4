"""From one scan to its slice records: which slices, which nodules, which crop (section 3.1 of the paper)."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from wsns.data.annotations import Cluster, Scan, cluster
from wsns.data.consensus import consensus
from wsns.data.input import OVERVIEW, OVERVIEW_STEP, OVERVIEW_WINDOW
from wsns.data.lungs import segment
from wsns.data.volume import AIR_HU, Volume


@dataclasses.dataclass(frozen=True)
class Rules:
    """What counts as a nodule slice, and how a record is cut.

    `crop`: side of the square crop in pixels; `agreement`: readers whose masks must overlap; `consensus`:
    rule of `wsns.data.consensus`; `max_nodules`: slices with more are left out; `seed`: of the negatives.
    """

    crop: int = 384
    agreement: int = 2
    consensus: str = "staple"
    max_nodules: int = 2
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Selection:
    """A scan's slices by what the readers say; every slice is in exactly one group.

    `positive` maps slice to the clusters that count in it; `too_many` are positive slices with more nodules
    than the rules allow; `free` holds no annotation of any reader; `uncertain` are the rest.
    """

    positive: dict[int, tuple[int, ...]]
    too_many: tuple[int, ...]
    free: tuple[int, ...]
    uncertain: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class ScanRecords:
    """The records of one scan, as feature dictionaries in order of z, and what to account for.

    `missing_negatives`: how many negatives are wanting for as many as positives, because the lungs have too
    few free slices; `fallbacks`: nodules whose consensus was empty in a slice; `lungs_ml`: both volumes.
    """

    series: str
    records: tuple[dict[str, Any], ...]
    too_many: int
    missing_negatives: int
    fallbacks: int
    lungs_ml: tuple[float, float]


def select(scan: Scan, clusters: Sequence[Cluster], rules: Rules) -> Selection:
    """Sorts a scan's slices: a nodule counts in a slice where enough readers' masks share a pixel."""
    counting: dict[int, list[int]] = {}
    for number, group in enumerate(clusters):
        reached = (group.masks.sum(axis=0) >= rules.agreement).any(axis=(1, 2))
        for k in np.flatnonzero(reached) + group.origin[0]:
            counting.setdefault(int(k), []).append(number)
    positive = {k: tuple(n) for k, n in sorted(counting.items()) if len(n) <= rules.max_nodules}
    too_many = tuple(k for k in sorted(counting) if k not in positive)
    drawn = {contour.k for annotation in scan.annotations for contour in annotation.contours}
    free = tuple(k for k in range(len(scan.z)) if k not in drawn)
    uncertain = tuple(k for k in sorted(drawn) if k not in counting)
    return Selection(positive, too_many, free, uncertain)


def count_positives(scan: Scan, rules: Rules) -> int:
    """Returns the number of a scan's positive slices, from the annotations alone."""
    return len(select(scan, cluster(scan), rules).positive)


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


def crop(plane: np.ndarray, origin: tuple[int, int], size: int, fill: int) -> np.ndarray:
    """Cuts (size, size) with its corner at `origin` (row, column), padded with `fill` outside the slice."""
    result = np.full((size, size), fill, plane.dtype)
    low = np.maximum(origin, 0)
    high = np.maximum(np.minimum(np.add(origin, size), plane.shape), low)
    to = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, origin))
    result[to] = plane[low[0] : high[0], low[1] : high[1]]
    return result


def overview(plane: np.ndarray) -> np.ndarray:
    """Returns every second pixel of a whole slice in HU as (256, 256) uint8 grey, −1000 to 400 HU: for figures."""
    low, high = OVERVIEW_WINDOW
    grey = (np.clip(plane[::OVERVIEW_STEP, ::OVERVIEW_STEP], low, high) - low) * (255 / (high - low))
    return crop(grey.round().astype(np.uint8), (0, 0), OVERVIEW, 0)


def scan_records(scan: Scan, volume: Volume, rules: Rules) -> ScanRecords:
    """Makes the records of one scan.

    Positive slices, and as many negative ones. The crop is the same for the whole scan, centred on the
    lungs' box.

    Args:
        scan: geometry and annotations.
        volume: its voxels, slice by slice as `scan.z`.
        rules: what to select and how to cut.

    Raises:
        ValueError: if scan and volume differ in depth.
        wsns.errors.InputError: if no lung is found.
    """
    if len(volume.hu) != len(scan.z):
        raise ValueError(f"a volume of {len(volume.hu)} slices for a scan of {len(scan.z)} slices")
    clusters = cluster(scan)
    chosen = select(scan, clusters, rules)
    agreed = {
        n: consensus(clusters[n].masks, rules.consensus) for many in chosen.positive.values() for n in many
    }
    lungs = segment(volume)
    span, rows, columns = lungs.extent(len(scan.z))
    origin = (_centred(rows, rules.crop), _centred(columns, rules.crop))
    free = negatives(scan.series, chosen.free, span, len(chosen.positive), rules.seed)
    fallbacks = 0
    records = []
    for k in sorted([*chosen.positive, *free]):
        hu = volume.hu[k]
        numbers = chosen.positive.get(k, ())
        nodules, agreement, fell_back = _nodules(
            [(clusters[n], agreed[n]) for n in numbers], k, hu.shape, rules
        )
        fallbacks += fell_back
        cut = crop(nodules, origin, rules.crop, 0)
        records.append(
            {
                "hu": crop(hu, origin, rules.crop, AIR_HU),
                "lungs": crop(lungs.in_slice(hu, k), origin, rules.crop, 0),
                "nodules": cut,
                "overview": overview(hu),
                "label": int(bool(numbers)),
                "count": len(numbers),
                "patient": scan.patient,
                "series": scan.series,
                "z": float(scan.z[k]),
                "slice_index": k,
                "spacing": float(scan.spacing),
                "thickness": float(scan.thickness),
                "origin": np.array(origin, np.int32),
                "agreement": agreement,
                "outside_crop": int(np.count_nonzero(nodules)) - int(np.count_nonzero(cut)),
            }
        )
    missing = len(chosen.positive) - len(free)
    return ScanRecords(
        scan.series, tuple(records), len(chosen.too_many), missing, fallbacks, lungs.volumes_ml
    )


def _centred(span: range, size: int) -> int:
    return (span.start + span.stop - size) // 2


def _nodules(
    parts: Sequence[tuple[Cluster, np.ndarray]], k: int, shape: tuple[int, ...], rules: Rules
) -> tuple[np.ndarray, np.ndarray, int]:
    """Paints the consensus of each nodule of slice `k`.

    Where the consensus leaves out a slice that counts, the pixels that enough readers share stand for it.
    Of a pixel that two nodules claim, the later keeps it.

    Returns:
        (Y, X) uint8 instance labels; (max_nodules,) uint8 readers whose mask reaches the slice, per instance;
        the number of nodules for which the consensus was empty.
    """
    labels = np.zeros(shape, np.uint8)
    agreement = np.zeros(rules.max_nodules, np.uint8)
    fallbacks = 0
    for number, (group, agreed) in enumerate(parts):
        depth, i, j = k - group.origin[0], *group.origin[1:]
        masks, mask = group.masks[:, depth], agreed[depth]
        if not mask.any():
            mask = masks.sum(axis=0) >= rules.agreement
            fallbacks += 1
        labels[i : i + mask.shape[0], j : j + mask.shape[1]][mask] = number + 1
        agreement[number] = masks.any(axis=(1, 2)).sum()
    return labels, agreement, fallbacks
