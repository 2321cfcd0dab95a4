"""Which score ranks marks best? FROC of whole scans of a run's validation split by each; the test split is not read.

    python benchmarks/mark_scores.py --workdir=runs/demo

The scans are searched once, into WORKDIR/validation_scans/DETECT, a quarter of a minute each with the demo's networks.
"""

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import harness
from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.evaluation.froc import RATES, Froc, Scan, froc
from wsns.evaluation.mark_scores import SCORES
from wsns.evaluation.table1_text import interval
from wsns.run import scan_files, settings
from wsns.runtime import workdir as files
from wsns.tasks.scan_search import search

OLD = "probability"


def main() -> None:
    """Parses the command line, searches what is not searched yet, and prints the table."""
    flags = harness.parser(__doc__, "one scan only")
    flags.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/demo"), help="a finished run"
    )
    flags.add_argument("--scans", type=int, default=1000, help="take at most so many")
    flags.add_argument(
        "--detect",
        type=float,
        help="1-GAP probability from which on slices are searched; the run's own if not given",
    )
    flags.add_argument("--draws", type=int, default=2000, help="behind each interval")
    given = flags.parse_args()
    given.scans = 1 if given.quick else given.scans
    harness.finish(given, lambda: measure(given), show)


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns by method and score the FROC's mean, its interval, the paired gain over the slice's probability.

    Raises:
        InputError: if there is no such run.
    """
    config = run_config(flags.workdir)
    config.scans.most = flags.scans
    if flags.detect is not None:
        config.scans.detect = flags.detect
    settings.check(config)
    folder = flags.workdir / "validation_scans" / f"{config.scans.detect:g}"
    parts = search(config, flags.workdir, folder, "validation")
    by_score = {name: read(parts, name) for name in SCORES}
    methods: dict[str, dict[str, Any]] = {}
    for method in by_score[OLD]:
        found = {name: froc(by_score[name][method], draws=flags.draws, seed=0) for name in SCORES}
        methods[method] = {
            name: _row(own, found[OLD]) | {"least": least(by_score[name][method])}
            for name, own in found.items()
        }
    first = next(iter(by_score[OLD].values()))
    marks = [mark for scan in first for mark in scan.marks]
    return {
        "detect": config.scans.detect,
        "marks": len(marks),
        "distinct": len({mark.score for mark in marks}),
        "methods": methods,
        "scans": len(first),
        "nodules": sum(len(scan.nodules) for scan in first),
        "patients": len({scan.patient for scan in first}),
        **harness.machine("jax", "numpy"),
    }


def run_config(workdir: pathlib.Path) -> ConfigDict:
    """Returns a finished run's config, its lists as the tuples that they were.

    Raises:
        InputError: if there is no such run.
    """
    if not (workdir / "cases.csv").is_file():
        raise InputError(f"{workdir} is no workdir of a finished run: name one (--workdir=runs/demo)")
    config = settings.of_run(workdir)
    config.scans.score, config.scans.smallest = OLD, 0.0
    return config


def read(parts: Sequence[pathlib.Path], score: str) -> dict[str, list[Scan]]:
    """Returns by method the scans with their marks, ranked by a score."""
    rows = [row for part in parts for row in files.read_rows(part / "scans.csv")]
    marks = [row | {"score": row[score]} for part in parts for row in files.read_rows(part / "marks.csv")]
    return scan_files.with_marks(rows, marks, sorted({row["method"] for row in marks}))


def least(scans: Sequence[Scan]) -> list[float]:
    """Returns for each of `RATES` the lowest score from which on no more false marks per scan remain."""
    false = sorted((mark.score for scan in scans for mark in scan.marks if not mark.hits), reverse=True)
    kept = [math.floor(rate * len(scans)) for rate in RATES]
    return [math.nextafter(false[count], math.inf) if count < len(false) else -math.inf for count in kept]


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(
        f"\n{result['scans']} validation scans of {result['patients']} patients, {result['nodules']} nodules. FROC: "
        "mean share of nodules found over\n"
        f"{', '.join(f'{rate:g}' for rate in RATES)} false marks per scan, and at each; in brackets 95 %. Slices are "
        f"searched from a\nprobability of {result['detect']:g} on: {result['marks']} marks of the first method, "
        f"{result['distinct']} distinct probabilities.\n"
    )
    rates = "".join(f"{rate:>6g}" for rate in RATES)
    print(f"{'method':<14}{'score':<13}{'mean':<18}{'less probability':<26}{rates}")
    for method, scores in result["methods"].items():
        for name, row in scores.items():
            mean = f"{row['mean']['value']:.2f} ({row['mean']['words']})"
            gain = f"{row['gain']['value']:+.2f} ({row['gain']['words']})" if name != OLD else ""
            print(f"{method:<14}{name:<13}{mean:<18}{gain:<26}" + "".join(f"{v:6.2f}" for v in row["at"]))
    print("\nscore from which on so many false marks per scan remain (predict.least):\n")
    print(f"{'method':<14}{'score':<13}" + "".join(f"{rate:>9g}" for rate in RATES))
    for method, scores in result["methods"].items():
        for name, row in scores.items():
            print(f"{method:<14}{name:<13}" + "".join(f"{value:9.3g}" for value in row["least"]))
    print()
    for name, words in SCORES.items():
        print(f"{name}: {words}")


def _row(found: Froc, old: Froc) -> dict[str, Any]:
    gain = (found.drawn - old.drawn).estimate
    return {
        "mean": dataclasses.asdict(found.mean) | {"words": interval(found.mean, 2)},
        "gain": dataclasses.asdict(gain) | {"words": interval(gain, 2, signed=True)},
        "at": [round(own.value, 4) for own in found.sensitivity],
    }


if __name__ == "__main__":
    main()
