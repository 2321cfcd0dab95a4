"""Worker processes that start afresh, have one core each, leave the keyboard to their parent and end with it."""

import concurrent.futures
import contextlib
import math
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Iterator, Sequence

from wsns.errors import InputError

QUOTAS = ("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
"""Where a container's share of the processor stands, in two versions of Linux's control groups."""


def cores(number: int = 0) -> int:
    """Returns a number of processes; 0 stands for one per core that this process may use."""
    return number or min(_allowed(), _quota())


def _allowed() -> int:
    """Returns how many cores `taskset`, SLURM and the like leave; a Mac leaves all."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _quota(paths: Sequence[str] = QUOTAS) -> int:
    """Returns how many cores' time a container has, rounded up; many where it has no limit."""
    for path in paths:
        try:
            words = pathlib.Path(path).read_text(encoding="ascii").split()
            if len(words) == 1:
                words += [pathlib.Path(path).with_name("cpu.cfs_period_us").read_text(encoding="ascii")]
            quota, period = (float(word) for word in words)
        except (OSError, ValueError):
            continue
        if quota > 0:
            return max(1, math.ceil(quota / period))
    return 1 << 20


@contextlib.contextmanager
def pool(number: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Runs so many processes for a `with` block; an interrupt ends them at once, any other end when they are done.

    What they are given must be picklable and importable.

    Raises:
        InputError: if the system gives no locks for them.
    """
    # Read by the workers' own NumPy and SimpleITK as they start.
    for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ.setdefault(library, "1")
    context = multiprocessing.get_context("spawn")
    try:
        executor = concurrent.futures.ProcessPoolExecutor(number, context, _start)
    except OSError as error:
        # Their locks lie in the machine's shared memory, on Linux a small disk of its own.
        raise InputError(
            f"no processes can be started ({error.strerror or error}): /dev/shm is full, read-only or missing; "
            "make room there, or do all in one process (--config.data.workers=1)"
        ) from error
    try:
        yield executor
    except (KeyboardInterrupt, GeneratorExit):
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed can't tell its workers, which would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
