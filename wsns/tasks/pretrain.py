"""The task 'pretrain': makes the starts that ship with the project in place of ImageNet's."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from wsns.data.synthetic import patches, scanner, shapes
from wsns.errors import InputError
from wsns.models import factory
from wsns.models.weights import embedded
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.processes import cores, pool
from wsns.training import checkpoints, loop, losses
from wsns.training.batching import InMemory
from wsns.training.log import read_metrics

PORTION = 500
"""Shapes drawn at once."""
CHESTS = 4
"""Chests of which patches are drawn at once."""


class _Chests(NamedTuple):
    """What a process draws: `patches.patches` with these arguments."""

    seed: int
    size: int
    factor: int
    looks: scanner.Ranges
    beside: float


def check(config: ConfigDict) -> None:
    """Refuses settings that no start can be made with.

    Raises:
        InputError: with the field.
    """
    if config.pretrain.on not in embedded.STARTS:
        raise InputError(
            f"config.pretrain.on={config.pretrain.on!r}: choose one of {', '.join(embedded.STARTS)}"
        )
    if config.pretrain.patches < 10:
        raise InputError(f"config.pretrain.patches={config.pretrain.patches}: must be at least 10")


def pretrain(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Trains the first of `config.models` to say where blobs or nodules are, at the scale of each head.

    Leaves what the best epoch learned as `shapes_trunk.npz` or `patches_trunk.npz` in the workdir. All pictures are
    drawn from random numbers: no slice and no reader's mask is involved.
    """
    on, name = config.pretrain.on, config.models[0]
    start = embedded.STARTS[on]
    network = factory.build(config, name)
    trunk = network.start
    assert trunk  # a U-Net has none
    count = config.pretrain.patches
    held_out = count // 10
    images, masks = _draw(config, count + held_out)
    training = InMemory({"hu": images[held_out:], "mask": masks[held_out:]})
    validation = InMemory({"hu": images[:held_out], "mask": masks[:held_out]})
    steps = -(-count // config.train.batch)
    subject = loop.Subject(
        on,
        "accuracy",
        losses.localisation(network.apply, network.prepare),
        losses.adam(config.pretrain.rate, config.train.decay, steps),
        network.first_params(config.seed, config.model.size),
        remedy="lower the learning rate (--config.pretrain.rate=…) and name another --workdir",
    )
    how = loop.LoopOptions(
        config.train.epochs, config.train.batch, config.seed, config.train.flip, config.train.shift
    )
    loop.fit(subject, training, validation, how, workdir / on)
    rows = read_metrics(workdir / on)
    made_by = {
        "command": f"python main.py --config={start.config} --workdir=runs/{on}",
        "version": shapes.VERSION if on == "shapes" else patches.VERSION,
        "seed": config.seed,
        "patches": count,
        "size": config.model.size,
        "channels": config.model.channels,
        "after": trunk.name if config.model.start == "imagenet" else "not ImageNet",
        "preprocessing": dataclasses.asdict(trunk.preprocessing),
        "epochs": config.train.epochs,
        "accuracy": max(row["accuracy"] for row in rows if row["split"] == "validation"),
    }
    path = workdir / start.file
    best = checkpoints.best_params(workdir / on / "checkpoints")
    files.write_bytes(path, embedded.pack(best, made_by, heads=start.heads))
    print(f"{path}: {made_by['accuracy']:.2f} of held-out patches right")


def _draw(config: ConfigDict, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws patches and the masks of what is to be found in them, each portion from a seed of its own."""
    draw = _shapes if config.pretrain.on == "shapes" else _patches
    parts = []
    with progress.bar(count, f"draw {config.pretrain.on}", unit="patch") as shown:
        for part in draw(config, count):
            parts.append(part)
            shown.update(len(part[0]))
    images, masks = (np.concatenate(arrays)[:count] for arrays in zip(*parts))
    return images, masks


def _shapes(config: ConfigDict, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, count, PORTION):
        portion = min(PORTION, count - start)
        yield shapes.patches(1000 * config.seed + start // PORTION, portion, size=config.model.size)


def _patches(config: ConfigDict, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    size = config.model.size
    beside = config.data.neighbours if config.model.channels == "neighbours" else 0.0
    common = size, config.data.crop // size, scanner.from_config(config.data.twin), beside
    portions = -(-count // (CHESTS * patches.PER_CHEST))
    given = [_Chests(100_000 * config.seed + number, *common) for number in range(portions)]
    with pool(cores(config.data.workers)) as processes:
        yield from processes.map(_chests, given)


def _chests(given: _Chests) -> tuple[np.ndarray, np.ndarray]:
    made = patches.patches(
        given.seed, CHESTS, size=given.size, factor=given.factor, looks=given.looks, beside=given.beside
    )
    return made.hu, made.mask
