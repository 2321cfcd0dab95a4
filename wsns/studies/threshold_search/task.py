"""The task 'tune': the thresholds of `config.segment` by the fine Dice on the validation split.

Never sees the test split. It does see validation outlines, which a lab that has slice labels only does not have.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.data.records.schema import Slices
from wsns.errors import InputError
from wsns.evaluation.bootstrap import Estimate
from wsns.evaluation.tables import Cell, Table, text
from wsns.run.networks import load_trained
from wsns.run.settings import result_fields
from wsns.runtime import background, progress
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.segmentation import pipeline
from wsns.segmentation.batches import blocks
from wsns.segmentation.networks import method_input, weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network, read_slices
from wsns.studies.threshold_search.search import Trial, compare, search
from wsns.tasks import train


def tune(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Tries the values of `config.tune`, field by field, and writes `tuned.json` and `tuned.txt`.

    Raises:
        InputError: if no validation slice with a nodule is detected.
    """
    names = [name for name in config.models if name != "unet"]
    inputs = {
        "models": {name: train.inputs(config, workdir, name) for name in names},
        "segment": result_fields(config),
        **{name: config[name].to_dict() for name in ("tune", "evaluate")},
    }
    stamps.do(
        Step(
            "tune",
            "tune the thresholds",
            inputs,
            (workdir / "tuned.json", workdir / "tuned.txt"),
            lambda: _write(workdir, *_search(config, workdir)),
        )
    )
    print(files.read_text(workdir / "tuned.txt"))


def _search(config: ConfigDict, workdir: pathlib.Path) -> tuple[list[Trial], Slices]:
    options = Options(**config.segment.to_dict())
    names = [field.name for field in dataclasses.fields(Options)]
    tried = {name: [*config.tune.fields[name]] for name in names if name in config.tune.fields}
    fields = {name: values for name, values in tried.items() if {*values} - {getattr(options, name)}}
    trained = {name: of for name, of in load_trained(config, workdir).items() if name != "unet"}
    networks, screen = weak_networks(config, trained, options)
    slices = records.load(workdir / "records", "validation")
    # In other slices nothing is sought, whatever the thresholds.
    slices = slices.take(np.flatnonzero(slices.nodules.any(axis=(1, 2))))
    given = method_input(slices, config.model.channels)
    detected = np.flatnonzero(_probability(given, networks[1], options.batch) >= options.detect)
    slices, given = slices.take(detected), given.take(detected)
    if not len(slices):
        raise InputError(
            f"no validation slice with a nodule reaches config.segment.detect={options.detect:g}: train longer, or "
            "lower it for the search"
        )
    values = sum(len({getattr(options, name), *tried}) for name, tried in fields.items())
    with progress.bar(values * len(slices), "tune", compiles=True) as shown, background.threads() as each:

        def score(tried: Sequence[Options]) -> np.ndarray:
            parts = []
            for part in compare(given, slices.nodules > 0, networks, screen, tried, each):
                parts.append(part)
                shown.update(part.size)
            return np.concatenate(parts, axis=1)

        trials = search(
            options, fields, score, slices.patient.tolist(), _nodules(slices), least=config.tune.least,
            draws=config.evaluate.draws, seed=config.evaluate.seed,
        )  # fmt: skip
        return list(trials), slices


def _nodules(slices: Slices) -> list[str]:
    """Returns which nodule each slice is of; of two the first."""
    return [f"{series} {own[0]}" for series, own in zip(slices.series, slices.cluster, strict=True)]


def _probability(slices: pipeline.Slices, network: Network, batch: int) -> np.ndarray:
    found = np.zeros(len(slices.hu), np.float32)
    for block in blocks(len(found), batch):
        reading = read_slices(slices.take(block).seen, {1: network}, batch)[1]
        found[block] = reading.probability[: block.stop - block.start]
    return found


def _write(workdir: pathlib.Path, trials: Sequence[Trial], slices: Slices) -> None:
    chosen = {trial.field: trial.value for trial in trials if trial.chosen}
    changed = {name: value for name, value in chosen.items() if not _held(trials, name, value)}
    patients = len(set(slices.patient))
    files.write_json(
        workdir / "tuned.json",
        {
            "slices": len(slices),
            "patients": patients,
            "segment": chosen,
            "trials": [_row(trial) for trial in trials],
        },
    )
    files.write_text(workdir / "tuned.txt", table(trials, changed, len(slices), patients))


def _row(trial: Trial) -> dict[str, Any]:
    """JSON has no NaN, which an interval of too few patients is."""
    row = dataclasses.asdict(trial)
    for name in ("dice", "gain"):
        row[name] = {end: None if math.isnan(value) else value for end, value in row[name].items()}
    return row


def _held(trials: Sequence[Trial], field: str, value: Any) -> bool:
    return next(trial.value for trial in trials if trial.field == field) == value


def table(trials: Sequence[Trial], changed: Mapping[str, Any], slices: int, patients: int) -> str:
    """Returns what was tried as text, and the overrides that it comes to."""
    rows: list[Sequence[Cell]] = []
    before = ""
    for trial in trials:
        name = trial.field if trial.field != before else ""
        before = trial.field
        dice = (f"{trial.dice.value:.3f}", _span(trial.dice, ""))
        gain = (f"{trial.gain.value:+.3f}", _span(trial.gain, "+"))
        rows.append((name, _words(trial.value), dice, gain, "*" if trial.chosen else ""))
    overrides = " ".join(f"--config.segment.{name}={_flag(value)}" for name, value in changed.items())
    said = text(
        [
            Table(("field", "value", "Dice", "gain", ""), rows),
            f"Fine Dice, mean over the networks, on the {slices} validation slices with a nodule that 1-GAP detects "
            f"(patients: {patients}; intervals by bootstrap over patients and nodules). Gain: over the value held "
            "before, the first of each field; * stays. Field after field: later ones stand on the earlier ones' "
            "choice. The outlines of the validation split were used for this; the test split was not.",
        ]
    )
    # In one line, to be copied.
    chosen = f"chosen: {overrides}" if overrides else "chosen: what the config has; no value gains enough"
    return f"{said}\n{chosen}\n"


def _flag(value: Any) -> str:
    return f'"{value}"' if isinstance(value, tuple) else str(value)


def _span(of: Estimate, sign: str) -> str:
    return "–" if math.isnan(of.low) else f"{of.low:{sign}.3f} to {of.high:{sign}.3f}"


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
