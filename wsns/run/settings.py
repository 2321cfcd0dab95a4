"""The method's thresholds and what is to be tried in their place, checked before anything else is done."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.evaluation.mark_scores import SCORES
from wsns.runtime import workdir as files
from wsns.segmentation.options import Options

MEMORY = ("batch", "copies")
"""Fields that change nothing but how much is done at once."""

NOT_TUNED = (*MEMORY, "screening", "detect")
"""Fields that change no outline, and the one that is the classifier's."""


def of_run(workdir: pathlib.Path) -> ConfigDict:
    """Returns the config of a run's folder.

    Raises:
        InputError: if it isn't there, or damaged.
    """
    return from_json(files.read_json(workdir / "config.json"))


def from_json(fields: Mapping[str, Any]) -> ConfigDict:
    """Returns a config of what JSON made of it: its tuples are tuples again."""
    return ConfigDict({name: _as_it_was(value) for name, value in fields.items()})


def _as_it_was(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_it_was(own) for name, own in value.items()}
    return tuple(map(_as_it_was, value)) if isinstance(value, list) else value


def result_fields(config: ConfigDict) -> dict[str, Any]:
    """Returns the fields of `config.segment` that results depend on."""
    return {name: value for name, value in config.segment.to_dict().items() if name not in MEMORY}


def check(config: ConfigDict) -> None:
    """Refuses thresholds that no run can have, and fields and values that can't be tried.

    Raises:
        InputError: with the field.
    """
    options = Options(**config.segment.to_dict())
    if config.scans.most < 0:
        raise InputError(f"config.scans.most={config.scans.most}: must be at least 0")
    if not 0 <= config.scans.detect <= 1:
        raise InputError(f"config.scans.detect={config.scans.detect}: must lie between 0 and 1")
    if config.scans.smallest < 0:
        raise InputError(
            f"config.scans.smallest={config.scans.smallest:g}: must be a diameter in mm, 0 or more"
        )
    if config.scans.score not in SCORES:
        raise InputError(f"config.scans.score={config.scans.score!r}: choose one of {', '.join(SCORES)}")
    known = {field.name for field in dataclasses.fields(Options)}.difference(NOT_TUNED)
    for name, values in config.tune.fields.items():
        if name not in known:
            raise InputError(f"config.tune.fields.{name}: choose of {', '.join(sorted(known))}")
        for value in values:
            try:
                dataclasses.replace(options, **{name: value})
            except InputError as error:
                raise InputError(str(error).replace("config.segment.", "config.tune.fields.", 1)) from error
