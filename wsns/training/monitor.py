"""What a training run shows and keeps while it runs: progress bar, metrics, checkpoints."""

import contextlib
import math
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from wsns.errors import Diverged
from wsns.runtime import multihost, progress
from wsns.training import checkpoints
from wsns.training import step as steps
from wsns.training.checkpoints import Position
from wsns.training.health import faults, words
from wsns.training.log import NOTHING, Log, Shown

Values = Mapping[str, Any]
TIE = 1e-6
"""By what factor the score is added to what decides on the epoch: too little to outweigh a single slice there."""


class Watch:
    """Follows one run, in a `with` block. Of several processes only the first shows and writes.

    What a step returned is read when the next one is under way, so that the device is never waited for.
    """

    def __init__(
        self,
        title: str,
        score_name: str,
        choose: str,
        directory: pathlib.Path,
        save_minutes: float,
        remedy: str = "lower the learning rate",
        shown: Shown = NOTHING,
    ):
        """Takes what the run's network and score are called, and where and how often its state is kept.

        Args:
            title: names the network.
            score_name: names its score.
            choose: the epoch in which this is highest on the validation split is the best, 'score' or another.
            directory: of the network.
            save_minutes: after so many a checkpoint is due.
            remedy: what to do against a rate that is too high, as a part of a sentence.
            shown: what the log shows besides losses and scores.
        """
        self._shown = shown
        self._title, self._score_name, self._choose, self._directory = title, score_name, choose, directory
        self._save_seconds, self._remedy = 60 * save_minutes, remedy
        self._said: set[str] = set()
        self._saved = "nothing is saved yet"
        self._unread: tuple[Values, int] | None = None
        self._means: dict[str, float] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Watch":
        folder = self._directory / "checkpoints"
        self._manager = (
            self._open.enter_context(checkpoints.open_manager(folder)) if multihost.is_first() else None
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def begin(self, start: steps.State, epochs: int, slices: int, batch: int) -> tuple[steps.State, Position]:
        """Returns the state and the position to go on from, and shows the bar.

        Args:
            start: the state before the first step.
            epochs: in all.
            slices: of an epoch.
            batch: slices per step.
        """
        found = checkpoints.restore_latest(self._manager, start, progress.say) if self._manager else None
        state, (epoch, done, seconds) = multihost.from_first(found or (start, Position()))
        position = Position(int(epoch), int(done), float(seconds))
        self._step = int(state.step)
        self._note_saved()
        self._log = (
            self._open.enter_context(
                Log(self._directory, self._score_name, position.epoch, self._step, self._shown)
            )
            if self._manager
            else None
        )
        self._bar = self._open.enter_context(
            progress.bar(
                epochs * slices,
                f"train {self._title}",
                initial=position.epoch * slices + min(position.batch * batch, slices),
                hidden=not self._manager,
                compiles=True,
            )
        )
        self._slices, self._batch, self._saved_at = slices, batch, time.monotonic()
        self._epoch_began = self._saved_at - position.seconds
        return state, position

    def step(self, shown: Values, slices: int) -> None:
        """Takes what a step of so many slices returned, and reads the step before.

        Raises:
            Diverged: if loss or gradient stopped being finite.
        """
        before, self._unread = self._unread, (shown, slices)
        if before:
            self._read(*before)

    def save_if_due(self, state: steps.State, epoch: int, batch: int) -> None:
        """Keeps a state in the middle of an epoch: `batch` batches of epoch `epoch` are done."""
        if not self._manager or time.monotonic() - self._saved_at < self._save_seconds:
            return
        self._read_last()
        self._save(state, Position(epoch - 1, batch, time.monotonic() - self._epoch_began))

    def epoch(self, number: int, state: steps.State, fitted: Values, checked: Values) -> None:
        """Writes an epoch's means over both splits into the log, keeps its state and says what is wrong with it.

        Raises:
            Diverged: if a loss or gradient stopped being finite.
        """
        self._read_last()
        if not math.isfinite(checked["loss"]):
            self._diverged(f"the validation loss is {checked['loss']} after step {self._step}")
        now = time.monotonic()
        seconds, self._epoch_began = now - self._epoch_began, now
        if not self._manager or not self._log:
            return
        timing = {
            "slices": self._slices,
            "seconds": round(seconds, 2),
            "slices_per_second": round(self._slices / seconds, 1),
        }
        before, means = self._log.last(), {"train": fitted, "validation": checked}
        found = faults([before, means] if before else [means], self._batch)
        self._log.epoch(number, self._step, means, timing, found)
        self._say(found, number)
        decides = checked[self._choose]
        if self._choose != "score":
            decides += TIE * checked["score"]
            self._show({self._choose: checked[self._choose]})
        self._save(state, Position(number), decides)
        self._look(state)
        self._show({"validation": checked["score"]})

    def _look(self, state: steps.State) -> None:
        """Lets the log draw what the network attends to; the time that takes is not the next epoch's."""
        began = time.monotonic()
        if self._log:
            self._log.look(steps.unreplicate(state.params), self._step)
        self._epoch_began += time.monotonic() - began

    def _read_last(self) -> None:
        if self._unread:
            self._read(*self._unread)
            self._unread = None

    def _read(self, shown: Values, slices: int) -> None:
        values = {name: float(value) for name, value in steps.unreplicate(shown).items()}
        self._step += 1
        bad = next((name for name in ("loss", "gradient_norm") if not math.isfinite(values[name])), None)
        if bad:
            self._diverged(f"the {bad.replace('_', ' ')} is {values[bad]} in step {self._step}")
        if self._log:
            self._log.step(self._step, values)
        self._show({"loss": values["loss"], self._score_name: values["score"]})
        self._bar.update(slices)

    def _diverged(self, what: str) -> NoReturn:
        remedy = self._remedy[0].upper() + self._remedy[1:]
        raise Diverged(f"{self._title}: {what}; {self._saved}. {remedy}", self._step)

    def _say(self, found: Sequence[str], epoch: int) -> None:
        """Says each fault once."""
        for fault in found:
            if fault not in self._said:
                self._said.add(fault)
                progress.say(
                    f"warning: {self._title}: {words(fault)} (epoch {epoch}, step {self._step}); it may never "
                    f"learn again: {self._remedy}, or give another --config.seed"
                )

    def _show(self, means: Mapping[str, float]) -> None:
        self._means |= means
        text = " ".join(f"{name} {value:.3f}" for name, value in self._means.items())
        self._bar.set_postfix_str(text, refresh=False)

    def _save(self, state: steps.State, position: Position, score: float | None = None) -> None:
        assert self._manager
        checkpoints.save(self._manager, steps.unreplicate(state), position, score)
        self._saved_at = time.monotonic()
        self._note_saved()

    def _note_saved(self) -> None:
        if self._step:
            self._saved = (
                f"the last good checkpoint is {self._directory / 'checkpoints' / str(self._step)}, of step "
                f"{self._step}"
            )
