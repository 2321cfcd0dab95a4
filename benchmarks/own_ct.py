"""What the task predict finds in scans whose lesions are known: LIDC-IDRI's readers, or a DICOM SEG beside the scan.

    python benchmarks/own_ct.py --manual_dir=DIR [--run=RUN] [--score=NAME] [--least=VALUE] [--quick] [--json]

DIR holds DICOM series to any depth. The reference is, of a scan of LIDC-IDRI, each nodule that at least two readers
drew, as the majority of its readers; of another scan the majority of the SEG files that refer to its series; scans
with neither are searched and counted. A lesion is found if a nodule overlaps it; its rank is that of the first that
does, its Dice that of this nodule, in 3-D. --quick takes one scan.
"""

import argparse
import collections
import pathlib
import resource
import statistics
import time
from collections.abc import Mapping
from typing import Any

import harness
import numpy as np
import pydicom

from configs import predict
from wsns.data.lidc.annotations import Scan, cluster, load_scans
from wsns.evaluation.metrics import dice
from wsns.prediction import inputs, networks
from wsns.prediction.scan import Prediction
from wsns.prediction.search import Choice, searcher
from wsns.runtime.background import ahead, threads

LEAST_READERS = 2


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    flags = harness.parser(__doc__, "one scan only")
    flags.add_argument("--manual_dir", required=True, help="folder of DICOM series")
    flags.add_argument(
        "--run", default="", help="a finished run, or a file of networks; default: the package's"
    )
    for name, kind in (
        ("detect", float),
        ("score", str),
        ("least", float),
        ("smallest", float),
        ("gaps", int),
    ):
        flags.add_argument(f"--{name}", type=kind, help=f"predict.{name}, if not the default")
    given = flags.parse_args()
    harness.finish(given, lambda: measure(given), show)


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns a row for each scan.

    Raises:
        InputError: if there is none.
    """
    fields = predict.get_config().predict.to_dict()
    fields |= {name: value for name in fields if (value := getattr(flags, name, None)) is not None}
    found = inputs.find(flags.manual_dir)[: 1 if flags.quick else None]
    known, drawn = load_scans(), segmentations(pathlib.Path(flags.manual_dir))
    rows = []
    with threads() as each:
        search = searcher(networks.load(flags.run), Choice.of(fields), ahead=ahead)
        for one in found:
            begun = time.perf_counter()
            made = search(one.read(), each=each)
            seconds = time.perf_counter() - begun
            scan = known.get(one.series)
            lesions = readers(scan, made) if scan else majority(drawn.get(one.series, []), made)
            about = {
                "patient": made.ct.patient,
                "slices": len(made.ct.volume.z),
                "seconds": round(seconds, 1),
            }
            rows.append(about | beside(made, lesions))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"scans": rows, "gib": round(memory, 2), "options": fields, **harness.machine("jax", "numpy")}


def beside(made: Prediction, lesions: list[np.ndarray]) -> dict[str, Any]:
    """Returns which of the lesions (Z, Y, X) bool were found, at which rank, with which Dice, and what else."""
    ranks, overlaps, hits = [], [], set()
    for lesion in lesions:
        touching = [int(number) for number in np.unique(made.labels[lesion]) if number]
        hits.update(touching)
        ranks.append(touching[0] if touching else 0)
        overlaps.append(round(dice(made.labels == touching[0], lesion), 2) if touching else 0.0)
    return {
        "lesions": len(lesions),
        "found": sum(rank > 0 for rank in ranks),
        "ranks": ranks,
        "dice": overlaps,
        "other": len(made.nodules) - len(hits),
    }


def readers(scan: Scan, made: Prediction) -> list[np.ndarray]:
    """Returns each nodule that enough readers drew, as the majority of them."""
    lesions = []
    for own in cluster(scan):
        if len(own.annotations) >= LEAST_READERS:
            whole = np.zeros(made.labels.shape, bool)
            box = tuple(slice(a, a + n) for a, n in zip(own.origin, own.masks.shape[1:]))
            whole[box] = 2 * own.masks.sum(axis=0) >= len(own.masks)
            lesions.append(whole)
    return lesions


def segmentations(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the SEG files by the series that they are of."""
    found = collections.defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            header = pydicom.dcmread(
                path,
                stop_before_pixels=True,
                force=True,
                specific_tags=["Modality", "ReferencedSeriesSequence"],
            )
            if header.get("Modality") == "SEG":
                found[header.ReferencedSeriesSequence[0].SeriesInstanceUID].append(path)
    return found


def majority(paths: list[pathlib.Path], made: Prediction) -> list[np.ndarray]:
    """Returns the lesion that most SEG files have, by the places of their frames."""
    if not paths:
        return []
    votes = np.zeros(made.labels.shape, int)
    for path in paths:
        # By pydicom: highdicom refuses files that name a slice twice.
        seg = pydicom.dcmread(path)
        pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
        for frame, plane in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
            z = float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
            votes[int(np.abs(made.ct.volume.z - z).argmin())] += plane > 0
    return [2 * votes > len(paths)]


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(
        f"\n{'scan':<18}{'slices':>7}{'seconds':>9}{'found':>9}  {'ranks':<24}{'Dice (3-D)':<32}{'others':>7}"
    )
    for row in result["scans"]:
        found = f"{row['found']} of {row['lesions']}" if row["lesions"] else "unknown"
        ranks = " ".join(str(rank) if rank else "–" for rank in row["ranks"])
        overlaps = " ".join(f"{value:.2f}" for value in row["dice"])
        print(
            f"{row['patient']:<18}{row['slices']:>7}{row['seconds']:>9}{found:>9}  {ranks:<24}{overlaps:<32}"
            f"{row['other']:>7}"
        )
    rate = statistics.median(250 * row["seconds"] / row["slices"] for row in result["scans"])
    print(f"\n250 slices in {rate:.0f} s (median); {result['gib']} GiB; {result['device']}")


if __name__ == "__main__":
    main()
