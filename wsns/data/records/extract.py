"""From one scan to its slice records: nodules, lungs, crop (section 3.1 of the paper)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsns.data.lidc.annotations import Cluster, Scan, cluster
from wsns.data.lidc.consensus import consensus
from wsns.data.lidc.selection import Reading, negatives, select
from wsns.data.lungs.hull import hull
from wsns.data.lungs.masks import segment
from wsns.data.records.neighbours import nearest
from wsns.data.records.qc_image import check_picture
from wsns.data.records.schema import MAX_READERS, NAMES, OVERVIEW, OVERVIEW_STEP, OVERVIEW_WINDOW, Slices
from wsns.data.volume import AIR_HU, Volume


@dataclasses.dataclass(frozen=True)
class Rules:
    """What settles a scan's records.

    `reading`: what counts as a nodule; `consensus`: rule of `wsns.data.lidc.consensus`; `crop`: side of the square
    crop in pixels; `seed`: of the negatives; `neighbours`: how many mm below and above the slices lie that go with
    each slice, 0 for none.
    """

    reading: Reading = dataclasses.field(default_factory=Reading)
    consensus: str = "staple"
    crop: int = 384
    seed: int = 0
    neighbours: float = 0.0


@dataclasses.dataclass(frozen=True)
class ScanFacts:
    """What to account for in one scan, in JSON's types.

    `slices`: of the scan; `positives` and `negatives`: of the records; `too_many`: slices left out because of
    more nodules than the reading allows; `fallbacks`: nodules whose consensus was empty in a
    slice; `of_two`: nodules that count somewhere and that two readers marked, `as_intersection`: those of them whose
    consensus is what both drew; `voxels`: of the consensus in all positive slices; `outside_crop` and
    `outside_hull`: how many of them the crop, and of those in the crop the lungs' hull, leave out;
    `lung_outside_crop`: share of the
    lungs' pixels in the records' slices that the crop leaves out; `lungs_ml`: both volumes; `warnings`: what
    a person should look at; `notes`: what was handled in the files.
    """

    series: str
    patient: str
    slices: int
    positives: int
    negatives: int
    too_many: int
    fallbacks: int
    of_two: int
    as_intersection: int
    voxels: int
    outside_crop: int
    outside_hull: int
    lung_outside_crop: float
    lungs_ml: tuple[float, float]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    right: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class ScanRecords:
    """The records of one scan in order of z, what to account for, and a picture (H, W, 3) uint8 to check it by."""

    slices: Slices
    facts: ScanFacts
    picture: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class _Nodules:
    """The nodules of one slice: `labels` (Y, X) uint8; the others as in `Slices`; `fallbacks` as in `ScanFacts`."""

    labels: np.ndarray
    cluster: np.ndarray
    agreement: np.ndarray
    reader_dice: np.ndarray
    texture: np.ndarray
    fallbacks: int


def scan_records(scan: Scan, volume: Volume, rules: Rules, *, every: bool = False) -> ScanRecords:
    """Makes the records of one scan: its positive slices, and as many negative ones if the lungs have so many.

    The crop is the same for the whole scan, centred on the lungs' box.

    Args:
        scan: geometry and annotations.
        volume: its voxels, slice by slice as `scan.z`.
        rules: what to select and how to cut.
        every: all slices of the lungs that nobody has drawn in are the negative ones.

    Raises:
        ValueError: if scan and volume differ in depth.
        wsns.errors.InputError: if no lung is found.
    """
    if len(volume.hu) != len(scan.z):
        raise ValueError(f"a volume of {len(volume.hu)} slices for a scan of {len(scan.z)} slices")
    clusters = cluster(scan, rules.reading.drawing())
    chosen = select(scan, clusters, rules.reading)
    counting = {n for numbers in chosen.positive.values() for n in numbers}
    agreed = {n: consensus(clusters[n].masks, rules.consensus) for n in counting}
    pairs = [n for n in counting if len(clusters[n].masks) == 2]
    lungs = segment(volume)
    span, rows, columns = lungs.extent(len(scan.z))
    origin = (centred(rows, rules.crop), centred(columns, rules.crop))
    wanted = len(chosen.free) if every else len(chosen.positive)
    free = negatives(scan.series, chosen.free, span, wanted, rules.seed)
    outlines: dict[int, np.ndarray] = {}
    records, fallbacks, lung_pixels = [], 0, 0
    for k in sorted([*chosen.positive, *free]):
        numbers = chosen.positive.get(k, ())
        found = _nodules(clusters, agreed, numbers, k, volume.hu.shape[1:], rules.reading)
        mask = lungs.in_slice(volume.hu[k], k)
        records.append(_record(scan, volume, mask, origin, k, found, rules))
        lung_pixels += int(np.count_nonzero(mask))
        fallbacks += found.fallbacks
        if numbers:
            outlines[k] = found.labels
    slices = _stack(records)
    facts = ScanFacts(
        series=scan.series,
        patient=scan.patient,
        slices=len(scan.z),
        positives=len(chosen.positive),
        negatives=len(free),
        too_many=len(chosen.too_many),
        fallbacks=fallbacks,
        of_two=len(pairs),
        as_intersection=sum(np.array_equal(agreed[n], clusters[n].masks.all(axis=0)) for n in pairs),
        voxels=sum(int(np.count_nonzero(labels)) for labels in outlines.values()),
        outside_crop=int(slices.outside_crop.sum()),
        outside_hull=int(slices.outside_hull.sum()),
        lung_outside_crop=1 - np.count_nonzero(slices.lungs) / max(lung_pixels, 1),
        lungs_ml=lungs.volumes_ml,
        warnings=lungs.warnings,
        right=volume.right,
    )
    return ScanRecords(slices, facts, check_picture(volume, lungs, origin, rules.crop, outlines))


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


def centred(span: range, size: int) -> int:
    """Returns where a crop of so many pixels begins that is centred on a span of rows or columns."""
    return (span.start + span.stop - size) // 2


def _record(
    scan: Scan,
    volume: Volume,
    lungs: np.ndarray,
    origin: tuple[int, int],
    k: int,
    found: _Nodules,
    rules: Rules,
) -> dict[str, Any]:
    """Returns slice `k`, whose lungs are (Y, X) uint8, by the names of `Slices`."""
    hu = volume.hu[k]
    inside = crop(lungs, origin, rules.crop, 0)
    nodules = crop(found.labels, origin, rules.crop, 0)
    count = int(np.count_nonzero(found.cluster))
    beyond = np.count_nonzero((nodules > 0) & ~hull(inside, scan.spacing)) if count else 0
    return {
        "hu": crop(hu, origin, rules.crop, AIR_HU),
        "beside": _beside(volume, origin, k, rules),
        "lungs": inside,
        "nodules": nodules,
        "overview": overview(hu),
        "label": np.int32(count > 0),
        "count": np.int32(count),
        "patient": scan.patient,
        "series": scan.series,
        "z": float(scan.z[k]),
        "slice_index": np.int32(k),
        "spacing": float(scan.spacing),
        "thickness": float(scan.thickness),
        "origin": np.array(origin, np.int32),
        "cluster": found.cluster,
        "agreement": found.agreement,
        "reader_dice": found.reader_dice,
        "texture": found.texture,
        "outside_crop": np.int32(np.count_nonzero(found.labels) - np.count_nonzero(nodules)),
        "outside_hull": np.int32(beyond),
    }


def _beside(volume: Volume, origin: tuple[int, int], k: int, rules: Rules) -> np.ndarray:
    """Returns what `Slices` calls `beside`, of slice `k`."""
    found = nearest(volume.z, k, rules.neighbours) if rules.neighbours else ()
    crops = [crop(volume.hu[n], origin, rules.crop, AIR_HU) for n in found]
    return np.array(crops, np.int16).reshape(-1, rules.crop, rules.crop)


def _nodules(
    clusters: Sequence[Cluster],
    agreed: Mapping[int, np.ndarray],
    numbers: Sequence[int],
    k: int,
    shape: tuple[int, ...],
    reading: Reading,
) -> _Nodules:
    """Paints the consensus of each nodule of slice `k`.

    Where the consensus leaves out a slice that counts, the pixels that enough readers share stand for it.
    Of a pixel that two nodules claim, the later keeps it.
    """
    most = reading.max_nodules
    found = _Nodules(
        np.zeros(shape, np.uint8),
        np.zeros(most, np.int32),
        np.zeros(most, np.uint8),
        np.full((most, MAX_READERS), -1, np.float32),
        np.zeros(most, np.float32),
        sum(not agreed[n][k - clusters[n].origin[0]].any() for n in numbers),
    )
    for instance, n in enumerate(numbers):
        group, depth = clusters[n], k - clusters[n].origin[0]
        masks, mask = group.masks[:, depth], agreed[n][depth]
        if not mask.any():
            mask = masks.sum(axis=0) >= reading.needed(len(masks))
        i, j = group.origin[1:]
        found.labels[i : i + mask.shape[0], j : j + mask.shape[1]][mask] = instance + 1
        found.cluster[instance] = n + 1
        found.agreement[instance] = masks.any(axis=(1, 2)).sum()
        dice = 2 * (masks & mask).sum(axis=(1, 2)) / (masks.sum(axis=(1, 2)) + mask.sum())
        found.reader_dice[instance, : len(masks)] = dice[:MAX_READERS]
        found.texture[instance] = np.median([annotation.texture for annotation in group.annotations])
    return found


def _stack(records: Sequence[Mapping[str, Any]]) -> Slices:
    return Slices(**{name: np.array([record[name] for record in records]) for name in NAMES})
