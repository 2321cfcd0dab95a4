"""The task 'pretrain_shapes': makes the stand-in for ImageNet that ships with the project."""

import json
import pathlib

import numpy as np
from ml_collections import ConfigDict

from wsns import progress
from wsns import workdir as files
from wsns.models import build, pretrained, shapes
from wsns.training import checkpoints, loop, objectives
from wsns.training.feed import InMemory

PORTION = 500


def pretrain_shapes(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Trains the first of `config.models` to say where in a patch blobs are, at the scale of each head.

    Leaves the trunk of the best epoch as `shapes_trunk.npz` in the workdir. The patches are procedural: no
    slice and no reader's mask is involved.
    """
    shown = config.shapes
    name = config.models[0]
    network = build.build(config, name)
    held_out = shown.patches // 10
    images, blobs = _draw(config.seed, shown.patches + held_out, config.model.size)
    training = InMemory({"hu": images[held_out:], "mask": blobs[held_out:]})
    validation = InMemory({"hu": images[:held_out], "mask": blobs[:held_out]})
    steps = -(-shown.patches // config.train.batch)
    subject = loop.Subject(
        "shapes",
        "accuracy",
        objectives.localisation(network.apply, network.prepare),
        objectives.adam(config.shapes.rate, config.train.decay, steps),
        network.first_params(config.seed, config.model.size),
    )
    options = loop.LoopOptions(
        config.train.epochs, config.train.batch, config.seed, config.train.flip, config.train.shift
    )
    loop.fit(subject, training, validation, options, workdir / "shapes")
    rows = [json.loads(line) for line in (workdir / "shapes" / "metrics.jsonl").read_text().splitlines()]
    made_by = {
        "command": "python main.py --config=configs/pretrain_shapes.py --workdir=runs/shapes",
        "version": shapes.VERSION,
        "seed": config.seed,
        "patches": shown.patches,
        "size": config.model.size,
        "epochs": config.train.epochs,
        "accuracy": max(row["accuracy"] for row in rows if row["split"] == "validation"),
    }
    path = workdir / "shapes_trunk.npz"
    files.write_bytes(
        path, pretrained.pack_trunk(checkpoints.best_params(workdir / "shapes" / "checkpoints"), made_by)
    )
    print(f"{path}: {made_by['accuracy']:.2f} of held-out patches right")


def _draw(seed: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws patches and their blobs under a progress bar, each portion from a seed of its own."""
    parts = []
    with progress.bar(count, "draw shapes", unit="patch") as shown:
        for start in range(0, count, PORTION):
            portion = min(PORTION, count - start)
            parts.append(shapes.patches(1000 * seed + start // PORTION, portion, size=size))
            shown.update(portion)
    images, blobs = (np.concatenate(arrays) for arrays in zip(*parts))
    return images, blobs
