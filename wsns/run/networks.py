"""The networks of a run: with the parameters of their best epochs, or as they were before any training."""

import functools
import json
import pathlib

import jax
from ml_collections import ConfigDict

from wsns.models import factory
from wsns.segmentation.networks import Trained
from wsns.training import checkpoints


def load_trained(config: ConfigDict, workdir: pathlib.Path) -> Trained:
    """Returns the networks of a config with the parameters of their best epochs, on the device."""
    return {
        name: (
            _network(name, _settings(config)),
            jax.device_put(checkpoints.best_params(workdir / name / "checkpoints")),
        )
        for name in config.models
    }


def load_untrained(config: ConfigDict) -> Trained:
    """Returns the weakly supervised networks of a config as they are before any training on slices."""
    settings = _settings(config)
    return {
        name: (
            network := _network(name, settings),
            jax.device_put(network.first_params(config.seed, config.model.size)),
        )
        for name in config.models
        if name != "unet"
    }


def _settings(config: ConfigDict) -> str:
    return json.dumps({part: config[part].to_dict() for part in ("model", "unet", "data")})


@functools.lru_cache(maxsize=8)
def _network(name: str, settings: str) -> factory.Network:
    """Builds a network once in a process: jitted functions compile anew for each that is built."""
    return factory.build(ConfigDict(json.loads(settings)), name)
