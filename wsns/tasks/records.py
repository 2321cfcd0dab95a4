"""Builds the records of a run: the outermost layer of the data stage, with files, clock and progress bars."""

import contextlib
import errno
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Sequence

import ml_collections

from wsns.data.lidc.annotations import Scan
from wsns.data.records.plan import Plan, make_plan, options
from wsns.data.records.scan_store import Store
from wsns.data.records.summary import count
from wsns.data.records.workers import prepare_all
from wsns.errors import InputError
from wsns.run.records_folder import write_all
from wsns.runtime import progress, workdir

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SLICE_MB = 0.25


def build(
    data_config: ml_collections.ConfigDict, directory: pathlib.Path, *, keep_unchanged: bool = False
) -> None:
    """Builds the records in a directory: the TFDS data, slices.csv, scans.csv, split.json, accounting.json,
    missing.txt (series UIDs that the archive folder lacks), and check.html with a picture of each scan.

    Scans are prepared one by one, by all cores, into `DIRECTORY.scans`; a build that was interrupted, or that
    found a scan it could not use, goes on from there. Then all is written in `DIRECTORY.partial` and moved to
    its place, so that what was there before stays until the new records are whole.

    Args:
        data_config: the fields of `wsns.data.records.plan.Options`.
        directory: where the records go; earlier records in it are replaced.
        keep_unchanged: leave records that were made by the same config alone if no scan has come, gone or changed
            since.

    Raises:
        wsns.errors.InputError: if the input or a config field is not as it must be, or the disk is full.
    """
    # Of a link to another disk the target, beside which all else must lie to be moved there.
    directory = pathlib.Path(os.path.realpath(directory))
    choice = options(data_config)
    began = time.monotonic()
    with _full_disk_told(directory):
        plan = make_plan(choice, progress.through, directory.with_name("dicom_index.json.gz"))
        found = [(uid, plan.source.identity(uid)) for uid in plan.source.series]
        source = workdir.fingerprint([found, plan.missing])
        if (
            keep_unchanged
            and workdir.read_json(directory / "accounting.json")["source_fingerprint"] == source
        ):
            return
        store = Store(directory.with_name(f"{directory.name}.scans"), plan.source, choice.rules)
        todo = [plan.scans[uid] for uid in plan.source.series if not workdir.is_whole(store.path(uid))]
        _check_space(plan, todo, store.folder, SLICE_MB * (3 if choice.neighbours else 1))
        _prepare(todo, len(found), store, choice.workers)
        with _partial(directory) as partial:
            facts = write_all(plan, choice, store, partial)
            made = {"source_fingerprint": source, "seconds": round(time.monotonic() - began, 1)}
            workdir.write_json(partial / "accounting.json", facts | made)
            _replace(directory, partial)
        workdir.remove(store.folder)


def _check_space(plan: Plan, todo: Sequence[Scan], folder: pathlib.Path, slice_mb: float) -> None:
    """Raises InputError where the disk is plainly too small for finished scans and records."""
    slices = 2 * (sum(plan.positives[scan.series] for scan in todo) + sum(plan.positives.values()))
    needed = slices * slice_mb * 1e6
    workdir.make_folder(folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"the records need about {needed / 1e9:.1f} GB in {folder.parent}, and {free / 1e9:.1f} GB are free: "
            "choose another --workdir, or take fewer scans (config.data.max_scans)"
        )


def _prepare(todo: Sequence[Scan], number: int, store: Store, workers: int) -> None:
    """Puts scans into the store, of `number` in all.

    Raises:
        InputError: naming all scans that can't be used, once the others are done.
    """
    failed: dict[str, str] = {}
    done = number - len(todo)
    with progress.bar(number, f"scans, {store.source.name}", initial=done, unit="scan") as bar:
        for scan, error in zip(todo, prepare_all(todo, store, workers)):
            if error:
                failed[scan.series] = str(error)
            bar.update()
    if not failed:
        return
    many = len(failed) > 1
    raise InputError(
        f"{len(failed)} of {number} scans can't be used:\n"
        + "".join(f"  {text}\n" for text in failed.values())
        + f"All else is done and kept ({count(number - len(failed), 'scan')}). Restore the files and run again, or "
        f"leave {'them' if many else 'it'} out with --config.data.exclude={','.join(failed)}"
    )


def _replace(directory: pathlib.Path, partial: pathlib.Path) -> None:
    """Puts the finished folder in the place of the old one, which is whole until then.

    Raises:
        InputError: if the old one can't be moved, as it is a disk of its own.
    """
    old = directory.with_name(f"{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    workdir.sync_tree(partial)
    try:
        if directory.exists():
            directory.rename(old)
        partial.rename(directory)
    except OSError as error:
        raise InputError(
            f"{directory} can't be put in its place ({error.strerror}): if it is where another disk is mounted, make "
            "'records' a link to a folder on that disk"
        ) from error
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _partial(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives an empty folder beside the records', of which nothing stays if it is not moved away."""
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _full_disk_told(directory: pathlib.Path) -> Iterator[None]:
    """Array_record reports a full disk as RuntimeError, all else as OSError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if any(os.strerror(number) in str(error) for number in DISK_FULL):
            raise InputError(
                f"no space left in {directory.parent} ({error}): free some and run again; finished scans are kept"
            ) from error
        raise
