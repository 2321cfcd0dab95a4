"""Clocked on this machine: its matrix product, steps of a network on made-up slices, the search of a slice."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from wsns.data.records.schema import Slices
from wsns.runtime.background import threads
from wsns.segmentation.batches import padded
from wsns.segmentation.networks import Trained, method_input, weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import propose_slices, read_slices
from wsns.segmentation.regions import choose_regions, score_regions
from wsns.training import batching
from wsns.training import step as steps
from wsns.training.loop import Subject
from wsns.training.step_memory import Shapes

ROUNDS = 2
PEAK_SIGMA = 16.0
"""Pixels: the width of the maps' made-up peaks, which gives a scope of some 4 cells of the 1-GAP network's map."""


class Speed(NamedTuple):
    """Seconds per slice of a training step and of a forward pass, on all devices."""

    train: float
    forward: float


class Search(NamedTuple):
    """Seconds per slice that is searched: on the host until the candidates are there, and to screen them."""

    propose: float
    screen: float


def matmul_rate(dtype: Any) -> float:
    """Returns the operations per second of a large matrix product on one device, the best of several."""
    n = 2048 if jax.default_backend() == "cpu" else 8192
    a = jnp.ones((n, n), dtype)
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    return 2 * n**3 / min(_seconds(lambda: jax.block_until_ready(product(a))) for _ in range(10))


def speed(subject: Subject, train_step: Callable[..., Any], example: Shapes, batch: int) -> Speed:
    """Times a training step and a forward pass of a batch, as the training takes them.

    Args:
        subject: what is trained.
        train_step: of such batches.
        example: see `wsns.training.step_memory.compile_step`.
        batch: slices over all devices.
    """
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(0, 2, (batch, *of.shape)).astype(of.dtype) for name, of in example.items()}
    data = batching.Feed(batching.InMemory(arrays), batch)
    (part,) = data.batches(np.arange(batch))
    eval_step = steps.make_eval_step(subject.objective)
    state = steps.place(steps.init_state(subject.params, subject.optimiser), jax.local_device_count())

    def train() -> None:
        nonlocal state
        state, shown = train_step(state, part, {})
        jax.block_until_ready((state, shown))

    def forward() -> None:
        jax.block_until_ready(eval_step(state.params, part, {}))

    return Speed(*(_typical(work) / batch for work in (train, forward)))


def search(config: ConfigDict, networks: Trained, slices: Slices) -> Search:
    """Times what follows a pass of the networks where a slice is searched.

    Untrained networks point anywhere and give hardly a candidate, so each slice's maps are given a peak where its
    nodules lie. The candidates are those of real outlines then, the scores mean nothing.

    Args:
        config: of the run.
        networks: the weakly supervised networks by name; the 1-GAP network is needed.
        slices: with a nodule each.
    """
    options = Options(**config.segment.to_dict() | {"detect": 0.0, "batch": len(slices)})
    weak, screen = weak_networks(config, networks, options)
    given = method_input(slices, config.model.channels)
    seen = padded(given.seen, len(slices))
    reading = read_slices(seen, {1: weak[1]}, options.batch)[1]
    peaks = jnp.stack([peak(nodules > 0) for nodules in slices.nodules])
    readings = {gaps: reading._replace(nam=peaks) for gaps in weak}

    def propose() -> list[Any]:
        with threads() as each:
            return propose_slices(given, readings, options, each)

    found = propose()

    def choose() -> None:
        for result in score_regions(found, range(len(seen)), seen, readings[1], screen):
            choose_regions(result, options)

    return Search(*(_typical(work) / len(slices) for work in (propose, choose)))


def peak(nodules: np.ndarray) -> np.ndarray:
    """Returns a map (S, S) with a peak of 1 at the centre of mass of nodules (S, S) bool."""
    at = np.argwhere(nodules).mean(axis=0)
    rows, columns = (np.arange(side) - centre for side, centre in zip(nodules.shape, at, strict=True))
    return np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * PEAK_SIGMA**2)).astype(np.float32)


def _typical(work: Callable[[], Any]) -> float:
    """Returns the median seconds of some work, once it is compiled."""
    work()
    return statistics.median(_seconds(work) for _ in range(ROUNDS))


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
