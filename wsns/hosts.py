"""One run over several processes, on one machine or many (`jax.distributed`)."""

from typing import Any

import jax
from jax.experimental import multihost_utils

from wsns.errors import InputError


def join(coordinator: str, processes: int | None, index: int | None) -> None:
    """Makes this process one of `processes`; call it before anything uses a device.

    Args:
        coordinator: HOST:PORT of the first process, the same for all; 'auto' on a TPU pod or under SLURM or Open
            MPI, where JAX knows all three by itself.
        processes: how many there are.
        index: of this one, from 0.

    Raises:
        InputError: if they can't be joined.
    """
    try:
        if coordinator == "auto":
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(coordinator, processes, index)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--coordinator={coordinator} --processes={processes} --process={index}: can't join the others "
            f"({str(error).splitlines()[0]}); each process needs the same address and count, and a number of its own"
        ) from error


def is_first() -> bool:
    """Says whether this process is the one that writes files and shows progress."""
    return jax.process_index() == 0


def wait_for_all(what: str) -> None:
    """Returns when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def from_first(tree: Any) -> Any:
    """Returns the first process's arrays in every process."""
    return multihost_utils.broadcast_one_to_all(tree) if jax.process_count() > 1 else tree
