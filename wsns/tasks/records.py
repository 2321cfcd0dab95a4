"""Builds the records of a run: the outermost layer of the data stage, with files, clock and progress bars."""

import collections
import contextlib
import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import pathlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import absl.logging
import ml_collections
import numpy as np
import tensorflow_datasets as tfds
import tqdm

from datasets.lidc_slices.lidc_slices_dataset_builder import Builder, LidcSlicesConfig
from wsns import progress
from wsns.data import twin
from wsns.data.input import VERSION, data_source
from wsns.data.plan import Options, Plan, Workers, make_plan, options
from wsns.data.slices import ScanRecords
from wsns.data.split import SPLITS, fingerprint

COLUMNS = (
    "patient", "series", "z", "slice_index", "split", "label", "nodules", "voxels", "outside_crop",
)  # fmt: skip
SMALL_LUNG_ML = 500.0


def build(data_config: ml_collections.ConfigDict, directory: pathlib.Path) -> None:
    """Builds the records in a directory: the TFDS data, slices.csv, split.json, accounting.json and
    missing.txt (series UIDs that the archive folder lacks).

    All is made in a folder beside it and moved there at the end, so that a failed or interrupted build
    leaves what was there before.

    Args:
        data_config: the fields of `wsns.data.plan.Options`.
        directory: where the records go; earlier records in it are replaced.

    Raises:
        wsns.errors.InputError: if the input or a config field is not as it must be.
    """
    directory = pathlib.Path(directory).absolute()
    choice = options(data_config)
    began = time.monotonic()
    plan = make_plan(choice, _progress)
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        facts = _write_all(plan, choice, partial)
        facts["seconds"] = round(time.monotonic() - began, 1)
        _write_json(partial / "accounting.json", facts)
        _replace(directory, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def account(
    plan: Plan, choice: Options, rows: Iterable[Mapping[str, Any]], results: Iterable[ScanRecords]
) -> dict[str, Any]:
    """Counts what went in, what was left out and why.

    Args:
        plan: the scans that were chosen.
        choice: the options they were chosen by.
        rows: one per record, as in slices.csv.
        results: what the scans gave.
    """
    rows, results = list(rows), list(results)
    slices: dict[str, collections.Counter[str]] = {part: collections.Counter() for part in SPLITS}
    for row in rows:
        slices[row["split"]]["positive" if row["label"] else "negative"] += 1
    small = {r.series: [round(ml) for ml in r.lungs_ml] for r in results if min(r.lungs_ml) < SMALL_LUNG_ML}
    return {
        "source": plan.source.name,
        "patients": len(plan.parts),
        "scans": len(plan.scans),
        "scans_without_positive_slice": sum(not number for number in plan.positives.values()),
        "scans_missing": len(plan.missing),
        "excluded": choice.exclude,
        "slices": {part: dict(counts) for part, counts in slices.items()},
        "patients_per_split": dict(collections.Counter(plan.parts.values())),
        "slices_with_two_nodules": sum(row["nodules"] == 2 for row in rows),
        "slices_with_more_nodules_left_out": sum(result.too_many for result in results),
        "negatives_missing": sum(result.missing_negatives for result in results),
        "consensus_empty_used_overlap": sum(result.fallbacks for result in results),
        "voxels": sum(row["voxels"] for row in rows),
        "voxels_outside_crop": sum(row["outside_crop"] for row in rows),
        "lungs_smaller_than_500_ml": small,
        "split_fingerprint": fingerprint(plan.parts),
        "versions": {
            "records": VERSION,
            "twin": twin.VERSION,
            **{
                name: importlib.metadata.version(name)
                for name in ("pylidc", "SimpleITK", "tensorflow-datasets")
            },
        },
    }


def _write_all(plan: Plan, choice: Options, directory: pathlib.Path) -> dict[str, Any]:
    """Writes all files but accounting.json, whose content it returns."""
    results = _write_examples(plan, choice, directory)
    rows, data_fingerprint = _read_back(plan, directory)
    _write_csv(directory / "slices.csv", rows)
    _write_json(
        directory / "split.json", {"fingerprint": fingerprint(plan.parts), "patients": dict(plan.parts)}
    )
    (directory / "missing.txt").write_text("".join(f"{uid}\n" for uid in plan.missing))
    facts = account(plan, choice, rows, results)
    return facts | {"bytes": _size(directory), "data_fingerprint": data_fingerprint}


def _write_examples(plan: Plan, choice: Options, directory: pathlib.Path) -> list[ScanRecords]:
    """Runs the TFDS build under one bar over scans; returns what each scan gave, without its records."""
    results: list[ScanRecords] = []
    config = LidcSlicesConfig(name="records", options=choice)
    with (
        _quiet_tfds(),
        progress.bar(len(plan.source.series), f"records {plan.source.name}", unit="scan") as bar,
        Workers(plan.source, choice.rules, choice.workers) as workers,
    ):

        def observe(result: ScanRecords) -> None:
            results.append(dataclasses.replace(result, records=()))
            bar.update()

        builder = Builder(plan=plan, workers=workers, observe=observe, config=config, data_dir=directory)
        builder.download_and_prepare()
    shutil.rmtree(directory / "downloads")  # an empty folder of TFDS's
    return results


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS from bars per split, from announcing a download and from warning of a config of our own."""
    verbosity = absl.logging.get_verbosity()
    tfds.disable_progress_bar()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)
        tfds.enable_progress_bar()


def _read_back(plan: Plan, directory: pathlib.Path) -> tuple[list[dict[str, Any]], str]:
    """Reads every record that was written: returns the rows of slices.csv and the SHA-256 of all contents."""
    rows, digests = [], []
    for part in (part for part in SPLITS if plan.series(part)):
        source = data_source(directory, part)
        for n in tqdm.trange(len(source), desc=f"checking {part}", unit="slice", leave=False):
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
            rows.append(row)
            digests.append((row["series"], row["slice_index"], _digest(record)))
    rows.sort(key=lambda row: (row["patient"], row["series"], row["slice_index"]))
    return rows, hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()


def _digest(record: Mapping[str, Any]) -> str:
    content = hashlib.sha256()
    for name in sorted(record):
        content.update(name.encode() + np.asarray(record[name]).tobytes())
    return content.hexdigest()


def _progress(items: Iterable[Any], what: str) -> Iterable[Any]:
    return tqdm.tqdm(items, desc=what, leave=False, mininterval=0.5)


def _write_csv(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _size(directory: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def _replace(directory: pathlib.Path, partial: pathlib.Path) -> None:
    """Puts the finished folder in the place of the old one, which is whole until then."""
    old = directory.with_name(f"{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    partial.rename(directory)
    shutil.rmtree(old, ignore_errors=True)
