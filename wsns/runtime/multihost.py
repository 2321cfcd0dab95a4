"""One run over several processes, on one machine or many (`jax.distributed`)."""

import os
import socket
import time
from typing import Any

import jax
from jax.experimental import multihost_utils

from wsns.errors import InputError

PATIENCE = 300.0
"""Seconds that a process waits for the first one."""


def join(
    coordinator: str, processes: int | None = None, index: int | None = None, *, patience: float = PATIENCE
) -> None:
    """Makes this process one of several; call it before anything uses a device.

    Args:
        coordinator: HOST:PORT of the first process, the same for all; 'auto' on a TPU pod or under SLURM or Open
            MPI, where JAX knows all three by itself.
        processes: how many there are.
        index: of this one, from 0.
        patience: seconds to wait for the first process.

    Raises:
        InputError: if they can't be joined.
    """
    try:
        if coordinator == "auto":
            jax.distributed.initialize()
            return
        if index:
            _wait_for(coordinator, patience)
        jax.distributed.initialize(coordinator, processes, index)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"--coordinator={coordinator} --processes={processes} --process={index}: can't join the others "
            f"({str(error).splitlines()[0]}); each process needs the same address and count, and a number of its own"
        ) from error


def is_first() -> bool:
    """Says whether this process is the one that writes files and shows progress; alone it starts no device for that."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def count() -> int:
    """Returns how many processes there are; alone it starts no device for that."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def check_devices() -> None:
    """Starts the devices, which networks need and records don't.

    Raises:
        InputError: if those that JAX_PLATFORMS asks for aren't there.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX's own, as its version has it
        asked = os.environ.get("JAX_PLATFORMS", "")
        raise InputError(
            f"JAX_PLATFORMS={asked}: no such device can be used here{_said(error)}: unset it, or "
            "set it to cpu; for an NVIDIA GPU pip install -r requirements-gpu.txt"
        ) from error


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())[:300]
    return f" ({words})" if words else ""


def from_first(tree: Any) -> Any:
    """Returns the first process's arrays in every process."""
    return multihost_utils.broadcast_one_to_all(tree) if count() > 1 else tree


def _wait_for(address: str, patience: float) -> None:
    """Returns once somebody listens at HOST:PORT: XLA itself aborts the process if nobody ever does."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + patience
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
