"""The task 'train': networks from the records' slice labels (and masks, for the U-Net)."""

import pathlib
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from wsns import workdir as files
from wsns.data.records import input as records
from wsns.data.records.slices import Slices
from wsns.models import build
from wsns.training import loop, objectives


def train(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Trains every network of `config.models` that is not trained yet."""
    networks = {name: build.build(config, name) for name in config.models}
    todo = [name for name in config.models if not stamps.is_done(name, inputs(config, workdir, name))]
    if not todo:
        return
    splits = [records.load(workdir / "records", split) for split in ("train", "validation")]
    for name in todo:
        wanted = inputs(config, workdir, name)
        # More epochs continue an earlier run; anything else starts anew.
        stamps.begin(name, {key: value for key, value in wanted.items() if key != "epochs"}, workdir / name)
        _train_one(config, name, networks[name], *splits, directory=workdir / name)
        stamps.mark_done(name, wanted)


def inputs(config: ConfigDict, workdir: pathlib.Path, name: str) -> dict[str, Any]:
    """Returns what a trained network depends on."""
    rates = config.unet if name == "unet" else config.train
    settings = rates.to_dict()
    epochs = settings.pop("epochs")
    model = config.model.to_dict()
    if name != "unet":
        settings["rate"] = settings.pop("rates")[int(name[-1]) - 1]
    else:
        model = {key: model[key] for key in ("size", "window")}
    data = files.read_json(workdir / "records" / "accounting.json")["data_fingerprint"]
    return {"records": data, "model": model, "training": settings, "epochs": epochs, "seed": config.seed}


def _train_one(
    config: ConfigDict,
    name: str,
    network: build.Network,
    training: Slices,
    validation: Slices,
    *,
    directory: pathlib.Path,
) -> None:
    settings = config.unet if name == "unet" else config.train
    data = _arrays(training, name)
    steps = -(-len(data["hu"]) // settings.batch)
    if name == "unet":
        objective = objectives.segmentation(network.apply, network.prepare)
        optimiser = objectives.adam(settings.rate, settings.decay, steps)
    else:
        objective = objectives.classification(network.apply, network.prepare)
        optimiser = objectives.sgd(
            settings.rates[int(name[-1]) - 1], settings.decay, steps, settings.momentum, settings.trunk_factor
        )
    loop.fit(
        build.TITLES[name],
        objective,
        optimiser,
        network.first_params(config.seed, config.model.size),
        data,
        _arrays(validation, name),
        loop.LoopOptions(settings.epochs, settings.batch, config.seed, settings.flip),
        directory,
        "dice" if name == "unet" else "accuracy",
    )


def _arrays(slices: Slices, name: str) -> loop.Arrays:
    """A weak network sees the slice labels only, never a mask; the U-Net slices that have a mask only.

    The Dice of a slice without a nodule is 0 whatever the U-Net says: nothing to learn from.
    """
    if name == "unet":
        drawn = slices.take(np.flatnonzero(slices.nodules.any(axis=(1, 2))))
        return {"hu": drawn.hu, "mask": (drawn.nodules > 0).astype(np.uint8)}
    return {"hu": slices.hu, "label": slices.label}
