"""Checkpoints with orbax, behind three functions: the latest and the best epoch are kept."""

import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from wsns.errors import InputError


def open_manager(directory: pathlib.Path) -> ocp.CheckpointManager:
    """Opens or creates a folder of checkpoints, which keeps the latest epoch and the one of highest score."""
    keep = policies.AnyPreservationPolicy(
        [policies.LatestN(1), policies.BestN(get_metric_fn=lambda metrics: metrics["score"], n=1)]
    )
    options = ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics["score"], best_mode="max", preservation_policy=keep
    )
    return ocp.CheckpointManager(directory.absolute(), options=options)


def save(manager: ocp.CheckpointManager, epoch: int, state: Any, score: float) -> None:
    """Saves the state after an epoch, in the background; it appears under its name when complete."""
    host = jax.tree.map(np.asarray, state)
    manager.save(epoch, args=ocp.args.StandardSave(host), metrics={"score": score})


def restore(manager: ocp.CheckpointManager, epoch: int, like: Any) -> Any:
    """Returns the state saved after an epoch, as NumPy arrays in the structure of `like`."""
    target = jax.tree.map(lambda leaf: np.empty(np.shape(leaf), leaf.dtype), like)
    return manager.restore(epoch, args=ocp.args.StandardRestore(target))


def best_params(directory: pathlib.Path) -> Any:
    """Returns the parameters of the epoch with the highest score, whatever the number of devices.

    Raises:
        InputError: if the folder holds no checkpoint.
    """
    with open_manager(directory) as manager:
        epoch = manager.best_step()
        if epoch is None:
            raise InputError(f"{directory}: no checkpoint; train first (--config.task=train)")
        return manager.restore(epoch, args=ocp.args.StandardRestore())["params"]
