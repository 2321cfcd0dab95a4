"""What a training run writes down: `metrics.jsonl`, a row per epoch and split, and TensorBoard's events."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from wsns.errors import InputError
from wsns.runtime import progress, workdir
from wsns.runtime.plain_paths import plain
from wsns.training.nam_preview import Look


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """What TensorBoard shows besides losses and scores; none of it has a part in the training.

    `rate`: from the steps taken to the learning rate of the next; `settings`: hyperparameters by name; `look`: draws
    what the network attends to.
    """

    rate: Callable[[int], float] | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    look: Look | None = None


NOTHING = Shown()


def read_metrics(directory: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of a network's `metrics.jsonl`, none where there is no such file."""
    path = directory / "metrics.jsonl"
    return workdir.read_lines(path) if path.exists() else []


class Log:
    """The log of one network's folder, taken up where an earlier run's last complete epoch ended."""

    def __init__(
        self,
        directory: pathlib.Path,
        score_name: str,
        epochs_done: int,
        steps_done: int,
        shown: Shown = NOTHING,
    ):
        """Keeps the rows of `epochs_done` epochs; `score_name` is what the score is called."""
        self._shown = shown
        self._path = directory / "metrics.jsonl"
        self._score_name = score_name
        rows = _earlier(self._path) if epochs_done else []
        self._rows = [row for row in rows if row["epoch"] <= epochs_done]
        self._board = _board(directory, steps_done + 1)
        self._add_settings()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def last(self) -> dict[str, dict[str, Any]]:
        """Returns the rows of the last epoch by split, empty before the first."""
        return {row["split"]: row for row in self._rows if row["epoch"] == self._rows[-1]["epoch"]}

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Adds what one training step showed, for TensorBoard alone."""
        for name, value in values.items():
            self._board.add_scalar(f"step/{self._named(name)}", value, number)
        if self._shown.rate:
            self._board.add_scalar("step/learning_rate", self._shown.rate(number - 1), number)

    def look(self, params: Any, step: int) -> None:
        """Adds a picture of what a network of these parameters attends to, if there is one to draw."""
        if self._shown.look:
            picture = self._shown.look(params)
            self._board.add_image("validation/NAM", picture, step, dataformats="HWC")

    def epoch(
        self,
        number: int,
        step: int,
        means: Mapping[str, Mapping[str, float]],
        timing: Any,
        faults: Sequence[str] = (),
    ) -> None:
        """Adds an epoch: loss and scores of each split, and `timing`: its training slices and how fast they were.

        What `wsns.training.health` found stands in the row of the validation split, if anything.
        """
        for split, values in means.items():
            named = {self._named(name): value for name, value in values.items()}
            self._rows.append({"epoch": number, "step": step, "split": split, **named, **timing})
            for name, value in named.items():
                self._board.add_scalar(f"{split}/{name}", value, step)
        if faults:
            self._rows[-1]["faults"] = list(faults)
        workdir.write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))

    def _add_settings(self) -> None:
        """Adds the hyperparameters, for TensorBoard's tab of that name and as a text."""
        if not self._shown.settings:
            return
        plain = {
            name: value if isinstance(value, bool | int | float) else str(value)
            for name, value in self._shown.settings.items()
        }
        scores = dict.fromkeys((f"validation/{self._score_name}", "validation/loss"), 0.0)
        for summary in hparams(plain, scores):
            self._board.file_writer.add_summary(summary)
        lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in plain.items())]
        self._board.add_text("hyperparameters", "\n".join(lines))

    def _named(self, name: str) -> str:
        return self._score_name if name == "score" else name


def _board(directory: pathlib.Path, purge_step: int) -> SummaryWriter:
    """Opens TensorBoard's events; where its queue finds no shared memory, one that keeps nothing."""
    where = {"logdir": str(plain(directory) / "tensorboard"), "purge_step": purge_step}
    try:
        return SummaryWriter(**where)
    except OSError as error:
        progress.say(
            f"warning: no curves for TensorBoard ({error.strerror or error}: is /dev/shm full or read-only?); "
            "metrics.jsonl has their numbers"
        )
        return SummaryWriter(**where, write_to_disk=False)


def _earlier(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of earlier epochs; no training is lost for a log that can't be read."""
    try:
        return workdir.read_lines(path)
    except InputError as error:
        progress.say(f"warning: {error}; the curves begin with the next epoch")
        return []
