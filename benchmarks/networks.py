"""Training and inference of the networks, side by side with the same networks in PyTorch.

    python benchmarks/networks.py [--models=gap1,gap2,gap3] [--size=384] [--width=1] [--batch=N] [--dtype=…]
                                  [--rounds=N] [--quick] [--json]

Both get the same crops in HU, weights, loss and optimiser (SGD with momentum, the trunk at a tenth of the rate), and
must give the same logits before anything is timed. PyTorch runs as its users run it: channels last, oneDNN on a CPU;
on a GPU autocast and torch.compile. The rounds alternate, and medians count. "Share" is the rate of operations, two
per multiplication with a weight and three forward passes for a training step, as a share of what this device reaches
on a large matrix product in the same run. --quick takes 1-GAP only and two rounds. --json adds a last line of JSON:
`forward_vs_torch` and `train_vs_torch` are our slices per second over PyTorch's, `share_of_matmul_rate` is that of
training; each the geometric mean over the networks. Without PyTorch only our own figures are printed.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one device against one
import harness
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from random_network import he_params

from wsns.models import size as sizes
from wsns.models.preprocess import LUNG, prepare
from wsns.models.vgg_gap import VGG
from wsns.models.weights.files import LAYERS
from wsns.planning.timing import matmul_rate
from wsns.training import batching, losses
from wsns.training import step as steps

try:
    import networks_torch
except ImportError:
    networks_torch = None

WINDOW = (-1000.0, 400.0)
RATE, MOMENTUM, TRUNK_FACTOR = 1e-3, 0.9, 0.1
TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2}
Competitor = Mapping[str, Callable[[], Any]]


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "1-GAP only, two rounds")
    on_gpu = jax.default_backend() != "cpu"
    parser.add_argument("--models", default="gap1,gap2,gap3", help="of gap1, gap2, gap3")
    parser.add_argument("--size", type=int, default=384, help="pixels along the edge of the input")
    parser.add_argument("--width", type=float, default=1.0, help="factor on VGG16's numbers of filters")
    parser.add_argument("--batch", type=int, default=32 if on_gpu else 2, help="slices per step")
    parser.add_argument("--dtype", choices=TOLERANCE, default="bfloat16" if on_gpu else "float32")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    flags = parser.parse_args()
    if flags.quick:
        flags.models, flags.rounds = "gap1", 2
    names = flags.models.split(",")
    if not set(names) <= {"gap1", "gap2", "gap3"} or flags.size % 16 or flags.batch < 1 or flags.rounds < 1:
        parser.error(
            "--models are of gap1,gap2,gap3; --size is a multiple of 16; --batch and --rounds are positive"
        )
    harness.finish(flags, lambda: run(flags, names), show)


def run(flags: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    """Returns all that is measured, on what it was, and with which versions."""
    rates, models = [], {}
    for name in names:
        rates.append(matmul_rate(jnp.dtype(flags.dtype)))
        models[name] = measure(int(name[-1]), flags)
    # What the device reaches when nothing disturbs it.
    rate = max(rates)
    for model in models.values():
        speed = model["slices_per_second"]["wsns"]
        model["share_of_matmul_rate"] = 3e9 * model["gflop_per_slice"] * speed["train"] / rate
        model["forward_share_of_matmul_rate"] = 1e9 * model["gflop_per_slice"] * speed["forward"] / rate

    def mean(key: str) -> float | None:
        values = [model[key] for model in models.values()]
        return None if None in values else round(statistics.geometric_mean(values), 3)

    packages = ("jax", "jaxlib", "flax", *(["torch"] if networks_torch else []))
    return {
        **{key: mean(key) for key in ("train_vs_torch", "forward_vs_torch", "share_of_matmul_rate")},
        "models": models,
        "matmul_gflops": round(rate / 1e9, 1),
        "size": flags.size,
        "width": flags.width,
        "batch": flags.batch,
        "dtype": flags.dtype,
        **harness.machine(*packages),
    }


def measure(gaps: int, flags: argparse.Namespace) -> dict[str, Any]:
    """Returns slices per second of one network, forward and in training, ours and PyTorch's."""
    module = VGG(gaps=gaps, width=flags.width, dtype=jnp.dtype(flags.dtype))
    params = he_params(module, flags.size)
    rng = np.random.default_rng(0)
    hu = rng.uniform(-1000, 400, (flags.batch, flags.size, flags.size)).astype(np.int16)
    label = (np.arange(flags.batch) % 2).astype(np.int32)
    competitors: dict[str, Competitor] = {"wsns": ours(module, params, hu, label)}
    if networks_torch:
        theirs = networks_torch.competitor(
            params, hu, label, window=WINDOW, preprocessing=LUNG, dtype=flags.dtype, rate=RATE, momentum=MOMENTUM,
            trunk_factor=TRUNK_FACTOR, trunk=LAYERS,
        )  # fmt: skip
        competitors["torch"] = theirs
        check_equal(competitors["wsns"]["logits"](), theirs["logits"](), TOLERANCE[flags.dtype])
    seconds = alternate(competitors, flags.rounds)
    speed = {name: {what: flags.batch / t for what, t in own.items()} for name, own in seconds.items()}
    versus = {
        what: speed["wsns"][what] / speed["torch"][what] if networks_torch else None
        for what in ("forward", "train")
    }
    return {
        "train_vs_torch": versus["train"],
        "forward_vs_torch": versus["forward"],
        "slices_per_second": speed,
        "gflop_per_slice": sizes.flops(module, flags.size) / 1e9,
    }


def ours(module: nn.Module, params: Any, hu: np.ndarray, label: np.ndarray) -> Competitor:
    """Returns one forward pass and one training step of the project, as functions that wait for the result."""

    def ready(crops: jax.Array) -> jax.Array:
        return prepare(crops, size=hu.shape[1], window=WINDOW, preprocessing=LUNG)

    def apply(parameters: Any, images: jax.Array) -> Any:
        return module.apply({"params": parameters}, images)

    optimiser = losses.sgd(RATE, 0.99, 1000, MOMENTUM, TRUNK_FACTOR, LAYERS)
    train_step = steps.make_train_step(losses.classification(apply, ready), optimiser)
    data = batching.Feed(batching.InMemory({"hu": hu, "label": label}), len(hu), resident=True)
    (batch,) = data.batches(np.arange(len(hu)))
    state = steps.place(steps.init_state(params, optimiser), 1)
    forward = jax.jit(lambda parameters, crops: apply(parameters, ready(crops)).logits)
    on_device = jax.device_put((params, hu))

    def train() -> None:
        nonlocal state
        state, shown = train_step(state, batch, data.data)
        jax.block_until_ready((state, shown))

    return {
        "logits": lambda: np.asarray(forward(*on_device)),
        "forward": lambda: jax.block_until_ready(forward(*on_device)),
        "train": train,
    }


def check_equal(one: np.ndarray, two: np.ndarray, tolerance: float) -> None:
    """Ends the benchmark if both do not compute the same."""
    difference = np.abs(one - two).max() / np.abs(two).max()
    if not difference < tolerance:
        sys.exit(f"error: logits differ by {difference:.2g} of their maximum: these are not the same network")


def alternate(competitors: Mapping[str, Competitor], rounds: int) -> dict[str, dict[str, float]]:
    """Returns the median seconds of each competitor's forward pass and training step, timed in turns."""
    taken: dict[tuple[str, str], list[float]] = {}
    for what in ("forward", "train"):
        for own in competitors.values():
            own[what]()
        for _ in range(rounds):
            for name, own in competitors.items():
                began = time.perf_counter()
                own[what]()
                taken.setdefault((name, what), []).append(time.perf_counter() - began)
    return {
        name: {what: statistics.median(taken[name, what]) for what in ("forward", "train")}
        for name in competitors
    }


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(
        f"\n{result['size']} × {result['size']} pixels, width {result['width']:g}, batch {result['batch']}, "
        f"{result['dtype']}, {result['device']}\nmatrix product {result['matmul_gflops']:,.0f} GFLOP/s\n\n"
        f"{'slices per second':<20}{'wsns':>9}{'PyTorch':>9}{'ratio':>8}{'share':>8}"
    )
    for name, model in result["models"].items():
        for what, share in (("forward", "forward_share_of_matmul_rate"), ("train", "share_of_matmul_rate")):
            speed = model["slices_per_second"]
            theirs, ratio = speed.get("torch", {}).get(what), model[f"{what}_vs_torch"]
            print(
                f"{name:<6}{what:<14}{speed['wsns'][what]:>9.2f}{_text(theirs):>9}{_text(ratio):>8}"
                f"{100 * model[share]:>7.0f} %"
            )
    if not networks_torch:
        print("PyTorch is not installed: nothing to compare with")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
