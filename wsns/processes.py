"""Worker processes that start afresh, have one core each, leave the keyboard to their parent and end with it."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator


def cores(number: int) -> int:
    """Returns a number of processes; 0 stands for one per core."""
    return number or os.cpu_count() or 1


@contextlib.contextmanager
def pool(number: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Runs so many processes for a `with` block; an interrupt ends them at once, any other end when they are done.

    What they are given must be picklable and importable.
    """
    # Read by the workers' own NumPy and SimpleITK as they start.
    for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ.setdefault(library, "1")
    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(number, context, _start)
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
