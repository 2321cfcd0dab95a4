"""What a slice of the synthetic twin costs on one core.

    python benchmarks/twin.py [--scans=4] [--quick] [--json]

Renders scans of 2.5 mm with the default ranges of appearance, in this one process, and prints milliseconds per slice:
all of a scan, with its chest, vessels and nodules. The build of the records renders as many scans at once as there are
cores. --quick renders one scan.
"""

import argparse
import os
from typing import Any

# Read by NumPy as it starts: one core is what is measured, and what a process of the records' build has.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[library] = "1"

import time

import harness

from wsns.data.lidc.annotations import load_scans
from wsns.data.synthetic import twin

THICKNESS = 2.5


def main() -> None:
    """Measures and prints."""
    parser = harness.parser(__doc__, "one scan")
    parser.add_argument("--scans", type=int, default=4)
    flags = parser.parse_args()
    harness.finish(flags, lambda: measure(flags), show)


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns milliseconds per slice of each scan."""
    scans = [scan for scan in load_scans().values() if scan.thickness == THICKNESS and scan.annotations]
    taken = []
    for scan in scans[: 1 if flags.quick else max(flags.scans, 1)]:
        began = time.perf_counter()
        twin.render(scan)
        taken.append(1000 * (time.perf_counter() - began) / len(scan.z))
    return harness.machine("numpy", "scipy") | {"version": twin.VERSION, "ms_per_slice": taken}


def show(result: dict[str, Any]) -> None:
    """Prints one line per scan."""
    print(f"twin, version {result['version']}, one core of {result['device']}")
    for number, spent in enumerate(result["ms_per_slice"], 1):
        print(f"scan {number}: {spent:.1f} ms per slice")


if __name__ == "__main__":
    main()
