"""The one training loop: VGG and U-Net differ in their objective and optimiser only."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from wsns.errors import InputError
from wsns.training import batching
from wsns.training import step as steps
from wsns.training.augment import augment
from wsns.training.checkpoints import Position
from wsns.training.log import NOTHING, Shown
from wsns.training.monitor import Watch


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What is trained, from which parameters.

    `title` names the network, `score_name` its score. `check` is what is measured on the validation split where that
    is more than the objective; the epoch of the highest `choose` there is the best, 'score' or another that `check`
    measures, of equal ones that of the higher score. `remedy` is what to do against a rate that is too high, as a
    part of a sentence. `shown` is for the log alone.
    """

    title: str
    score_name: str
    objective: steps.Objective
    optimiser: optax.GradientTransformation
    params: Any
    check: steps.Objective | None = None
    choose: str = "score"
    remedy: str = "lower the learning rate"
    shown: Shown = NOTHING


@dataclasses.dataclass(frozen=True)
class LoopOptions:
    """How long, in which portions and with which random numbers a network is trained.

    `flip` mirrors each training slice at random, `shift` moves it by up to so many pixels. The last three change
    no result: whether the slices stay in the devices' memory (`resident`), in how many `portions` a device works
    its part of a batch off, and after how many minutes a checkpoint is due, besides the one after each epoch.
    """

    epochs: int
    batch: int
    seed: int
    flip: bool = False
    shift: int = 0
    resident: bool = False
    portions: int = 1
    save_minutes: float = 5.0


def fit(
    subject: Subject,
    train: batching.Examples,
    validation: batching.Examples,
    options: LoopOptions,
    directory: pathlib.Path,
) -> None:
    """Trains a network, going on from the newest checkpoint that `directory` holds.

    Writes `checkpoints/` (the latest and the best), `metrics.jsonl` and TensorBoard's events. The order of an
    epoch depends on seed and epoch alone, and how a slice is moved on seed, step and place in the batch, so that
    a resumed run repeats exactly.

    Raises:
        Diverged: if loss or gradient stop being finite.
        InputError: if the device's memory doesn't suffice.
    """
    try:
        _fit(subject, train, validation, options, directory)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise InputError(
            f"{subject.title}: the device's memory doesn't suffice ({str(error).splitlines()[0][:160]}): work each "
            f"batch off in more portions (--config.fit.portions={2 * options.portions}), leave the records outside "
            "(--config.fit.input=stream) or compute in half precision (--config.model.dtype=bfloat16)"
        ) from error


def evaluate(eval_step: Callable, params: Any, data: batching.Feed) -> dict[str, float]:
    """Returns the mean loss and scores over a split; `params` are replicated."""
    sums = [
        steps.unreplicate(eval_step(params, part, data.data)) for part in data.batches(np.arange(data.count))
    ]
    total = {name: sum(float(part[name]) for part in sums) for name in sums[0]}
    return _floats(steps.means(total))


def _fit(
    subject: Subject,
    train: batching.Examples,
    validation: batching.Examples,
    options: LoopOptions,
    directory: pathlib.Path,
) -> None:
    moved = functools.partial(augment, flip=options.flip, shift=options.shift)
    train_step = steps.make_train_step(
        subject.objective,
        subject.optimiser,
        portions=options.portions,
        augmentation=moved if options.flip or options.shift else None,
    )
    eval_step = steps.make_eval_step(subject.check or subject.objective)
    data = batching.Feed(train, options.batch, options.portions, resident=options.resident)
    # A portion is what is known to fit.
    checks = batching.Feed(validation, -(-options.batch // options.portions), resident=options.resident)
    devices = jax.local_device_count()
    watch = Watch(
        subject.title,
        subject.score_name,
        subject.choose,
        directory,
        options.save_minutes,
        subject.remedy,
        subject.shown,
    )
    with watch:
        first = steps.init_state(subject.params, subject.optimiser, options.seed)
        start, position = watch.begin(first, options.epochs, data.count, options.batch)
        state = steps.place(start, devices)
        for epoch in range(position.epoch + 1, options.epochs + 1):
            state = _epoch(train_step, state, data, epoch, position.batch, options.seed, watch)
            fitted = _floats(steps.means(steps.unreplicate(state.sums)))
            state = state._replace(sums=steps.place(steps.no_sums(), devices))
            watch.epoch(epoch, state, fitted, evaluate(eval_step, state.params, checks))
            position = Position(epoch)


def _epoch(
    train_step: Callable,
    state: steps.State,
    data: batching.Feed,
    epoch: int,
    done: int,
    seed: int,
    watch: Watch,
) -> steps.State:
    """Takes a step per batch of an epoch, of which `done` were taken before."""
    order = batching.order(seed, epoch, data.count)
    for number, part in enumerate(data.batches(order, done), start=done):
        state, shown = train_step(state, part, data.data)
        watch.step(shown, data.size(number))
        if number + 1 < len(data):
            watch.save_if_due(state, epoch, number + 1)
    return state


def _floats(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
