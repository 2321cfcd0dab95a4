"""Scan after scan in processes of their own: for a build of the records, and read whole for a search."""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Iterable, Iterator

from wsns.data.lidc.annotations import Scan
from wsns.data.records.extract import Rules, ScanRecords, scan_records
from wsns.data.records.scan_store import Store
from wsns.data.records.schema import Slices
from wsns.data.volume import Source
from wsns.errors import InputError
from wsns.runtime.background import ahead
from wsns.runtime.processes import cores, pool


def prepare(scan: Scan, source: Source, rules: Rules) -> ScanRecords:
    """Reads one scan and makes its records.

    Raises:
        InputError: if its files cannot be used; the message names them.
    """
    try:
        volume = source.read(scan.series)
        made = scan_records(scan, volume, rules)
        notes = (*source.notes(scan.series), *volume.notes)
    except InputError as error:
        raise InputError(f"{scan.patient}, series {scan.series}: {error}") from error
    except Exception as error:
        error.add_note(f"while the records of {scan.patient}, series {scan.series}, were made")
        raise
    return dataclasses.replace(made, facts=dataclasses.replace(made.facts, notes=notes))


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


def read_whole(
    scans: Iterable[Scan], source: Source, rules: Rules, workers: int
) -> Iterator[Slices | InputError]:
    """Yields each scan's slices, all that `scan_records` gives with `every`, or what is wrong with it.

    The next scan is read meanwhile: in another process, as a thread would hold up what this one does.

    Args:
        scans: what to read.
        source: has them.
        rules: how slices are cut and judged.
        workers: 1 stays in this process.

    Raises:
        InputError: if the process died.
    """
    given = ((scan, source, rules) for scan in scans)
    if cores(workers) == 1:
        yield from map(_whole, given)
        return
    try:
        with pool(1) as processes:
            yield from ahead(_whole, map(_alone, given), pool=processes)
    except concurrent.futures.process.BrokenProcessPool as error:
        raise InputError(
            "the process that reads scans ended unexpectedly, perhaps for lack of memory: what is done is kept; run "
            "again with --config.data.workers=1"
        ) from error


def _alone(given: tuple[Scan, Source, Rules]) -> tuple[Scan, Source | InputError, Rules]:
    """Leaves a scan's own files only; those of all would be 100 MB."""
    scan, source, rules = given
    try:
        return scan, source.only([scan.series]), rules
    except InputError as error:
        return scan, error, rules


def _whole(given: tuple[Scan, Source | InputError, Rules]) -> Slices | InputError:
    scan, source, rules = given
    if isinstance(source, InputError):
        return source
    try:
        return scan_records(scan, source.read(scan.series), rules, every=True).slices
    except InputError as error:
        return InputError(f"{scan.patient}, series {scan.series}: {error}")


def _outcome(scan: Scan, store: Store) -> InputError | None:
    try:
        store.write(prepare(scan, store.source, store.rules))
    except InputError as error:
        return error
    return None
