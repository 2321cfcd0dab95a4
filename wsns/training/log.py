"""What a training run writes down: `metrics.jsonl`, a row per epoch and split, and TensorBoard's events."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tensorboardX import SummaryWriter

from wsns import progress, workdir
from wsns.errors import InputError
from wsns.plain_paths import plain


class Log:
    """The log of one network's folder, taken up where an earlier run's last complete epoch ended."""

    def __init__(self, directory: pathlib.Path, score_name: str, epochs_done: int, steps_done: int):
        """Keeps the rows of `epochs_done` epochs; `score_name` is what the score is called."""
        self._path = directory / "metrics.jsonl"
        self._score_name = score_name
        rows = _earlier(self._path) if epochs_done else []
        self._rows = [row for row in rows if row["epoch"] <= epochs_done]
        self._board = SummaryWriter(str(plain(directory) / "tensorboard"), purge_step=steps_done + 1)

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Adds what one training step showed, for TensorBoard alone."""
        for name, value in values.items():
            self._board.add_scalar(f"step/{self._named(name)}", value, number)

    def epoch(self, number: int, step: int, means: Mapping[str, Mapping[str, float]], timing: Any) -> None:
        """Adds an epoch: loss and scores of each split, and the time it took, in seconds and slices per second."""
        for split, values in means.items():
            named = {self._named(name): value for name, value in values.items()}
            self._rows.append({"epoch": number, "step": step, "split": split, **named, **timing})
            for name, value in named.items():
                self._board.add_scalar(f"{split}/{name}", value, step)
        workdir.write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))

    def _named(self, name: str) -> str:
        return self._score_name if name == "score" else name


def _earlier(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of earlier epochs; no training is lost for a log that can't be read."""
    try:
        return workdir.read_lines(path)
    except InputError as error:
        progress.say(f"warning: {error}; the curves begin with the next epoch")
        return []
