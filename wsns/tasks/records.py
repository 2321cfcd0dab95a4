"""Builds the records of a run: the outermost layer of the data stage, with files, clock and progress bars."""

import contextlib
import csv
import errno
import hashlib
import io
import itertools
import os
import pathlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import absl.logging
import ml_collections
import numpy as np
import tensorflow_datasets as tfds
import tqdm

from datasets.lidc_slices.lidc_slices_dataset_builder import Builder, LidcSlicesConfig, examples
from wsns import progress, workdir
from wsns.data.records.input import data_source
from wsns.data.records.plan import Options, Plan, make_plan, options
from wsns.data.records.scan import ScanFacts
from wsns.data.records.split import SPLITS, fingerprint
from wsns.data.records.store import Store
from wsns.data.records.workers import Workers
from wsns.errors import InputError
from wsns.tasks.check_page import write_check_page
from wsns.tasks.facts import account, scan_rows
from wsns.tasks.summary import count

COLUMNS = (
    "patient", "series", "z", "slice_index", "split", "label", "nodules", "voxels", "outside_crop",
)  # fmt: skip
SHARD = 1024
"""Slices per file: about 230 MB."""
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
    directory = pathlib.Path(directory).absolute()
    choice = options(data_config)
    began = time.monotonic()
    plan = make_plan(choice, _progress, directory.with_name("dicom_index.json.gz"))
    found = [(uid, plan.source.identity(uid)) for uid in plan.source.series]
    source = workdir.fingerprint([found, plan.missing])
    if keep_unchanged and workdir.read_json(directory / "accounting.json")["source_fingerprint"] == source:
        return
    store = Store(directory.with_name(f"{directory.name}.scans"), plan.source, choice.rules)
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _check_space(plan, store)
        _prepare(plan, store, choice.workers)
        partial.mkdir(parents=True)
        facts = write_all(plan, choice, store, partial)
        made = {"source_fingerprint": source, "seconds": round(time.monotonic() - began, 1)}
        workdir.write_json(partial / "accounting.json", facts | made)
        _replace(directory, partial)
    except (OSError, RuntimeError) as error:
        _raise_if_disk_is_full(error, directory)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(store.folder)


def _check_space(plan: Plan, store: Store) -> None:
    """Raises InputError where the disk is plainly too small for finished scans and records."""
    slices = 2 * sum(plan.positives[uid] for uid in plan.source.series if not store.path(uid).exists())
    needed = (slices + 2 * sum(plan.positives.values())) * SLICE_MB * 1e6
    store.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.folder).free
    if free < needed:
        raise InputError(
            f"the records need about {needed / 1e9:.1f} GB in {store.folder.parent}, and {free / 1e9:.1f} GB are "
            "free: choose another --workdir, or take fewer scans (config.data.max_scans)"
        )


def _prepare(plan: Plan, store: Store, workers: int) -> None:
    """Puts every scan into the store that is not there yet.

    Raises:
        InputError: naming all scans that can't be used, once the others are done.
    """
    todo = [plan.scans[uid] for uid in plan.source.series if not store.path(uid).exists()]
    number = len(plan.source.series)
    failed: dict[str, str] = {}
    with (
        progress.bar(number, f"scans, {plan.source.name}", initial=number - len(todo), unit="scan") as bar,
        Workers(store, min(workers, len(todo)) if len(todo) < 2 else workers) as pool,
    ):
        for scan, error in zip(todo, pool.run(todo)):
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


def write_all(plan: Plan, choice: Options, store: Store, directory: pathlib.Path) -> dict[str, Any]:
    """Writes all files but accounting.json, whose content it returns."""
    facts = _write_records(plan, choice, store, directory)
    rows, data_fingerprint = _read_back(plan, directory)
    scans = scan_rows(plan, facts)
    _write_csv(directory / "slices.csv", COLUMNS, rows)
    told = [row | {"warnings": " ".join(row["warnings"])} for row in scans]
    _write_csv(directory / "scans.csv", list(told[0]), told)
    workdir.write_json(
        directory / "split.json", {"fingerprint": fingerprint(plan.parts), "patients": dict(plan.parts)}
    )
    workdir.write_text(directory / "missing.txt", "".join(f"{uid}\n" for uid in plan.missing))
    write_check_page(directory, scans)
    return account(plan, choice, rows, facts) | {
        "bytes": sum(file.stat().st_size for file in directory.rglob("*.array_record*")),
        "data_fingerprint": data_fingerprint,
    }


def _write_records(plan: Plan, choice: Options, store: Store, directory: pathlib.Path) -> list[ScanFacts]:
    """Writes the finished scans as TFDS records, and their pictures; returns what to account for.

    TFDS's own build is not used here: it holds a split in memory, or needs TensorFlow from 1 GB on.
    """
    facts = []
    with _quiet_tfds(), progress.bar(len(plan.source.series), "writing records", unit="scan") as bar:
        config = LidcSlicesConfig(name="records", options=choice)
        builder = Builder(config=config, data_dir=directory)
        pathlib.Path(builder.data_dir).mkdir(parents=True)
        writer = tfds.core.SequentialWriter(builder.info, SHARD, file_format="array_record")
        parts = [part for part in SPLITS if plan.series(part)]
        writer.initialize_splits(parts)
        (directory / "check").mkdir()
        for part in parts:
            for uid in plan.series(part):
                scan = store.read(uid)
                writer.add_examples({part: [record for _, record in examples(scan.slices)]})
                (directory / "check" / f"{uid}.jpg").write_bytes(scan.picture)
                facts.append(scan.facts)
                bar.update()
        writer.close_all()
    return facts


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS from warning of a config of our own."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)


def _read_back(plan: Plan, directory: pathlib.Path) -> tuple[list[dict[str, Any]], str]:
    """Reads every record that was written: returns the rows of slices.csv and the SHA-256 of all contents."""
    rows, digests = [], []
    for part in (part for part in SPLITS if plan.series(part)):
        source = data_source(directory, part)
        # Decompression and hashing let go of the interpreter's lock.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(_row, itertools.repeat(source), itertools.repeat(part), range(len(source)))
            for row, digest in tqdm.tqdm(found, f"checking {part}", len(source), leave=False, unit="slice"):
                rows.append(row)
                digests.append((row["series"], row["slice_index"], digest))
    rows.sort(key=lambda row: (row["patient"], row["series"], row["slice_index"]))
    return rows, hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()


def _row(source: Sequence[Mapping[str, Any]], part: str, n: int) -> tuple[dict[str, Any], str]:
    """Returns a record's row of slices.csv and the SHA-256 of its content."""
    record = source[n]
    row = {
        "patient": record["patient"].decode(),
        "series": record["series"].decode(),
        "z": float(record["z"]),
        "slice_index": int(record["slice_index"]),
        "split": part,
        "label": int(record["label"]),
        "nodules": int(record["count"]),
        "voxels": int(np.count_nonzero(record["nodules"])) + int(record["outside_crop"]),
        "outside_crop": int(record["outside_crop"]),
    }
    content = hashlib.sha256()
    for name in sorted(record):
        content.update(name.encode() + np.asarray(record[name]).tobytes())
    return row, content.hexdigest()


def _progress(items: Iterable[Any], what: str) -> Iterable[Any]:
    return tqdm.tqdm(items, desc=what, leave=False, mininterval=0.5)


def _write_csv(path: pathlib.Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _replace(directory: pathlib.Path, partial: pathlib.Path) -> None:
    """Puts the finished folder in the place of the old one, which is whole until then."""
    old = directory.with_name(f"{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    partial.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def _raise_if_disk_is_full(error: Exception, directory: pathlib.Path) -> None:
    """Array_record reports a full disk as RuntimeError, all else as OSError."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in str(error):
        raise InputError(
            f"no space left in {directory.parent} ({error}): free some and run again; finished scans are kept"
        ) from error
