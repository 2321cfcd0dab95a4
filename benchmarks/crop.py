"""What does the crop leave out, and what would another place for it save? The size stays.

    python benchmarks/crop.py --manual_dir=DIR

Without a folder it renders scans of the twin. Places: the centre of the lungs' box (the records'), their centroid, and
the best of all places, which leaves out the fewest voxels of the lungs.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import harness
import numpy as np

from wsns.data.lidc.annotations import Scan, cluster
from wsns.data.lidc.selection import select
from wsns.data.lungs.masks import segment
from wsns.data.records import plan
from wsns.data.records.extract import centred

PLACES = ("box", "centroid", "best")
MARGIN = 60
"""Pixels by which the crop may leave the slice."""


def main() -> None:
    """Parses the command line, measures, and prints the table."""
    flags = harness.parser(__doc__, "three scans")
    flags.add_argument("--manual_dir", default="", help="DICOM files of LIDC-IDRI; empty for the twin")
    flags.add_argument(
        "--scans", type=int, default=40, help="take at most so many, drawn at random; 0 for all"
    )
    given = flags.parse_args()
    given.scans = 3 if given.quick else given.scans
    harness.finish(given, lambda: measure(given), show)


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns by place the mean and largest share of the lungs, and the nodules' voxels, that are left out.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    choice = plan.Options(manual_dir=flags.manual_dir, max_scans=flags.scans)
    made = plan.make_plan(choice, lambda items, _: items)
    rows = [dict(_places(made, uid, choice)) for uid in made.source.series]
    places = {}
    for place in PLACES:
        lost, voxels, slices = (np.array([row[place][n] for row in rows]) for n in range(3))
        places[place] = {
            "lungs_mean": round(float(lost.mean()), 4),
            "lungs_most": round(float(lost.max()), 4),
            "scans_over_one_percent": int((lost > 0.01).sum()),
            "nodule_voxels": int(voxels.sum()),
            "nodule_slices": int(slices.sum()),
        }
    return {"source": made.source.name, "scans": len(rows), "crop": choice.crop, "places": places}


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(f"\n{result['source']}, {result['scans']} scans, a crop of {result['crop']} pixels. Left out:\n")
    print(
        f"{'place':<12}{'of the lungs: mean':<20}{'most':<10}{'scans > 1 %':<14}{'voxels of nodules (slices)'}"
    )
    for place, own in result["places"].items():
        mean, most = (f"{100 * own[name]:.2f} %" for name in ("lungs_mean", "lungs_most"))
        nodules = f"{own['nodule_voxels']} ({own['nodule_slices']} wholly)"
        print(f"{place:<12}{mean:<20}{most:<10}{own['scans_over_one_percent']:<14}{nodules}")


def _places(made: plan.Plan, uid: str, choice: plan.Options) -> Iterator[tuple[str, tuple[float, int, int]]]:
    """Yields by place the share of the lungs, the voxels of nodules and the slices of them that are left out."""
    scan, size = made.scans[uid], choice.crop
    lungs = segment(made.source.read(uid))
    _, rows, columns = lungs.extent(len(scan.z))
    area = np.isin(lungs.coarse, (1, 2)).sum(axis=0)
    area = area.repeat(lungs.factor[1], axis=0).repeat(lungs.factor[2], axis=1)
    sums = np.pad(area, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    first, last = (
        [np.clip(np.arange(-MARGIN, n + MARGIN - size + 1) + shift, 0, n) for n in area.shape]
        for shift in (0, size)
    )
    within = sum(
        sign * sums[np.ix_(*pair)]
        for sign, pair in (
            (1, last), (-1, (first[0], last[1])), (-1, (last[0], first[1])), (1, first)
        )
    )  # fmt: skip
    centre = np.argwhere(area > 0), area[area > 0]
    found = {
        "box": (centred(rows, size), centred(columns, size)),
        "centroid": tuple(np.rint(np.average(centre[0], axis=0, weights=centre[1])).astype(int) - size // 2),
        "best": tuple(np.subtract(np.unravel_index(within.argmax(), within.shape), MARGIN)),
    }
    for place, (row, column) in found.items():
        inside = within[row + MARGIN, column + MARGIN] / area.sum()
        yield place, (1 - inside, *_nodules(scan, choice, (row, column)))


def _nodules(scan: Scan, choice: plan.Options, origin: tuple[int, int]) -> tuple[int, int]:
    """Returns how many voxels of nodules, by majority, a crop leaves out, and how many slices' wholly."""
    clusters = cluster(scan, choice.reading.drawing())
    lost = slices = 0
    for k, numbers in select(scan, clusters, choice.reading).positive.items():
        pixels = []
        for group in (clusters[n] for n in numbers):
            votes = group.masks[:, k - group.origin[0]].sum(axis=0)
            pixels.append(np.argwhere(2 * votes >= len(group.masks)) + group.origin[1:])
        at = np.concatenate(pixels) - origin
        inside = ((at >= 0) & (at < choice.crop)).all(axis=1)
        lost += int((~inside).sum())
        slices += not inside.any()
    return lost, slices


if __name__ == "__main__":
    main()
