"""R-NAM screening three ways: by windows, in full batches, and one forward pass after another.

    python benchmarks/screening.py [--size=384] [--width=1] [--dtype=…] [--counts=4,16,64] [--rounds=N]
                                   [--quick] [--json]

One slice of noise at lung density (384 × 384 pixels), an untrained network, and discs of 6 to 38 pixels to be masked
out: as large as 90 % of the demo's candidates are. All three score the same masked copies by Eq. 4:

loop: a jitted forward pass per copy, as class-activation libraries do it; full: `wsns.segmentation.residual_nam`, in
batches; incremental: `wsns.segmentation.residual_nam_windows`, what the method uses. The rounds alternate, and medians
count. "Reading" is the pass over the slice that all three need first; it takes longer where it keeps what the windows
start from. --quick leaves 64 candidates out and takes one round. --json adds a last line of JSON:
`incremental_vs_full` and `incremental_vs_loop` are their seconds over those of incremental, geometric means over the
counts; `max_difference` is the largest between the scores that full and incremental give a copy.
"""

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
import harness
import jax
import jax.numpy as jnp
import numpy as np
from random_network import he_params

from wsns.models.preprocess import LUNG, prepare
from wsns.models.vgg_gap import VGG
from wsns.segmentation import residual_nam, residual_nam_windows
from wsns.segmentation.batches import chunk_size
from wsns.segmentation.nam import ReadFunction, Reading, nothing, read_function
from wsns.segmentation.residual_nam import Masking, masked_copy, squared_change

CROP = 384
DIAMETERS = (6.0, 38.0)
SCOPE = 24
BATCH = 4
PARENCHYMA = -870.0
PACKAGES = ("jax", "jaxlib", "flax", "numpy")


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "4 and 16 candidates, one round")
    parser.add_argument("--size", type=int, default=384, help="pixels along the edge of the network's input")
    parser.add_argument("--width", type=float, default=1.0, help="factor on VGG16's numbers of filters")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--counts", type=numbers, default=[4, 16, 64], help="candidates per slice: 4,16,64")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    flags = parser.parse_args()
    if flags.quick:
        flags.counts, flags.rounds = [4, 16], 1
    if flags.size % 16 or CROP % flags.size or min(flags.counts) < 1 or flags.rounds < 1:
        parser.error("--size is a multiple of 16 and divides 384; --counts and --rounds are positive")
    harness.finish(flags, lambda: run(flags), show)


def numbers(text: str) -> list[int]:
    """Returns whole numbers from a text with commas."""
    return [int(number) for number in text.split(",")]


def run(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns all that is measured, on what it was, and with which versions."""
    module = VGG(gaps=1, width=flags.width, dtype=jnp.dtype(flags.dtype))
    params = jax.device_put(he_params(module, flags.size))
    ready = functools.partial(prepare, size=flags.size, window=(-1000.0, 400.0), preprocessing=LUNG)

    def apply(parameters: Any, images: jax.Array) -> Any:
        return module.apply({"params": parameters}, images)

    plain, keeping = (
        read_function(apply, ready, CROP, keep=keep) for keep in (nothing, residual_nam_windows.keep)
    )
    hu = np.random.default_rng(0).normal(PARENCHYMA, 60, (1, CROP, CROP)).astype(np.int16)
    reading_ms = {
        name: 1000 * statistics.median(seconds)
        for name, seconds in alternate(
            {
                "plain": functools.partial(_wait, jax.jit(plain), params, hu),
                "keeping": functools.partial(_wait, jax.jit(keeping), params, hu),
            },
            flags.rounds,
        ).items()
    }
    reading = jax.jit(keeping)(params, hu)
    batch = max(BATCH, chunk_size(0))
    rows = [
        compare(
            {
                "loop": functools.partial(loop, plain, params, hu, reading),
                "full": functools.partial(residual_nam.screen, plain, params, hu, reading, chunk=batch),
                "incremental": functools.partial(
                    residual_nam_windows.screen, keeping, ready, params, hu, reading
                ),
            },
            discs(count),
            flags.rounds,
        )
        for count in flags.counts
    ]
    return {
        **{
            f"incremental_vs_{other}": round(
                statistics.geometric_mean(
                    row["seconds"][other] / row["seconds"]["incremental"] for row in rows
                ),
                2,
            )
            for other in ("full", "loop")
        },
        "max_difference": max(row["max_difference"] for row in rows),
        "rows": rows,
        "reading_ms": reading_ms,
        "kept_mb": round(sum(leaf.nbytes for leaf in jax.tree.leaves(reading.kept)) / 1e6, 1),
        "size": flags.size,
        "width": flags.width,
        "dtype": flags.dtype,
        "full_batch": batch,
        "incremental_batch": chunk_size(0),
        **harness.machine(*PACKAGES),
    }


def discs(count: int) -> list[Masking]:
    """Returns so many discs to be masked out, sizes log-uniform, anywhere in the slice, each with its scope."""
    rng = np.random.default_rng(count)
    y, x = np.mgrid[:CROP, :CROP]
    made = []
    for _ in range(count):
        row, column = rng.uniform(0, CROP, 2)
        radius = np.exp(rng.uniform(*np.log(DIAMETERS))) / 2
        distance = np.hypot(y - row, x - column)
        inside = distance <= max(radius, distance.min())
        made.append(Masking(0, inside, PARENCHYMA, distance <= radius + SCOPE))
    return made


def loop(
    read: ReadFunction, params: Any, hu: np.ndarray, reading: Reading, maskings: list[Masking]
) -> np.ndarray:
    """Scores masked copies one by one."""
    return np.array([_one(read, params, hu, reading.nam, m.mask, m.value, m.scope) for m in maskings])


@functools.partial(jax.jit, static_argnums=0)
def _one(
    read: ReadFunction,
    params: Any,
    hu: jax.Array,
    nam: jax.Array,
    mask: jax.Array,
    value: float,
    scope: jax.Array,
) -> jax.Array:
    return squared_change(read(params, masked_copy(hu[0], mask, value)[None]).nam[0], nam[0], scope)


def compare(
    competitors: Mapping[str, Callable[[list[Masking]], np.ndarray]], maskings: list[Masking], rounds: int
) -> dict[str, Any]:
    """Returns the median seconds of each way for the same copies, and how far full and incremental differ."""
    scores = {name: score(maskings) for name, score in competitors.items()}  # compiles
    taken = alternate(
        {name: functools.partial(score, maskings) for name, score in competitors.items()}, rounds
    )
    return {
        "candidates": len(maskings),
        "seconds": {name: statistics.median(seconds) for name, seconds in taken.items()},
        "max_difference": float(np.abs(scores["full"] - scores["incremental"]).max()),
        "largest_score": float(scores["full"].max()),
    }


def alternate(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds that each takes, in turns, after one round that isn't counted."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number:
                taken[name].append(time.perf_counter() - began)
    return taken


def _wait(function: Callable[..., Any], *arguments: Any) -> None:
    jax.block_until_ready(function(*arguments))


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    reading = result["reading_ms"]
    print(
        f"\n{result['size']} × {result['size']} pixels, width {result['width']:g}, {result['dtype']}, "
        f"{result['device']}\n"
        f"copies at once: full {result['full_batch']}, incremental {result['incremental_batch']}; "
        f"reading the slice: {reading['plain']:.0f} ms, keeping {result['kept_mb']:g} MB for windows "
        f"{reading['keeping']:.0f} ms\n\n"
        f"{'candidates':<12}{'loop s':>9}{'full s':>9}{'incremental s':>15}{'over loop':>11}{'over full':>11}"
        f"{'largest difference':>20}"
    )
    for row in result["rows"]:
        loop_s, full, own = (row["seconds"][name] for name in ("loop", "full", "incremental"))
        print(
            f"{row['candidates']:<12}{loop_s:>9.3f}{full:>9.3f}{own:>15.3f}{loop_s / own:>10.1f}×{full / own:>10.1f}×"
            f"{row['max_difference']:>20g}"
        )


if __name__ == "__main__":
    main()
