"""Checkpoints with orbax: the two latest, and that of the epoch with the highest score."""

import pathlib
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from wsns.errors import InputError
from wsns.runtime import workdir
from wsns.runtime.plain_paths import own_name, plain
from wsns.training.step import PER_STEP, State, no_sums

LATEST = 2
"""So many stay, so that there is one before a damaged one."""


class Position(NamedTuple):
    """Where in the data a run is: complete epochs, batches done of the next one, seconds spent on those."""

    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0


def open_manager(directory: pathlib.Path) -> ocp.CheckpointManager:
    """Opens or creates a folder of checkpoints, for the calling process alone."""

    def score(metrics: Any) -> float:
        return metrics["score"]

    best = policies.BestN(get_metric_fn=score, n=1, keep_checkpoints_without_metrics=False)
    own = jax.process_index()
    workdir.make_folder(directory)
    options = ocp.CheckpointManagerOptions(
        best_fn=score,
        best_mode="max",
        create=False,
        preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(LATEST), best]),
        multiprocessing_options=ocp.options.MultiprocessingOptions(primary_host=own, active_processes={own}),
    )
    return ocp.CheckpointManager(plain(directory), options=options)


def save(
    manager: ocp.CheckpointManager, state: State, position: Position, score: float | None = None
) -> None:
    """Saves a state, in the background; it appears under its step's number when complete.

    Args:
        manager: of the folder.
        state: arrays on the host, one copy.
        position: where in the data it is.
        score: on the validation split, at the end of an epoch.
    """
    host = jax.tree.map(np.asarray, state)
    rest = host._replace(params={})._asdict() | {"position": [np.asarray(value) for value in position]}
    items = {"params": host.params, "rest": rest}
    checked = items | {"checksums": _checksums(items)}
    manager.save(
        int(state.step),
        args=ocp.args.Composite(**{name: ocp.args.StandardSave(item) for name, item in checked.items()}),
        metrics=None if score is None else {"score": score},
    )


def restore_latest(
    manager: ocp.CheckpointManager, like: State, warn: Callable[[str], None]
) -> tuple[State, Position] | None:
    """Returns the newest state that is whole, as NumPy arrays, and its position; None where there is none.

    Damaged ones are removed and named to `warn`: their steps are done again.

    Args:
        manager: of the folder.
        like: a state of the same shapes.
        warn: takes a line of text.
    """
    for step in sorted(manager.all_steps(), reverse=True):
        try:
            return _restore(manager, step, like)
        except Exception as error:  # orbax and what it stands on raise whatever a damaged file makes them
            warn(
                f"warning: {own_name(pathlib.Path(manager.directory)) / str(step)} is damaged ({_first_line(error)}): "
                "going on from the one before"
            )
            manager.delete(step)
    return None


def best_params(directory: pathlib.Path) -> Any:
    """Returns the parameters of the epoch with the highest score, whatever the number of devices.

    Raises:
        InputError: if the folder holds no checkpoint, or a damaged one.
    """
    with open_manager(directory) as manager:
        step = manager.best_step()
        if step is None:
            raise InputError(f"{directory}: no checkpoint; train first (--config.task=train)")
        try:
            found = _read(manager, step, {"params": None, "checksums": None})
        except Exception as error:  # as above
            raise InputError(
                f"{directory / str(step)} is damaged ({_first_line(error)}): remove {directory.parent} and train again"
            ) from error
        return found["params"]


def _restore(manager: ocp.CheckpointManager, step: int, like: State) -> tuple[State, Position]:
    try:
        return _restore_like(manager, step, like)
    except Exception as error:  # as above
        # Before gradient norms were added up; they begin at 0 here.
        earlier = {
            name: value for name, value in like.sums.items() if name not in {*PER_STEP, *PER_STEP.values()}
        }
        try:
            return _restore_like(manager, step, like._replace(sums=earlier))
        except Exception:
            raise error from None


def _restore_like(manager: ocp.CheckpointManager, step: int, like: State) -> tuple[State, Position]:
    rest = like._replace(params={})._asdict() | {"position": [np.asarray(value) for value in Position()]}
    found = _read(manager, step, {"params": like.params, "rest": rest, "checksums": None})
    rest = dict(found["rest"])
    epoch, batch, seconds = rest.pop("position")
    state = State(**rest)._replace(params=found["params"], sums=no_sums() | rest["sums"])
    return state, Position(int(epoch), int(batch), float(seconds))


def _read(manager: ocp.CheckpointManager, step: int, wanted: dict[str, Any]) -> dict[str, Any]:
    """Returns items of a checkpoint, in the structure of what is given for each, or as they were saved for None.

    Raises:
        ValueError: if an item's checksum is another than when it was saved.
    """
    empty = jax.tree.map(lambda leaf: np.empty(np.shape(leaf), np.asarray(leaf).dtype), wanted)
    args = {name: ocp.args.StandardRestore(item) for name, item in empty.items()}
    found = dict(manager.restore(step, args=ocp.args.Composite(**args)).items())
    saved = found.pop("checksums")
    for name, checksum in _checksums(found).items():
        if checksum != saved[name]:
            raise ValueError(f"the checksum of {name!r} is another")
    return found


def _checksums(items: dict[str, Any]) -> dict[str, np.uint32]:
    """Returns the CRC-32 of each item's arrays, in the order of their names."""
    sums = {}
    for name, item in items.items():
        value = 0
        for leaf in jax.tree.leaves(item):
            value = zlib.crc32(np.asarray(leaf).tobytes(), value)
        sums[name] = np.uint32(value)
    return sums


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
