"""The outermost layer: what a config's task does, step by step, in its workdir."""

import contextlib
import importlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns.data.records.schema import VERSION
from wsns.data.records.summary import summary
from wsns.errors import InputError
from wsns.models.factory import MODELS, build
from wsns.run.settings import check as check_thresholds
from wsns.runtime import environment, lock, multihost
from wsns.runtime import workdir as files
from wsns.tasks.weights import ensure
from wsns.training.dataset import check

STEPS = {
    "records": (),
    "train": ("train",),
    "grid": ("grid",),
    "bound": ("bound",),
    "segment": ("train", "segment"),
    "tune": ("train", "tune"),
    "table1": ("train", "segment", "scans", "evaluate"),
    "ablations": ("train", "segment", "ablations"),
    "evaluate": ("evaluate",),
}
"""Tasks that begin with the records, and the steps that follow."""
ALONE = {
    "accounting": "account",
    "weights": "weights",
    "pretrain": "pretrain",
    "compare": "compare",
    "transfer": "transfer",
    "twin_check": "twin_check",
    "plan": "plan",
}
"""Tasks that stand on no other step, and their functions."""
TWIN = "twin"
"""The word of `data.manual_dir` for the synthetic scans."""
NO_NETWORK = ("records", "accounting", "weights", "bound", "compare", "twin_check")
"""Tasks that need no device."""
TOGETHER = ("train", "grid")
"""Steps that several processes do as one."""
NEEDED = ("accounting.json", "slices.csv", "split.json")
"""What later steps read of the records, besides the records themselves."""
FINGERPRINTS = ("data_fingerprint", "split_fingerprint")
"""Of `accounting.json`, what names the data of a run."""


def run(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Does the task of a config: what is missing of it, and nothing that is done.

    Raises:
        InputError: for a bad config, or bad input to one of the steps; what was done before stays.
    """
    workdir = workdir.absolute()
    config = with_source(config, workdir)
    _check(config)
    if config.task not in NO_NETWORK:
        multihost.check_devices()
    with lock.held(workdir) if multihost.is_first() else contextlib.nullcontext():
        _run(config, workdir)


def _run(config: ConfigDict, workdir: pathlib.Path) -> None:
    if config.task in ALONE:
        # A comparison or a plan may be written into a run's folder, whose own config.json stays.
        if config.task not in ("compare", "plan"):
            describe(config, workdir, {})
        _function(config.task, ALONE[config.task])(config, workdir)
        return
    stamps = files.Stamps(workdir, agenda(config) if multihost.is_first() else ())
    accounting = ensure_records(config, workdir, stamps)
    if multihost.is_first():
        describe(config, workdir, {key: accounting[key] for key in FINGERPRINTS})
    if "real" in steps_of(config) and multihost.count() == 1:
        _function("real", "prepare")(config, workdir, stamps)
    for step in steps_of(config):
        if step not in TOGETHER and multihost.count() > 1:
            print(
                f"{step!r} is work for one process: the same command without --coordinator goes on from here"
            )
            return
        _function(step, step)(config, workdir, stamps)


def steps_of(config: ConfigDict) -> tuple[str, ...]:
    """Returns the steps of a config's task after its records."""
    return STEPS[config.task] + (("real",) if config.task == "table1" and config.real else ())


def agenda(config: ConfigDict) -> list[str]:
    """Returns the names of all steps of a config's task that are told on the terminal, in order."""
    names = ["records"]
    if "real" in steps_of(config):
        names.append("real records")
    for step in steps_of(config):
        if step == "train":
            names += sorted(config.models, key=lambda name: name == "unet")
        elif step != "scans" or config.scans.most:
            names.append(step)
    return names


def with_source(config: ConfigDict, workdir: pathlib.Path) -> ConfigDict:
    """Returns the config with an empty `data.manual_dir` for 'twin', as all steps know it.

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
    if config.task in STEPS and not (data.manual_dir or data.max_scans or records_done(config, workdir)):
        raise InputError(
            "config.data.manual_dir is empty: name the folder of LIDC-IDRI's DICOM files; or, for synthetic scans, "
            f"{TWIN!r} for all of them, which takes hours, or --config.data.max_scans=66 for that many"
        )
    return config


def _function(module: str, name: str) -> Callable[..., Any]:
    """Imports a step only where it is needed: not every machine has what all of them stand on."""
    return getattr(importlib.import_module(f"wsns.tasks.{module}"), name)


def _check(config: ConfigDict) -> None:
    if config.task not in [*STEPS, *ALONE]:
        raise InputError(f"config.task={config.task!r}: choose one of {', '.join([*STEPS, *ALONE])}")
    if config.task in ("records", "accounting", "weights"):
        return
    if config.task in ("bound", "compare", "twin_check", "plan"):
        _function(config.task, "check")(config)
        return
    check(config)
    check_thresholds(config)
    ensure(config)
    for name in config.models:
        build(config, name)
    if config.task == "grid" and "unet" in config.models:
        raise InputError(
            f"config.models={tuple(config.models)}: the grid is over the weakly supervised networks' settings; leave "
            "'unet' out"
        )
    if config.task in ("segment", "tune", "table1", "ablations", "transfer") and "gap1" not in config.models:
        raise InputError(
            f"config.models={tuple(config.models)}: 1-GAP detects and screens for all; add 'gap1' (of {MODELS})"
        )
    if config.task == "ablations":
        _check_ablations(config)
    if config.task == "pretrain":
        _function("pretrain", "check")(config)
    if config.task == "transfer":
        _function("transfer", "check")(config)
    if config.task == "table1":
        _function("real", "check")(config)


def _check_ablations(config: ConfigDict) -> None:
    for name, own in _function("ablations", "variants")(config).items():
        try:
            _check(own)
        except InputError as error:
            raise InputError(f"config.ablations: {name!r}: {error}") from error


def ensure_records(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> dict[str, Any]:
    """Builds a run's records if they are missing, prints what they hold, and returns their `accounting.json`.

    Raises:
        InputError: if the data is not as it must be.
    """
    _build_records(config, workdir, stamps)
    accounting: dict[str, Any] = files.read_json(workdir / "records" / "accounting.json")
    if multihost.is_first():
        print(summary(accounting, workdir / "records"))
    return accounting


def describe(config: ConfigDict, workdir: pathlib.Path, data: Mapping[str, Any]) -> None:
    """Writes a run's `config.json` and its `environment.json`, which names versions and `data`, where they changed.

    Those of a read-only run stay as they are: what they tell of was done under them.
    """
    network = config.task not in NO_NETWORK
    told = {
        "config": config.to_dict(),
        "environment": environment.describe(devices=network) | {"data": dict(data)},
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
    return whole and files.Stamps(workdir).is_done("records", record_inputs(config))


def _build_records(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
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
    from wsns.tasks.records import build as build_records

    build_records(config.data, built, keep_unchanged=done)
    stamps.mark_done("records", record_inputs(config))
