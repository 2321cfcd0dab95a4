"""The whole method on slices with a nodule: how fast, where the time goes, and what the networks alone would take.

    python benchmarks/method.py [--workdir=RUN | --manual_dir=DIR] [--size=384] [--width=1] [--dtype=…]
                                [--slices=16] [--rounds=N] [--quick] [--json]

With the networks and the test slices of a run, or with untrained networks on slices of scans in DIR or of the twin;
all slices are searched. Untrained networks look anywhere: they are given a wide scope (tau 0.1), or there would be
hardly a candidate. Timed in turns, medians count:

networks: one pass of the 1-, 2- and 3-GAP network over each slice, to its probability, and nothing else; method: the
same and the maps, scopes, phases, candidates, screening and choice for all three variants, the next slices proposed in
the background and several at once. The shares are of the stages one after the other, each waited for. --quick takes
four slices and one round. --json adds a last line of JSON; `time_vs_network` is the method's time over the networks'.
"""

import argparse
import collections
import dataclasses
import functools
import json
import os
import pathlib
import statistics
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
import harness
import jax
import jax.numpy as jnp
import numpy as np
from nodule_slices import nodule_slices
from random_network import he_params

from wsns.data.lungs.hull import hull
from wsns.data.records import loading as records
from wsns.errors import InputError
from wsns.models.preprocess import LUNG, prepare
from wsns.models.vgg_gap import VGG
from wsns.run import settings
from wsns.run.networks import load_trained
from wsns.runtime.background import ahead, threads
from wsns.segmentation import residual_nam_windows
from wsns.segmentation.batches import blocks, padded
from wsns.segmentation.nam import ReadFunction, nothing, read_function
from wsns.segmentation.networks import method_input, weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network, Slices, compute_labels, read_slices, segment_slices
from wsns.segmentation.regions import Screen, choose_regions, propose, score_regions
from wsns.segmentation.results import SliceResult

SCANS = 4
Given = tuple[Slices, dict[int, Network], Screen, Options, dict[str, Any]]
PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scikit-image")


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "four slices, one round")
    parser.add_argument(
        "--workdir", type=pathlib.Path, help="of a run with the three weakly supervised networks"
    )
    parser.add_argument("--manual_dir", default="", help="folder with scans of LIDC-IDRI")
    parser.add_argument("--size", type=int, default=384, help="pixels along the edge of the networks' input")
    parser.add_argument("--width", type=float, default=1.0, help="factor on VGG16's numbers of filters")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--slices", type=int, default=16, help="how many")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    flags = parser.parse_args()
    if flags.quick:
        flags.slices, flags.rounds = 4, 1
    if flags.size % 16 or 384 % flags.size or flags.slices < 1 or flags.rounds < 1:
        parser.error("--size is a multiple of 16 and divides 384; --slices and --rounds are positive")
    harness.finish(flags, lambda: run(flags), show)


def run(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns all that is measured, on what it was, and with which versions.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    slices, networks, screen, options, what = of_run(flags) if flags.workdir else untrained(flags)
    count = len(slices.hu)
    seconds: dict[str, list[float]] = collections.defaultdict(list)
    stages: dict[str, list[float]] = collections.defaultdict(list)
    for number in range(flags.rounds + 1):
        parts: dict[str, float] = collections.defaultdict(float)
        with harness.clock(parts, "networks"):
            for block in blocks(count, options.batch):
                rows = padded(slices.take(block).seen, options.batch)
                jax.block_until_ready([classify(read, params, rows) for read, params in networks.values()])
        with harness.clock(parts, "method"), threads() as each:
            for _ in segment_slices(slices, networks, screen, options, ahead=ahead, each=each):
                pass
        own, copies = one_by_one(slices, networks, screen, options)
        if number:  # the first round compiles
            for name, value in parts.items():
                seconds[name].append(value)
            for name, value in own.items():
                stages[name].append(value)
    per_slice = {name: statistics.median(values) / count for name, values in seconds.items()}
    median = {name: statistics.median(values) for name, values in stages.items()}
    return {
        "time_vs_network": round(per_slice["method"] / per_slice["networks"], 2),
        "slices_per_second": {name: round(1 / value, 3) for name, value in per_slice.items()},
        "shares": {name: round(value / sum(median.values()), 3) for name, value in median.items()},
        "ms_per_slice": {name: round(1000 * value / count, 1) for name, value in median.items()},
        "copies_per_slice": round(copies / count, 1),
        "slices": count,
        **what,
        **harness.machine(*PACKAGES),
    }


def of_run(flags: argparse.Namespace) -> Given:
    """Returns a run's test slices with a nodule, evenly taken, its networks and its thresholds.

    Raises:
        InputError: if there is no such run.
    """
    if not (flags.workdir / "records" / "accounting.json").is_file():
        raise InputError(f"{flags.workdir} is no workdir of a finished run: name one (--workdir=runs/demo)")
    config = settings.of_run(flags.workdir)
    config.models = [name for name in config.models if name != "unet"]
    options = dataclasses.replace(Options(**config.segment.to_dict()), detect=0.0)
    networks, screen = weak_networks(config, load_trained(config, flags.workdir), options)
    found = records.load(flags.workdir / "records", "test")
    positive = np.flatnonzero(found.label)
    rows = positive[np.unique(np.linspace(0, len(positive) - 1, flags.slices).round().astype(int))]
    source = json.loads((flags.workdir / "records" / "accounting.json").read_text())["source"]
    what = {"source": f"{source}, trained networks", "size": config.model.size, "width": config.model.width}
    slices = method_input(found.take(rows), config.model.channels)
    return slices, networks, screen, options, what | {"dtype": config.model.dtype}


def untrained(flags: argparse.Namespace) -> Given:
    """Returns slices with a nodule, untrained networks and a wide scope.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    found = nodule_slices(flags.manual_dir, SCANS, -(-flags.slices // SCANS))
    slices = method_input(found.take(np.arange(min(flags.slices, len(found)))), "same")
    ready = functools.partial(prepare, size=flags.size, window=(-1000.0, 400.0), preprocessing=LUNG)
    networks = {}
    for gaps in (1, 2, 3):
        module = VGG(gaps=gaps, width=flags.width, dtype=jnp.dtype(flags.dtype))

        def apply(parameters: Any, images: jax.Array, module: VGG = module) -> Any:
            return module.apply({"params": parameters}, images)

        read = read_function(apply, ready, 384, keep=residual_nam_windows.keep if gaps == 1 else nothing)
        networks[gaps] = read, jax.device_put(he_params(module, flags.size))
    screen = functools.partial(residual_nam_windows.screen, networks[1][0], ready, networks[1][1])
    source = "LIDC-IDRI" if flags.manual_dir else "LIDC twin"
    what = {"source": f"{source}, untrained networks", "size": flags.size, "width": flags.width}
    options = Options(detect=0.0, tau=0.1, batch=min(8, len(found)))
    return slices, networks, screen, options, what | {"dtype": flags.dtype}


@functools.partial(jax.jit, static_argnums=0)
def classify(read: ReadFunction, params: Any, hu: jax.Array) -> jax.Array:
    """Returns the probabilities only, so that the compiler leaves the rest of the reading out."""
    return read(params, hu).probability


def one_by_one(
    slices: Slices, networks: Mapping[int, Network], screen: Screen, options: Options
) -> tuple[dict[str, float], int]:
    """Returns the seconds of each stage, one after the other, and how many masked copies were screened."""
    spent: dict[str, float] = collections.defaultdict(float)
    screened = []

    def counted(*arguments: Any) -> np.ndarray:
        screened.append(len(arguments[2]))
        return screen(*arguments)

    for block in blocks(len(slices.hu), options.batch):
        part = slices.take(block)
        hu, lungs, spacing, counts = part[:4]
        seen = part.seen
        with harness.clock(spent, "networks and maps"):
            readings = jax.block_until_ready(read_slices(seen, networks, options.batch))
            nams = {gaps: np.asarray(reading.nam) for gaps, reading in readings.items()}
        with harness.clock(spent, "phases (ICM)"):
            labels = compute_labels(hu, lungs, options)
        with harness.clock(spent, "hull"):
            hulls = [
                hull(lung, mm, options.hull_closing, options.hull_part)
                for lung, mm in zip(lungs, spacing, strict=True)
            ]
        found = []
        with harness.clock(spent, "scopes, candidates, fill"):
            for n in range(len(hu)):
                own = {gaps: stack[n] for gaps, stack in nams.items()}
                regions, whole = propose(
                    hu[n], lungs[n], spacing[n], counts[n], own, labels[n], hulls[n], options
                )
                found.append(SliceResult({}, own, True, labels[n], hulls[n], regions, whole))
        with harness.clock(spent, "R-NAM screening"):
            scored = score_regions(found, range(len(seen)), seen, readings[1], counted)
        with harness.clock(spent, "choice of outline"):
            for result in scored:
                choose_regions(result, options)
    return spent, sum(screened)


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    speed = result["slices_per_second"]
    print(
        f"\n{result['source']}: {result['slices']} slices with a nodule, {result['size']} × {result['size']} pixels, "
        f"width {result['width']:g}, {result['dtype']}, {result['device']}\n"
        f"  three networks alone  {speed['networks']:8.2f} slices per second\n"
        f"  the whole method      {speed['method']:8.2f} slices per second: {result['time_vs_network']:.2f} times as "
        f"long, with {result['copies_per_slice']:g} masked copies per slice\n\n"
        f"  one stage after the other, {sum(result['ms_per_slice'].values()):.0f} ms per slice (together they take "
        f"{1000 / speed['method']:.0f}):"
    )
    for name, share in result["shares"].items():
        print(f"    {name:<26}{100 * share:5.1f} %  {result['ms_per_slice'][name]:8.1f} ms per slice")


if __name__ == "__main__":
    main()
