"""The task 'train': networks from the records' slice labels (and masks, for the U-Net)."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.models import factory, head_scale, size
from wsns.models.weights import start
from wsns.runtime import multihost, progress
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.segmentation.nam import read_function
from wsns.training import hit_rate, loop, losses, nam_preview
from wsns.training.batching import Examples
from wsns.training.dataset import open_examples
from wsns.training.log import Shown

REMEDY = "lower the learning rate (--config.{}=…), and the same command then starts anew"


def train(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Trains every network of `config.models` that is not trained yet."""
    opened = functools.lru_cache(1)(lambda kind: open_examples(config, workdir / "records", kind))
    for name in in_order(config.models):
        wanted = inputs(config, workdir, name)
        # More epochs continue an earlier run; anything else starts anew.
        keeps = {key: value for key, value in wanted.items() if key != "epochs"}

        def run(name: str = name) -> None:
            splits, resident = opened("unet" if name == "unet" else "weak")
            fit(config, name, splits, workdir / name, resident=resident)

        stamps.do(Step(name, f"train {factory.TITLES[name]}", wanted, (workdir / name,), run, keeps=keeps))


def in_order(models: Sequence[str]) -> list[str]:
    """Returns networks in the order in which they are trained: the U-Net last, which takes other slices."""
    return sorted(models, key=lambda name: name == "unet")


def inputs(config: ConfigDict, workdir: pathlib.Path, name: str) -> dict[str, Any]:
    """Returns what a trained network depends on."""
    rates = config.unet if name == "unet" else config.train
    settings = rates.to_dict()
    epochs = settings.pop("epochs")
    model = config.model.to_dict()
    if name != "unet":
        settings["rate"] = settings.pop("rates")[int(name[-1]) - 1]
        if settings["choose"] == "hit":
            settings |= {key: config.segment[key] for key in hit_rate.SETTINGS}
        if model["start"] != "imagenet":
            del model["head_scale"]
        model["weights"] = start.load_trunk(model["start"], model["weights"]).checksum
    else:
        keys = ["size", "window", "dtype", "channels"]
        if settings["encoder"] == "vgg":
            keys += ["width", "start"]
            settings["weights"] = start.load_trunk(model["start"], model["weights"]).checksum
        model = {key: model[key] for key in keys}
    data = files.read_json(workdir / "records" / "accounting.json")["data_fingerprint"]
    return {"records": data, "model": model, "training": settings, "epochs": epochs, "seed": config.seed}


def fit(
    config: ConfigDict,
    name: str,
    splits: Sequence[Examples],
    directory: pathlib.Path,
    *,
    resident: bool,
) -> None:
    """Trains one network on the training split, the epoch chosen on the validation split.

    Raises:
        InputError: for impossible settings, or if the training can't go on.
    """
    settings = config.unet if name == "unet" else config.train
    network = factory.build(config, name)
    training, validation = splits
    subject = subject_of(config, name, network, -(-len(training) // settings.batch))
    if multihost.is_first():
        progress.say(
            f"{subject.title}: {size.parameters(network.module, config.model.size) / 1e6:.3g} million parameters, "
            f"{size.flops(network.module, config.model.size) / 1e9:.3g} GFLOP per slice, "
            f"{network.start.name if network.start else 'random start'}"
        )
        if rms := network.head_rms():
            progress.say("  heads' inputs are divided by their rms on CT: " + head_scale.words(rms))
    options = loop.LoopOptions(
        settings.epochs,
        settings.batch,
        config.seed,
        settings.flip,
        settings.shift,
        resident,
        config.fit.portions,
        config.fit.save_minutes,
    )
    if multihost.is_first():
        shown = _shown(config, name, network, -(-len(training) // settings.batch), validation)
        subject = dataclasses.replace(subject, shown=shown)
    loop.fit(subject, training, validation, options, directory)


def _shown(
    config: ConfigDict, name: str, network: factory.Network, steps: int, validation: Examples
) -> Shown:
    """Returns what TensorBoard shows of a network's training: rate, hyperparameters, and NAMs of a weak one."""
    settings = (config.unet if name == "unet" else config.train).to_dict()
    if name == "unet":
        look = None
    else:
        settings["rate"] = settings.pop("rates")[int(name[-1]) - 1]
        read = read_function(
            network.apply, network.prepare, config.model.size, config.segment.contrast, pool=config.model.pool
        )
        look = nam_preview.look(read, validation, config.model.window)
    return Shown(
        losses.falling(settings["rate"], settings["decay"], steps),
        {"network": factory.TITLES[name], "seed": config.seed, **config.model.to_dict(), **settings},
        look,
    )


def subject_of(config: ConfigDict, name: str, network: factory.Network, steps: int) -> loop.Subject:
    """Returns what is trained of a network, with so many steps in an epoch."""
    params = network.first_params(config.seed, config.model.size)
    if name == "unet":
        unet = config.unet
        objective = losses.segmentation(network.apply, network.prepare, unet.loss)
        optimiser = losses.adam(unet.rate, unet.decay, steps, unet.trunk_factor, network.loaded)
        return loop.Subject(
            factory.TITLES[name], "quality", objective, optimiser, params, remedy=REMEDY.format("unet.rate")
        )
    settings = config.train
    objective = losses.classification(network.apply, network.prepare)
    optimiser = losses.sgd(
        settings.rates[int(name[-1]) - 1],
        settings.decay,
        steps,
        settings.momentum,
        settings.trunk_factor,
        network.loaded,
    )
    subject = loop.Subject(
        factory.TITLES[name],
        "accuracy",
        objective,
        optimiser,
        params,
        check=losses.checking(network.apply, network.prepare),
        remedy=REMEDY.format("train.rates"),
    )
    if settings.choose == "accuracy":
        return subject
    check = losses.pointing(network.apply, network.prepare, config.segment.contrast, config.model.pool)
    return dataclasses.replace(subject, check=check, choose=settings.choose)
