"""What a records folder holds: TFDS's files, tables, pictures, read back and checked."""

import contextlib
import hashlib
import io
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import absl.logging
import numpy as np
import tensorflow_datasets as tfds

from datasets.lidc_slices.lidc_slices_dataset_builder import Builder, LidcSlicesConfig, examples
from wsns.data.records.accounting import account, scan_rows
from wsns.data.records.extract import ScanFacts
from wsns.data.records.loading import data_source
from wsns.data.records.plan import Options, Plan
from wsns.data.records.scan_store import Store
from wsns.data.records.split import SPLITS, fingerprint
from wsns.report.qc_page import write_check_page
from wsns.runtime import progress, workdir
from wsns.runtime.plain_paths import plain
from wsns.runtime.processes import cores

COLUMNS = (
    "patient", "series", "z", "slice_index", "split", "label", "nodules", "voxels", "outside_crop",
)  # fmt: skip
SHARD = 1024
"""Slices per file: about 230 MB."""


def write_all(plan: Plan, choice: Options, store: Store, directory: pathlib.Path) -> dict[str, Any]:
    """Writes all files but accounting.json, whose content it returns."""
    facts = _write_records(plan, choice, store, directory)
    rows, data_fingerprint = _read_back(plan, directory)
    scans = scan_rows(plan, facts)
    workdir.write_rows(directory / "slices.csv", COLUMNS, rows)
    told = [row | {"warnings": " ".join(row["warnings"])} for row in scans]
    workdir.write_rows(directory / "scans.csv", list(told[0]), told)
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
        builder = Builder(config=config, data_dir=plain(directory))
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
        with ThreadPoolExecutor(cores()) as pool:
            found = pool.map(_row, itertools.repeat(source), itertools.repeat(part), range(len(source)))
            with progress.bar(len(source), f"checking {part}", leave=False) as bar:
                for row, digest in found:
                    rows.append(row)
                    digests.append((row["series"], row["slice_index"], digest))
                    bar.update()
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
