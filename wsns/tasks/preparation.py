"""What every task begins with: where its scans come from, its records, and the description of the run."""

import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns.data.records.schema import VERSION
from wsns.data.records.summary import summary
from wsns.errors import InputError
from wsns.runtime import environment, lock, multihost
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps

TWIN = "twin"
"""The word of `data.manual_dir` for the synthetic scans."""
NEEDED = ("accounting.json", "slices.csv", "split.json")
"""What later steps read of the records, besides the records themselves."""
FINGERPRINTS = ("data_fingerprint", "split_fingerprint")
"""Of `accounting.json`, what names the data of a run."""


def with_source(config: ConfigDict, workdir: pathlib.Path, *, builds: bool = True) -> ConfigDict:
    """Returns the config with an empty `data.manual_dir` for 'twin', as all steps know it.

    Args:
        config: of the run.
        workdir: its folder.
        builds: the task begins with building the records.

    Raises:
        InputError: if no source is named, and the workdir's records are none of the twin: all of it takes hours to
            render.
    """
    data = config.get("data")
    if data is None:
        return config
    if data.manual_dir == TWIN:
        own = config.copy_and_resolve_references()
        own.data.manual_dir = ""
        return own
    if builds and not (data.manual_dir or data.max_scans or records_done(config, workdir)):
        raise InputError(
            "config.data.manual_dir is empty: name the folder of LIDC-IDRI's DICOM files; or, for synthetic scans, "
            f"{TWIN!r} for all of them, which takes hours, or --config.data.max_scans=66 for that many"
        )
    return config


def ensure_records(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> dict[str, Any]:
    """Builds a run's records if they are missing, prints what they hold, and returns their `accounting.json`.

    Raises:
        InputError: if the data is not as it must be.
    """
    _build_records(config, workdir, stamps)
    accounting: dict[str, Any] = files.read_json(workdir / "records" / "accounting.json")
    if multihost.is_first():
        print(summary(accounting, workdir / "records"))
    return accounting


def describe(
    config: ConfigDict, workdir: pathlib.Path, data: Mapping[str, Any], *, devices: bool = True
) -> None:
    """Writes a run's `config.json` and its `environment.json`, where they changed.

    Those of a read-only run stay as they are: what they tell of was done under them.

    Args:
        config: of the run.
        workdir: its folder.
        data: what names its data.
        devices: the task computes with networks, so that the devices are named.
    """
    told = {
        "config": config.to_dict(),
        "environment": environment.describe(devices=devices) | {"data": dict(data)},
    }
    for name, value in told.items():
        path = workdir / f"{name}.json"
        try:
            files.write_json(path, value)
        except OSError as error:
            if error.errno not in lock.READ_ONLY or not path.is_file():
                raise


def record_inputs(config: ConfigDict) -> dict[str, Any]:
    """Returns what a run's records depend on."""
    inputs: dict[str, Any] = config.data.to_dict() | {"version": VERSION}
    del inputs["workers"]
    if not config.data.manual_dir:
        from wsns.data.synthetic import twin

        inputs["twin"] = twin.VERSION
    return inputs


def records_done(config: ConfigDict, workdir: pathlib.Path) -> bool:
    """Says whether a run's records are there, whole, and made by this config."""
    whole = all(files.is_whole(workdir / "records" / name) for name in NEEDED)
    return whole and Stamps(workdir).is_done("records", record_inputs(config))


def _build_records(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    built, done = workdir / "records", records_done(config, workdir)
    # A network that was trained on records keeps them; who asks for records wants those of today's archive.
    known = done and not (config.task == "records" and config.data.manual_dir)
    stamps.tell("records", "records", done=known)
    if known:
        return
    if multihost.count() > 1:
        raise InputError(
            f"{built}: the records are missing or made by another config; make them in one process first, with "
            "--config.task=records and without --coordinator"
        )
    # Only here: a machine that has the records may lack what they were made with.
    from wsns.tasks.records import build as build_records

    build_records(config.data, built, keep_unchanged=done)
    stamps.mark_done("records", record_inputs(config))
