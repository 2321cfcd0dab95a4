"""How near ICM comes to the least energy of the phases, against graph cuts on the same nodule slices.

    python benchmarks/phases.py [--manual_dir=DIR] [--quick] [--json]

Takes up to 20 slices with a nodule from each of four scans of DIR, or of the twin. Two phases are compared with their
exact minimum, one cut; four with alpha-expansion that starts from ICM's labels and ends where no expansion helps
(`graph_cuts.py`, by PyMaxflow). ICM makes at most as many sweeps as the method does, over the lung box, with the
method's means (two phases: the first and the last) or re-estimated ones; then the cuts get the means that it ends
with. For each setting:

gap: by how much ICM's energy exceeds the cuts', in %, mean and largest over the slices; differ: the share of the
box's pixels with another label; sweeps: until nothing changes, at most 200; left: by how much the energy exceeds
that of all these sweeps, in %, and the share of pixels that they label otherwise (fixed means only); milliseconds per
slice of each, one slice after the other, medians, the cuts' without ICM's own.

--quick takes four slices each of two scans. --json adds a last line of JSON; `gap_percent` and `time_vs_cuts`, the
cuts' time over ICM's, are those of the method's own setting.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import harness
import jax
import numpy as np
from nodule_slices import nodule_slices

from wsns.segmentation.energy import lung_box
from wsns.segmentation.icm import icm
from wsns.segmentation.options import Options

try:
    import graph_cuts
except ImportError:
    sys.exit("error: the cuts need PyMaxflow: pip install -r requirements-dev.txt")

SCANS, SLICES = 4, 20
QUICK_SCANS, QUICK_SLICES = 2, 4
BETAS = (0.1, 0.3, 1.0)
ENOUGH = 200
METHOD = Options()
PACKAGES = ("jax", "jaxlib", "numpy", "PyMaxflow")
Case = tuple[np.ndarray, np.ndarray]
"""A slice (S, S) in HU and its lung box (S, S) bool."""


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "two scans, four slices of each")
    parser.add_argument("--manual_dir", default="", help="folder with scans of LIDC-IDRI")
    flags = parser.parse_args()
    harness.finish(flags, lambda: run(flags), show)


def run(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns all that is measured, on what it was, and with which versions.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    found = nodule_slices(
        flags.manual_dir, *((QUICK_SCANS, QUICK_SLICES) if flags.quick else (SCANS, SLICES))
    )
    boxes = [np.asarray(lung_box(lungs)) for lungs in found.lungs]
    cases = [(hu, box) for hu, box in zip(found.hu, boxes, strict=True) if box.any()]
    two = (METHOD.means[0], METHOD.means[-1])
    settings = [
        measure(cases, means, beta, reestimate)
        for means in (two, METHOD.means)
        for reestimate in (False, True)
        for beta in BETAS
    ]
    (own,) = (
        s
        for s in settings
        if s["phases"] == len(METHOD.means) and s["beta"] == METHOD.beta and not s["reestimate"]
    )
    return {
        "gap_percent": own["gap_percent"],
        "time_vs_cuts": round(own["cuts_ms"] / own["icm_ms"], 1),
        "source": "LIDC-IDRI" if flags.manual_dir else "LIDC twin",
        "slices": len(cases),
        "pixels_per_box": round(float(np.mean([box.sum() for _, box in cases]))),
        "sweeps": METHOD.sweeps,
        "settings": settings,
        **harness.machine(*PACKAGES),
    }


def measure(cases: Sequence[Case], means: Sequence[float], beta: float, reestimate: bool) -> dict[str, Any]:
    """Returns gap, differing pixels, sweeps and times of one setting over the slices."""
    given = np.array(means, np.float32)
    compare(*cases[0], given, beta, reestimate)  # compiles
    rows = [compare(hu, box, given, beta, reestimate) for hu, box in cases]
    gaps, differ, sweeps, left, moved, icm_time, cut_time, ended = (
        np.array(c) for c in zip(*rows, strict=True)
    )
    return {
        "phases": len(means),
        "beta": beta,
        "reestimate": reestimate,
        "means": ended.astype(float).mean(axis=0).round(1).tolist(),
        "gap_percent": round(100 * gaps.mean(), 4),
        "gap_percent_largest": round(100 * gaps.max(), 4),
        "differ_percent": round(100 * differ.mean(), 3),
        "left_percent": round(100 * left.mean(), 3),
        "moved_percent": round(100 * moved.mean(), 3),
        "sweeps_mean": round(sweeps.mean(), 1),
        "sweeps_most": int(sweeps.max()),
        "icm_ms": round(1000 * float(np.median(icm_time)), 2),
        "cuts_ms": round(1000 * float(np.median(cut_time)), 2),
    }


def compare(
    hu: np.ndarray, box: np.ndarray, means: np.ndarray, beta: float, reestimate: bool
) -> tuple[Any, ...]:
    """Returns all that is measured of one slice.

    Gap, share that differs; sweeps needed, what they would lower the energy by and the share that they move (NaN where
    their means are other ones); seconds of ICM and of the cuts; last means.
    """
    enough = icm(hu, box, means, beta, ENOUGH, reestimate)
    found, icm_seconds = clock(lambda: icm(hu, box, means, beta, METHOD.sweeps, reestimate))
    labels, last = np.asarray(found.labels)[box], np.asarray(found.means)
    of, setup_seconds = clock(lambda: graph_cuts.problem(hu, box, last, beta))
    best, cut_seconds = clock(lambda: reference(of, labels))
    gap = of.energy(labels) / of.energy(best) - 1
    ended = np.asarray(enough.labels)[box]
    left, moved = (
        (np.nan, np.nan)
        if reestimate
        else (of.energy(labels) / of.energy(ended) - 1, (labels != ended).mean())
    )
    seconds = icm_seconds, setup_seconds + cut_seconds
    return gap, (labels != best).mean(), int(enough.sweeps), left, moved, *seconds, last


def reference(of: "graph_cuts.Problem", labels: np.ndarray) -> np.ndarray:
    """Returns the minimum for two phases, for more what alpha-expansion makes of ICM's labels."""
    return graph_cuts.minimum(of) if len(of.cost) == 2 else graph_cuts.alpha_expansion(of, labels)


def clock(work: Callable[[], Any]) -> tuple[Any, float]:
    """Returns what `work` returns and the seconds it took, to the end on the device."""
    began = time.perf_counter()
    result = jax.block_until_ready(work())
    return result, time.perf_counter() - began


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(
        f"\n{result['source']}: {result['slices']} slices with a nodule, {result['pixels_per_box']:,} pixels in the "
        f"lung box, at most {result['sweeps']} sweeps, {result['device']}\n\n"
        f"{'phases':<7}{'means':<14}{'beta':>5}{'gap %':>9}{'largest':>9}{'differ %':>10}{'sweeps':>8}{'most':>6}"
        f"{'left %':>8}{'moved %':>9}{'ICM ms':>9}{'cuts ms':>9}"
    )
    for row in result["settings"]:
        print(
            f"{row['phases']:<7}{'re-estimated' if row['reestimate'] else 'fixed':<14}{row['beta']:>5g}"
            f"{row['gap_percent']:>9.3f}{row['gap_percent_largest']:>9.3f}{row['differ_percent']:>10.2f}"
            f"{row['sweeps_mean']:>8.1f}{row['sweeps_most']:>6}"
            f"{row['left_percent']:>8.3f}{row['moved_percent']:>9.3f}{row['icm_ms']:>9.1f}{row['cuts_ms']:>9.1f}"
        )
    for row in result["settings"]:
        if row["reestimate"] and row["beta"] == METHOD.beta:
            ended = ", ".join(f"{mean:.0f}" for mean in row["means"])
            print(f"{row['phases']} phases re-estimated, beta {row['beta']:g}: means end at {ended} HU")


if __name__ == "__main__":
    main()
