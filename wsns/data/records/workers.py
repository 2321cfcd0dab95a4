"""The work of a build: one scan after the other, in as many processes as there are cores."""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Iterable, Iterator

from wsns.data.readers.annotations import Scan
from wsns.data.records.scan import Rules, ScanRecords, scan_records
from wsns.data.records.store import Store
from wsns.data.volume import Source
from wsns.errors import InputError
from wsns.processes import cores, pool


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


def prepare_all(scans: Iterable[Scan], store: Store, workers: int) -> Iterator[InputError | None]:
    """Puts finished scans into a store, in the order given; yields, for each, what is wrong with it.

    Args:
        scans: what to prepare.
        store: where they go.
        workers: processes; 0 takes every core, 1 stays in this process.

    Raises:
        InputError: if a process died.
        OSError: if the store cannot be written.
    """
    number = cores(workers)
    if number == 1:
        for scan in scans:
            yield _outcome(scan, store)
        return
    waiting: collections.deque[concurrent.futures.Future[InputError | None]] = collections.deque()
    try:
        with pool(number) as processes:
            for scan in scans:
                # The files of one scan: those of all would be 100 MB for each process.
                waiting.append(processes.submit(_outcome, scan, store.only(scan.series)))
                if len(waiting) > number + 1:
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
