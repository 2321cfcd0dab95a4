"""Steps of a run: each is done once, and again only when what it depends on has changed.

A step is done when its stamp holds the fingerprint of everything that the step depends on: a changed config field
redoes the steps that read it, and those that stand on them, and nothing else.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wsns.errors import InputError
from wsns.runtime import progress
from wsns.runtime.workdir import fingerprint, read_json, remove, write_json


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """A step of a run.

    `name`: of its stamp; `title`: what it does, for the terminal; `inputs`: what it depends on; `outputs`: files and
    folders that it makes; `run`: makes them. `keeps`: the part of the inputs whose change throws half-done outputs
    away, all of them unless it is given. `whole`: False where outputs are missing, or wanted anew.
    """

    name: str
    title: str
    inputs: Mapping[str, Any]
    outputs: Sequence[pathlib.Path]
    run: Callable[[], None]
    keeps: Mapping[str, Any] | None = None
    whole: bool = True


class Stamps:
    """The stamps of a working directory: which steps are done, and on what they stand."""

    def __init__(self, workdir: pathlib.Path, agenda: Sequence[str] = (), *, writes: bool = True):
        """Takes the run's folder.

        Args:
            workdir: of the run.
            agenda: if progress is to be told, the names of all steps to come, in order.
            writes: False in a process that works for another one, which writes the stamps.
        """
        self._directory, self._agenda, self._writes = workdir / "stamps", list(agenda), writes

    def is_done(self, step: str, inputs: Mapping[str, Any]) -> bool:
        """Says whether a step was finished from exactly these inputs; a damaged stamp vouches for nothing."""
        try:
            found = read_json(self._directory / f"{step}.json")["fingerprint"]
        except (InputError, KeyError, TypeError):
            return False
        return bool(found == fingerprint(inputs))

    def must_do(self, step: str, inputs: Mapping[str, Any], title: str, *, whole: bool = True) -> bool:
        """Says whether a step is still to be done, and tells it on the terminal if it is one of the agenda.

        Args:
            step: the step's name.
            inputs: what the step depends on.
            title: the step in words.
            whole: False: what it left is not there, or wanted anew.
        """
        done = whole and self.is_done(step, inputs)
        self.tell(step, title, done=done)
        return not done

    def tell(self, step: str, title: str, *, done: bool = False) -> None:
        """Says which step of the agenda begins, or was done before."""
        if step in self._agenda:
            number = f"step {self._agenda.index(step) + 1} of {len(self._agenda)}"
            progress.say(f"{number}: {title}{': done before' if done else ''}")

    def mark_done(self, step: str, inputs: Mapping[str, Any]) -> None:
        """Records that a step was finished from these inputs."""
        write_json(self._directory / f"{step}.json", {"fingerprint": fingerprint(inputs), "inputs": inputs})

    def begin(self, step: str, inputs: Mapping[str, Any], *outputs: pathlib.Path) -> None:
        """Prepares a step: what an earlier run made from other inputs is removed, a half-done one is kept.

        Args:
            step: the step's name.
            inputs: what the step depends on.
            outputs: files and folders that the step makes.

        Raises:
            InputError: if the stamp is damaged that says what the outputs were made from.
        """
        path = self._directory / f"{step}.begun.json"
        if not path.exists() or _begun(path, outputs) != fingerprint(inputs):
            (self._directory / f"{step}.json").unlink(missing_ok=True)
            for output in outputs:
                remove(output)
            write_json(path, {"fingerprint": fingerprint(inputs), "inputs": inputs})

    def do(self, step: Step) -> None:
        """Does a step unless it is done; half-done work of the same inputs is gone on with.

        Raises:
            InputError: if the stamp is damaged that says what half-done outputs were made from.
        """
        if self.must_do(step.name, step.inputs, step.title, whole=step.whole):
            if self._writes:
                self.begin(step.name, step.inputs if step.keeps is None else step.keeps, *step.outputs)
            step.run()
            if self._writes:
                self.mark_done(step.name, step.inputs)


def _begun(path: pathlib.Path, outputs: Sequence[pathlib.Path]) -> str:
    """Returns what a half-done step stands on; with a damaged stamp its work is nobody's to throw away."""
    try:
        return str(read_json(path)["fingerprint"])
    except (InputError, KeyError, TypeError):
        kept = [str(output) for output in outputs if output.exists()]
        if not kept:
            return ""
        raise InputError(
            f"{path} is empty or damaged, and says no longer what {' and '.join(kept)} was made from: "
            f"remove {path}, and the same command does that step anew"
        ) from None
