"""How training begins: loss and gradient by step, with the heads at unit scale and without.

    python benchmarks/first_steps.py --weights=FILE --workdir=DIR [--models=gap1,gap2,gap3] [--scales=none,unit]
        [--steps=60] [--batch=30] [--portions=N] [--split=train] [--size=384] [--out=FILE] [--quick] [--json]

Trains the paper's networks at full width from ImageNet's weights on the slices of a finished run's records (of
`--split`, by label only), at the config's own rates, and prints loss and gradient norm by step; a diverged one ends
there. A head is called dead if none of its units is positive anywhere in six slices of the last batch. `--out` gets a
row per step as CSV while it runs. --quick takes 1-GAP, five steps of two slices at 64 pixels. Keys of --json: by scale
and network `first`, `last` (mean of the last tenth), `largest` loss, `gradient` (median norm), `diverged_at` (0: not),
`dead`.
"""

import argparse
import csv
import math
import pathlib
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import harness
import jax
from ml_collections import ConfigDict

from configs import table1
from wsns.data.records import loading as records
from wsns.models import factory
from wsns.training import batching
from wsns.training import losses as objectives
from wsns.training import step as steps

Row = dict[str, Any]
SHOWN = (1, 2, 3, 5, 10, 20, 30, 40, 50, 60, 80, 100)


def main() -> None:
    """Measures, prints a table and, on request, a line of JSON."""
    parser = harness.parser(__doc__, "1-GAP, five steps of two slices at 64 pixels")
    parser.add_argument("--weights", default="", help="ImageNet's VGG16; empty for the checkout's own")
    parser.add_argument("--workdir", required=True, help="of a run whose records are there")
    parser.add_argument("--models", default="gap1,gap2,gap3")
    parser.add_argument("--scales", default="none,unit", help="of model.head_scale")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=30, help="slices per step")
    parser.add_argument("--portions", type=int, default=6, help="in which a batch is worked off")
    parser.add_argument("--split", default="train", help="of the records: train, validation or test")
    parser.add_argument(
        "--size", type=int, default=384, help="pixels of the input; a smaller one cuts the middle out"
    )
    parser.add_argument("--out", default="", help="CSV, a row per step")
    flags = parser.parse_args()
    if flags.quick:
        flags.models, flags.steps, flags.batch, flags.portions, flags.size = "gap1", 5, 2, 1, 64
    harness.finish(flags, lambda: run(flags), show)


def run(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns each training's rows and what they come to."""
    found = records.load_arrays(pathlib.Path(flags.workdir) / "records", flags.split, ("hu", "label"))
    edge = (found["hu"].shape[-1] - flags.size) // 2
    inside = slice(edge, edge + flags.size)
    data = batching.InMemory({"hu": found["hu"][:, inside, inside], "label": found["label"]})
    rows: list[Row] = []
    for scale in flags.scales.split(","):
        for name in flags.models.split(","):
            for row in train(_config(flags, scale), name, data, flags):
                rows.append({"scale": scale, "model": name, **row})
                if flags.out:
                    _write(pathlib.Path(flags.out), rows)
                print(" ".join(f"{key} {_short(value)}" for key, value in rows[-1].items()), flush=True)
    trainings = {(row["scale"], row["model"]): [] for row in rows}
    for row in rows:
        trainings[row["scale"], row["model"]].append(row)
    return {
        "trainings": [{"scale": s, "model": m} | summary(own) for (s, m), own in trainings.items()],
        "rows": rows,
        "slices": len(data),
        "batch": flags.batch,
        "size": flags.size,
        **harness.machine("jax", "jaxlib", "flax"),
    }


def train(config: ConfigDict, name: str, data: batching.InMemory, flags: argparse.Namespace) -> Iterator[Row]:
    """Yields loss, gradient norm and share of live units per head, step by step, until it diverges."""
    network = factory.build(config, name)
    params = network.first_params(config.seed, flags.size)
    settings = config.train
    rate = settings.rates[int(name[-1]) - 1]
    optimiser = objectives.sgd(
        rate, settings.decay, 1000, settings.momentum, settings.trunk_factor, network.loaded
    )
    objective = objectives.classification(network.apply, network.prepare)
    train_step = steps.make_train_step(objective, optimiser, portions=flags.portions)
    source = batching.Feed(data, flags.batch, flags.portions)

    @jax.jit
    def live(params: Any, hu: jax.Array) -> list[jax.Array]:
        maps = network.apply(params, network.prepare(hu)).maps
        return [(activations > 0).any(axis=(0, 1, 2)).mean() for activations in maps]

    state = steps.place(steps.init_state(params, optimiser), 1)
    number = 0
    for epoch in range(1 + flags.steps * flags.batch // len(data)):
        for part in source.batches(batching.order(config.seed, epoch, len(data))):
            state, shown = train_step(state, part, source.data)
            values = {key: float(value) for key, value in steps.unreplicate(shown).items()}
            number += 1
            last = part["hu"].reshape(-1, *part["hu"].shape[2:])[:6]
            heads = [round(float(share), 3) for share in live(steps.unreplicate(state.params), last)]
            yield {
                "step": number,
                "loss": values["loss"],
                "gradient_norm": values["gradient_norm"],
                "live": heads,
            }
            if number == flags.steps or not math.isfinite(values["loss"] + values["gradient_norm"]):
                return


def summary(rows: list[Row]) -> dict[str, Any]:
    """Returns what a training came to."""
    losses = [row["loss"] for row in rows]
    bad = next((row["step"] for row in rows if not math.isfinite(row["loss"] + row["gradient_norm"])), 0)
    tail = losses[-max(1, len(losses) // 10) :]
    return {
        "first": losses[0],
        "last": statistics.fmean(tail),
        "largest": max(losses, key=lambda loss: math.inf if math.isnan(loss) else loss),
        "gradient": statistics.median(row["gradient_norm"] for row in rows),
        "diverged_at": bad,
        "dead": min(rows[-1]["live"]) == 0,
    }


def show(result: Mapping[str, Any]) -> None:
    """Prints loss and gradient norm by step, a line per training."""
    print(
        f"\n{result['size']} pixels, batch {result['batch']}, {result['slices']} slices, {result['device']}"
    )
    print("scale model  loss (gradient norm) at step …")
    for one in result["trainings"]:
        own = [r for r in result["rows"] if (r["scale"], r["model"]) == (one["scale"], one["model"])]
        text = "  ".join(
            f"{row['step']}: {row['loss']:.3g} ({row['gradient_norm']:.2g})"
            for row in own
            if row["step"] in SHOWN
        )
        end = (
            f"diverged at step {one['diverged_at']}"
            if one["diverged_at"]
            else "a head is dead"
            if one["dead"]
            else ""
        )
        print(f"{one['scale']:<6}{one['model']:<7}{text}  {end}")


def _config(flags: argparse.Namespace, scale: str) -> ConfigDict:
    config = table1.get_config()
    config.model.update(weights=flags.weights, head_scale=scale, size=flags.size)
    config.data.crop = flags.size
    return config


def _write(path: pathlib.Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
