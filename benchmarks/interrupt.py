"""Kills a run at random moments, takes it up again each time, and compares what it leaves with an uninterrupted run.

    python benchmarks/interrupt.py --config=configs/demo.py --kills=20 --workdir=runs/interrupt

The tables, cases, masks and pictures must be equal to the byte; clocks, logs and stamps may differ.
What follows `--` goes to both runs, as `-- --config.train.epochs=1`.
"""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
COMPARED = (
    *("table1.txt", "table1.csv", "table1.md", "measures.csv", "cases.csv", "figures/*.png", "masks/*/*"),
    *("scans/*.csv", "scans/*/*", "records/*.csv", "records/*.json", "records/check/*"),
)
TIMED = ("accounting.json", "curves.png")
"""Files that hold how long something took, or are drawn from such."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if all files are equal."""
    flags = _flags(arguments)
    command = [sys.executable, "main.py", f"--config={flags.config}", *flags.rest]
    whole, cut = (flags.workdir.absolute() / name for name in ("whole", "killed"))
    began = time.monotonic()
    _run([*command, f"--workdir={whole}"])
    seconds = time.monotonic() - began
    shutil.rmtree(cut, ignore_errors=True)
    rng = random.Random(flags.seed)
    kills = 0
    # A run that goes on has less left to do: moments over the whole length would mostly come too late.
    while kills < flags.kills:
        after = rng.uniform(0, max(flags.least, 2.5 * seconds / flags.kills))
        if not _kill([*command, f"--workdir={cut}"], after):
            break
        kills += 1
        print(f"kill {kills} of {flags.kills}: after {after:.1f} s", flush=True)
    _run([*command, f"--workdir={cut}"])
    compared = files(whole)
    if not compared:
        sys.exit(
            f"error: {whole} holds no file that could be compared: is {flags.config} a run to the table?"
        )
    different = differences(whole, cut)
    print(f"{kills} kills; {len(compared)} files compared; different: {', '.join(different) or 'none'}")
    return int(bool(different))


def files(folder: pathlib.Path) -> list[str]:
    """Returns the names of a run's files that must not depend on when it was interrupted."""
    found = {path for pattern in COMPARED for path in folder.glob(pattern) if path.is_file()}
    return sorted(str(path.relative_to(folder)) for path in found if path.name not in TIMED)


def differences(one: pathlib.Path, other: pathlib.Path) -> list[str]:
    """Returns the names of files that only one run has, or that are not equal to the byte."""
    names = sorted({*files(one), *files(other)})
    return [
        name
        for name in names
        if not (one / name).is_file()
        or not (other / name).is_file()
        or (one / name).read_bytes() != (other / name).read_bytes()
    ]


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="configs/demo.py", help="file of the config")
    parser.add_argument("--kills", type=int, default=20, help="how often")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument(
        "--least", type=float, default=20.0, help="seconds that a run has at most, at least so many"
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=pathlib.Path("runs/interrupt"),
        help="folder for both runs; one that is finished there already is not done again",
    )
    parser.add_argument("rest", nargs="*", help="overrides, after --")
    return parser.parse_args(arguments)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")


def _kill(command: Sequence[str], after: float) -> bool:
    """Starts a run and kills it; says whether it still ran then.

    Workers of its own see that it has gone and end.
    """
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, said = run.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.communicate()
        return True
    if run.returncode:
        sys.exit(f"error: ended with {run.returncode}: {said.decode(errors='replace')[-2000:]}")
    return False


if __name__ == "__main__":
    sys.exit(main())
