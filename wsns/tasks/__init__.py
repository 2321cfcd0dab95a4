"""The outermost layer: what a config's task does, step by step, in its workdir."""

import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns import environment
from wsns import workdir as files
from wsns.data.records.slices import VERSION
from wsns.errors import InputError
from wsns.models.build import MODELS, build
from wsns.tasks.summary import summary

STEPS = {
    "records": ("records",),
    "train": ("records", "train"),
    "segment": ("records", "train", "segment"),
    "table1": ("records", "train", "segment", "evaluate"),
}
ALONE = ("accounting", "pretrain_shapes")
"""Tasks that stand on no other step."""


def run(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Does the task of a config: what is missing of it, and nothing that is done.

    Raises:
        InputError: for a bad config, or bad input to one of the steps; what was done before stays.
    """
    workdir = workdir.absolute()
    _check(config)
    if config.task in ALONE:
        _describe(config, workdir, {})
        _alone(config, workdir)
        return
    stamps = files.Stamps(workdir)
    steps = STEPS[config.task]
    _records(config, workdir, stamps)
    accounting = files.read_json(workdir / "records" / "accounting.json")
    print(summary(accounting, workdir / "records"))
    _describe(config, workdir, {key: accounting[key] for key in ("data_fingerprint", "split_fingerprint")})
    if "train" in steps:
        from wsns.tasks.train import train

        train(config, workdir, stamps)
    if "segment" in steps:
        from wsns.tasks.segment import segment

        segment(config, workdir, stamps)
    if "evaluate" in steps:
        from wsns.tasks.evaluate import evaluate

        evaluate(config, workdir, stamps)


def _alone(config: ConfigDict, workdir: pathlib.Path) -> None:
    if config.task == "accounting":
        from wsns.tasks.accounting import account

        account(config, workdir)
    else:
        from wsns.tasks.pretrain import pretrain_shapes

        pretrain_shapes(config, workdir)


def _check(config: ConfigDict) -> None:
    if config.task not in [*STEPS, *ALONE]:
        raise InputError(f"config.task={config.task!r}: choose one of {', '.join([*STEPS, *ALONE])}")
    if config.task in ("records", "accounting"):
        return
    for name in config.models:
        build(config, name)
    if config.task in ("segment", "table1") and "gap1" not in config.models:
        raise InputError(
            f"config.models={tuple(config.models)}: 1-GAP detects and screens for all; add 'gap1' (of {MODELS})"
        )


def _records(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    inputs = config.data.to_dict() | {"version": VERSION}
    del inputs["workers"]
    if not config.data.manual_dir:
        from wsns.data.twin import render as twin

        inputs["twin"] = twin.VERSION
    built = workdir / "records"
    done = (built / "accounting.json").exists() and stamps.is_done("records", inputs)
    # A network that was trained on records keeps them; who asks for records wants those of today's archive.
    if done and not (config.task == "records" and config.data.manual_dir):
        return
    from wsns.tasks.records import build as build_records

    build_records(config.data, built, keep_unchanged=done)
    stamps.mark_done("records", inputs)


def _describe(config: ConfigDict, workdir: pathlib.Path, data: Mapping[str, Any]) -> None:
    files.write_json(workdir / "config.json", config.to_dict())
    files.write_json(workdir / "environment.json", environment.describe() | {"data": dict(data)})
