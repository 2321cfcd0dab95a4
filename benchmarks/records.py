"""Where the time of a records build goes, against the floor of only decoding the DICOM files.

    python benchmarks/records.py --manual_dir=ARCHIVE [--workers=N] [--quick] [--json]

Without --manual_dir it writes a few scans of the twin as uncompressed DICOM first. All is measured in one run on
the same files: SimpleITK decoding them slice by slice and doing nothing else; each stage of the build, one scan
after the other, in one process; the command itself with N processes, its start included; and batches for training,
decoded in the background as `fit.input=stream` does. --quick takes two scans. --json adds a last line of JSON;
`time_vs_decode` is the sum of all stages over SimpleITK's time.
"""

import argparse
import collections
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import harness
import SimpleITK as sitk

from wsns.data.lidc.annotations import cluster, load_scans
from wsns.data.lidc.consensus import consensus
from wsns.data.lungs.masks import segment
from wsns.data.records.extract import scan_records
from wsns.data.records.loading import stream
from wsns.data.records.plan import Options, Plan, make_plan
from wsns.data.records.scan_store import Store
from wsns.data.records.split import SPLITS
from wsns.data.synthetic import archive
from wsns.run.records_folder import write_all
from wsns.runtime.processes import cores
from wsns.training import batching

TWIN_SCANS = 4
PACKAGES = ("numpy", "scipy", "scikit-image", "SimpleITK", "pydicom", "array_record", "tensorflow-datasets")


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "two scans only")
    parser.add_argument("--manual_dir", default="", help="folder with scans of LIDC-IDRI")
    parser.add_argument("--workers", type=int, default=cores(), help="processes; default: one per core")
    flags = parser.parse_args()
    harness.finish(flags, lambda: run(flags), show)


def run(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns all that is measured, on what it was, and with which versions.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    with tempfile.TemporaryDirectory() as name:
        room = pathlib.Path(name)
        scans = 2 if flags.quick else 0
        folder = flags.manual_dir or _twin(room / "archive", scans or TWIN_SCANS)
        return {
            "source": "LIDC-IDRI" if flags.manual_dir else "LIDC twin as DICOM",
            **measure(folder, scans, flags.workers, room),
            **harness.machine(*PACKAGES),
        }


def _twin(folder: pathlib.Path, number: int) -> str:
    """Writes the first scans of 2.5 mm that have annotations as DICOM; returns the folder."""
    usable = [scan for scan in load_scans().values() if scan.thickness == 2.5 and scan.annotations]
    archive.write(folder, usable[:number])
    return str(folder)


def measure(folder: str, max_scans: int, workers: int, room: pathlib.Path) -> dict[str, Any]:
    """Returns what is measured on the scans in a folder: times in seconds, memory in MiB."""
    choice = Options(manual_dir=folder, max_scans=max_scans, workers=workers)
    command = [
        sys.executable, str(harness.ROOT / "main.py"), f"--config={harness.ROOT}/configs/records.py",
        f"--workdir={room / 'run'}",
        f"--config.data.manual_dir={folder}", f"--config.data.max_scans={max_scans}",
        f"--config.data.workers={workers}",
    ]  # fmt: skip
    plan = make_plan(choice, lambda items, _: items)
    whole: collections.Counter[str] = collections.Counter()
    with harness.clock(whole, "command"):
        subprocess.run(command, check=True, capture_output=True)
    files = [file.path for uid in plan.source.series for file in plan.source.files[uid]]
    with harness.clock(whole, "decode"):
        decode_only(files)
    stages = time_stages(plan, choice, room)
    splits = [part for part in SPLITS if plan.series(part)]
    speed = stream_speed(room / "records", splits)
    scans = len(plan.source.series)
    total = sum(stages.values())
    return {
        "time_vs_decode": round(total / whole["decode"], 2),
        "scans": scans,
        "files": len(files),
        "workers": workers,
        "decode_ms_per_slice": round(1000 * whole["decode"] / len(files), 2),
        "core_seconds_per_scan": round(total / scans, 2),
        "shares": {name: round(time / total, 3) for name, time in stages.items()},
        "command_seconds": round(whole["command"], 1),
        "command_scans_per_minute": round(60 * scans / whole["command"], 1),
        "streamed_slices_per_second": round(speed, 1),
        "peak_mib_largest_process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def time_stages(plan: Plan, choice: Options, room: pathlib.Path) -> dict[str, float]:
    """Returns the seconds of each stage, over all scans, in this process."""
    spent: collections.Counter[str] = collections.Counter()
    store = Store(room / "store", plan.source, choice.rules)
    for uid in plan.source.series:
        scan = plan.scans[uid]
        with harness.clock(spent, "reading"):
            volume = plan.source.read(uid)
        with harness.clock(spent, "contours"):
            clusters = cluster(scan)
        with harness.clock(spent, "consensus"):
            for group in clusters:
                consensus(group.masks, choice.consensus)
        with harness.clock(spent, "lungs in 3-D"):
            segment(volume)
        with harness.clock(spent, "all of a scan"):
            made = scan_records(scan, volume, choice.rules)
        with harness.clock(spent, "keeping the scan"):
            store.write(made)
    inside = sum(spent[name] for name in ("contours", "consensus", "lungs in 3-D"))
    spent["crops, outlines, picture"] = spent.pop("all of a scan") - inside
    (room / "records").mkdir()
    with harness.clock(spent, "writing and checking"):
        write_all(plan, choice, store, room / "records")
    return dict(spent)


def stream_speed(directory: pathlib.Path, parts: Iterable[str]) -> float:
    """Returns the slices per second that training gets from disk, in batches of 30, in random order, by all cores."""
    slices, seconds = 0, 0.0
    for part in parts:
        examples = stream(directory, part, ("hu", "label"))
        data = batching.Feed(examples, 30)
        began = time.perf_counter()
        for _ in data.batches(batching.order(0, 1, data.count)):
            pass
        seconds += time.perf_counter() - began
        slices += data.count
    return slices / seconds


def decode_only(paths: Iterable[str]) -> None:
    """Decodes files with SimpleITK, one after the other."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    for path in paths:
        reader.SetFileName(path)
        reader.Execute()


def show(result: dict[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(
        f"\n{result['source']}: {result['scans']} scans, {result['files']} files, {result['device']}\n"
        f"  SimpleITK, decoding alone {result['decode_ms_per_slice']:8.2f} ms per slice\n"
        f"  whole build               {result['time_vs_decode']:8.2f} times as long, "
        f"{result['core_seconds_per_scan']:.2f} s per scan and core, of which"
    )
    for name, share in result["shares"].items():
        print(f"    {name:<26}{100 * share:5.1f} %")
    print(
        f"  training reads            {result['streamed_slices_per_second']:8.0f} slices per second from disk\n"
        f"  the command, {result['workers']} processes {result['command_seconds']:10.1f} s with its start, "
        f"{result['command_scans_per_minute']:.0f} scans per minute, largest process "
        f"{result['peak_mib_largest_process']} MiB"
    )


if __name__ == "__main__":
    main()
