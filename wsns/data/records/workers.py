"""The work of a build in several processes, each of which prepares one scan after the other."""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator

from wsns.data.readers.annotations import Scan
from wsns.data.records.scan import Rules, ScanRecords, scan_records
from wsns.data.records.store import Store
from wsns.data.volume import Source
from wsns.errors import InputError


def prepare(scan: Scan, source: Source, rules: Rules) -> ScanRecords:
    """Reads one scan and makes its records.

    Raises:
        InputError: if its files cannot be used; the message names them.
    """
    try:
        made = scan_records(scan, source.read(scan.series), rules)
    except InputError as error:
        raise InputError(f"{scan.patient}, series {scan.series}: {error}") from error
    except Exception as error:
        error.add_note(f"while the records of {scan.patient}, series {scan.series}, were made")
        raise
    return dataclasses.replace(made, facts=dataclasses.replace(made.facts, notes=source.notes(scan.series)))


class Workers:
    """Processes that put finished scans into a store; they end with the `with` block."""

    def __init__(self, store: Store, number: int) -> None:
        """Starts nothing yet; `number` 0 takes every core, 1 stays in this process."""
        self._store = store
        self._number = number or os.cpu_count() or 1
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self._number > 1:
            # Read by the workers' own NumPy and SimpleITK as they start: each has one core.
            for library in (
                "OPENBLAS_NUM_THREADS",
                "OMP_NUM_THREADS",
                "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
            ):
                os.environ.setdefault(library, "1")
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self._number, multiprocessing.get_context("spawn"), _start
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool:
            if kind is KeyboardInterrupt:
                for process in multiprocessing.active_children():
                    process.terminate()
            self._pool.shutdown(cancel_futures=True)

    def run(self, scans: Iterable[Scan]) -> Iterator[InputError | None]:
        """Prepares scans in the order given; yields, for each, what is wrong with it.

        Raises:
            InputError: if a process died.
            OSError: if the store cannot be written.
        """
        if self._pool is None:
            for scan in scans:
                yield _outcome(scan, self._store)
            return
        waiting: collections.deque[concurrent.futures.Future[InputError | None]] = collections.deque()
        try:
            for scan in scans:
                # The files of one scan: those of all would be 100 MB for each process.
                waiting.append(self._pool.submit(_outcome, scan, self._store.only(scan.series)))
                if len(waiting) > self._number + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except concurrent.futures.process.BrokenProcessPool as error:
            raise InputError(
                "a process that prepares scans ended unexpectedly, perhaps for lack of memory (each takes about "
                "0.6 GB): what is done is kept; run again with fewer, --config.data.workers=N, or none, N = 1"
            ) from error


def _outcome(scan: Scan, store: Store) -> InputError | None:
    try:
        store.write(prepare(scan, store.source, store.rules))
    except InputError as error:
        return error
    return None


def _start() -> None:
    # The parent answers to the keyboard; a worker whose parent was killed must not wait for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
