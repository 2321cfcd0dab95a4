"""The one training loop: VGG and U-Net differ in their objective and optimiser only."""

import dataclasses
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import optax
from tensorboardX import SummaryWriter

from wsns import progress, workdir
from wsns.errors import InputError
from wsns.training import checkpoints
from wsns.training import step as steps

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class LoopOptions:
    """How long, in which portions and with which random numbers a network is trained.

    `flip` mirrors each training slice at random, left to right and front to back.
    """

    epochs: int
    batch: int
    seed: int
    flip: bool


def batches(
    data: Arrays, size: int, rng: np.random.Generator | None = None, flip: bool = False
) -> Iterator[Arrays]:
    """Yields the examples `size` at a time, the last batch padded; `weight` is 0 for padding.

    Args:
        data: arrays with one leading axis.
        size: examples per batch.
        rng: for a random order; without it the order stays.
        flip: mirror each example's images (N, S, S), all alike, left to right and front to back at random.
    """
    total = len(next(iter(data.values())))
    order = rng.permutation(total) if rng else np.arange(total)
    mirrored = rng.random((2, total)) < 0.5 if rng and flip else np.zeros((2, total), bool)
    for start in range(0, total, size):
        position = np.arange(start, start + size)
        rows = order[np.minimum(position, total - 1)]
        batch = {name: values[rows] for name, values in data.items()}
        for name in (name for name, values in batch.items() if values.ndim == 3):
            for axis, chosen in zip((1, 2), mirrored[:, rows]):
                batch[name][chosen] = np.flip(batch[name][chosen], axis)
        yield batch | {"weight": (position < total).astype(np.float32)}


def evaluate(eval_step: Any, params: Any, data: Arrays, batch: int, devices: int) -> dict[str, float]:
    """Returns the mean loss and score over a data set; `params` are replicated."""
    total: dict[str, float] = {}
    for part in batches(data, batch):
        sums = steps.unreplicate(eval_step(params, steps.shard(part, devices)))
        total = {name: total.get(name, 0.0) + float(value) for name, value in sums.items()}
    return steps.means(total)


def fit(
    name: str,
    objective: steps.Objective,
    optimiser: optax.GradientTransformation,
    params: Any,
    train: Arrays,
    validation: Arrays,
    options: LoopOptions,
    directory: pathlib.Path,
    score_name: str,
) -> None:
    """Trains a network, resuming after the last complete epoch that `directory` holds.

    Writes `checkpoints/` (latest and best by validation score), `metrics.jsonl` and TensorBoard's events.
    An epoch's order and mirroring depend on seed and epoch alone, so a resumed run repeats exactly.

    Args:
        name: of the network, for the progress bar.
        objective: loss and score per example.
        optimiser: an optax transformation.
        params: the start.
        train: arrays with one leading axis: `hu` and what the objective compares with.
        validation: the same, for choosing the best epoch.
        options: epochs, batch size, seed.
        directory: where the results go.
        score_name: what the score is, as the metrics name it.

    Raises:
        InputError: if the loss stops being finite, or the batch can't be divided among the devices.
    """
    devices = jax.local_device_count()
    if options.batch % devices:
        raise InputError(f"batch={options.batch} can't be divided among {devices} devices: choose a multiple")
    train_step, eval_step = steps.make_train_step(objective, optimiser), steps.make_eval_step(objective)
    state = steps.init_state(params, optimiser)
    log = _Log(directory, score_name)
    per_epoch = -(-len(train["hu"]) // options.batch)
    with checkpoints.open_manager(directory / "checkpoints") as manager, log:
        done = manager.latest_step() or 0
        if done:
            state = checkpoints.restore(manager, done, state)
            log.resume(done)
        replicated = steps.replicate(state, devices)
        total = options.epochs * per_epoch
        with progress.bar(total, f"train {name}", initial=done * per_epoch, unit="step") as shown:
            for epoch in range(done + 1, options.epochs + 1):
                began = time.monotonic()
                rng = np.random.default_rng([options.seed, epoch])
                data = batches(train, options.batch, rng, options.flip)
                replicated, fitted = _epoch(train_step, replicated, data, devices, shown, epoch, score_name)
                checked = evaluate(eval_step, replicated.params, validation, options.batch, devices)
                log.write(epoch, {"train": fitted, "validation": checked}, time.monotonic() - began)
                checkpoints.save(manager, epoch, steps.unreplicate(replicated)._asdict(), checked["score"])
                shown.set_postfix_str(
                    f"loss {fitted['loss']:.3f} validation {score_name} {checked['score']:.3f}"
                )
        manager.wait_until_finished()


def _epoch(
    train_step: Any, state: Any, data: Iterator[Arrays], devices: int, shown: Any, epoch: int, score_name: str
) -> tuple[Any, dict[str, float]]:
    """Takes one step per batch; returns the new state and the means over the epoch.

    A step's figures are read while the next one runs, so that the device is never waited for.
    """
    pending, seen = None, []
    for part in data:
        state, means = train_step(state, steps.shard(part, devices))
        if pending is not None:
            seen.append(_settle(pending, shown, epoch, score_name))
        pending = means
    seen.append(_settle(pending, shown, epoch, score_name))
    return state, {key: float(np.mean([values[key] for values in seen])) for key in ("loss", "score")}


def _settle(pending: Any, shown: Any, epoch: int, score_name: str) -> dict[str, float]:
    """Reads and shows what a step returned."""
    values = {key: float(value) for key, value in steps.unreplicate(pending).items()}
    if not np.isfinite(values["loss"]):
        saved = (
            f"the last good checkpoint is that of epoch {epoch - 1}" if epoch > 1 else "nothing is saved yet"
        )
        raise InputError(
            f"the loss is {values['loss']} in epoch {epoch} (step {shown.n + 1}); {saved}. Lower the learning "
            "rate (--config.train.rates=… or --config.unet.rate=…)"
        )
    shown.update()
    shown.set_postfix_str(
        f"epoch {epoch} loss {values['loss']:.3f} {score_name} {values['score']:.3f}", refresh=False
    )
    return values


class _Log:
    """`metrics.jsonl`, written anew after each epoch, and TensorBoard's events."""

    def __init__(self, directory: pathlib.Path, score_name: str):
        self._path = directory / "metrics.jsonl"
        self._score_name = score_name
        self._rows: list[dict[str, Any]] = []
        self._board = SummaryWriter(str(directory / "tensorboard"))

    def __enter__(self) -> "_Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def resume(self, epoch: int) -> None:
        """Takes up the rows of an earlier run, up to an epoch."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._rows = [row for row in map(json.loads, lines) if row["epoch"] <= epoch]

    def write(self, epoch: int, values: dict[str, dict[str, float]], seconds: float) -> None:
        """Adds an epoch's loss and score, by split."""
        for split, means in values.items():
            row = {"epoch": epoch, "split": split, "loss": means["loss"], self._score_name: means["score"]}
            self._rows.append(row | {"seconds": round(seconds, 2)})
            self._board.add_scalar(f"{split}/loss", means["loss"], epoch)
            self._board.add_scalar(f"{split}/{self._score_name}", means["score"], epoch)
        workdir.write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))
