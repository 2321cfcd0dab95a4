"""A network of two parameters and slices that it can learn, for the tests of training."""

import json

import jax.numpy as jnp
import numpy as np

from wsns.models.vgg_gap import Output
from wsns.training import batching, checkpoints, loop, losses

OPTIONS = loop.LoopOptions(epochs=3, batch=4, seed=1, flip=True)


def linear(params, images):
    """Bright slices are nodule slices."""
    score = images.mean(axis=(1, 2, 3)) * params["classifier"] + params["conv1_1"]
    return Output(jnp.stack([-score, score], axis=-1), (), {})


def prepare(hu):
    return hu[..., None].astype(jnp.float32)


def start():
    return {"classifier": jnp.zeros(()), "conv1_1": jnp.zeros(())}


def toy(n=10):
    rng = np.random.default_rng(0)
    label = (np.arange(n) % 2).astype(np.int32)
    hu = rng.normal(size=(n, 8, 8)).astype(np.float32) + label[:, None, None] - 0.5
    return {"hu": hu, "label": label}


def subject(rate=1.0):
    optimiser = losses.sgd(rate, 0.99, 3, 0.9, 0.1, ("conv1_1",))
    return loop.Subject("toy", "accuracy", losses.classification(linear, prepare), optimiser, start())


def fit(directory, options=OPTIONS, data=None, rate=1.0):
    examples = batching.InMemory(data or toy())
    loop.fit(subject(rate), examples, batching.InMemory(toy()), options, directory)
    return checkpoints.best_params(directory / "checkpoints")


def rows(directory):
    """Returns the log without what depends on the clock."""
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in row.items() if "second" not in k} for row in lines]
