"""Networks of runs on the twin, tried on real scans: readings, figures over the seeds, tables and reports."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.evaluation import tables
from wsns.models.weights import start as pretrained
from wsns.report.page import source_line
from wsns.run.links import link, share_records
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.studies.synthetic_to_real import export, text
from wsns.studies.synthetic_to_real import pictures as trial_pictures
from wsns.studies.synthetic_to_real import section as opening
from wsns.studies.synthetic_to_real.measure import Reading, measure
from wsns.studies.synthetic_to_real.predictions import COLUMNS, Trial, read
from wsns.tasks import preparation, train
from wsns.tasks.evaluate import write_report
from wsns.tasks.scans import scans
from wsns.tasks.segment import segment

THICKNESS = (0.0, 10.0)


def real_config(config: ConfigDict, manual_dir: str) -> ConfigDict:
    """Returns a run's config with all real scans of a folder in its test split, however its own are chosen."""
    own = config.copy_and_resolve_references().unlock()
    own.data.update(
        manual_dir=manual_dir, held_out=True, exclude="", max_scans=0, thickness=THICKNESS,
        agreement=config.transfer.agreement,
    )  # fmt: skip
    own.task, own.real = "table1", ""
    return own


def patients(folder: pathlib.Path) -> list[str]:
    """Returns whose scans a run's records are of, and those whose scans have no nodule slice."""
    return sorted(files.read_json(folder / "records" / "split.json")["patients"])


def excluded(config: ConfigDict, patients: Sequence[str]) -> str:
    """Returns what `data.exclude` must be for a run on the twin to paint no nodule of these patients."""
    own = {name.strip() for name in config.data.exclude.split(",") if name.strip()}
    return ",".join(sorted(own.union(patients)))


def finish(trials: Sequence[Trial], manual_dir: str, workdir: pathlib.Path) -> None:
    """Reads, measures and segments the real scans with the networks of each trial, writes all, and prints the figures.

    Args:
        trials: the runs; their networks are trained.
        manual_dir: of the real scans.
        workdir: has their records in `real/`; gets the tables.
    """
    configs = [real_config(trial.config, manual_dir) for trial in trials]
    for config in configs[1:]:
        # Whole scans take long, and the first seed's are enough.
        config.scans.most = 0
    for trial, config in zip(trials, configs, strict=True):
        _link(trial, config, workdir)
    readings = [reading for trial in trials for reading in read(trial)]
    _write_tables(readings, configs[0], workdir)
    for trial, config in zip(trials, configs, strict=True):
        segment(config, trial.real, Stamps(trial.real))
        scans(config, trial.real, Stamps(trial.real))
    _write_reports(trials, configs, readings, workdir)
    print(files.read_text(workdir / "transfer.txt"), end="")


def _link(trial: Trial, config: ConfigDict, workdir: pathlib.Path) -> None:
    """Gives a trial's folder of real scans their records and the networks; what other networks left there goes."""
    folder, stamps = trial.real, Stamps(trial.real)
    if folder != workdir / "real":
        share_records(folder, workdir / "real")
    made = [folder / name for name in ("masks", "scans", "cases.csv")]
    vouching = [folder / "stamps" / f"{name}.json" for name in ("segment", "scans", "evaluate")]
    stamps.begin("networks", trial.networks(), *vouching, *made)
    for name in config.models:
        link(folder / name, trial.folder / name)
        stamps.mark_done(name, train.inputs(config, folder, name))
    accounting = files.read_json(folder / "records" / "accounting.json")
    preparation.describe(config, folder, {name: accounting[name] for name in preparation.FINGERPRINTS})


def _write_tables(readings: Sequence[Reading], config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `transfer_slices.csv` and `transfer.{json,txt,md,csv}`, if they are not done."""
    made = [workdir / f"transfer.{kind}" for kind in ("json", "txt", "md", "csv")]

    def run() -> None:
        _tabulate(readings, config, workdir)

    Stamps(workdir).do(
        Step(
            "transfer",
            "figures on real scans",
            _inputs(readings, config),
            [*made, workdir / "transfer_slices.csv"],
            run,
        )
    )


def _tabulate(readings: Sequence[Reading], config: ConfigDict, workdir: pathlib.Path) -> None:
    lines = measure(readings, **config.evaluate.to_dict())
    rows = [dataclasses.asdict(reading) | {"hit": reading.hit} for reading in readings]
    files.write_rows(workdir / "transfer_slices.csv", (*COLUMNS, "hit"), rows)
    files.write_json(workdir / "transfer.json", export.as_json(lines))
    files.write_rows(workdir / "transfer.csv", export.COLUMNS, export.rows(lines))
    source = files.read_json(workdir / "real" / "records" / "accounting.json")["source"]
    parts = text.parts(lines, source=source_line(source, synthetic=False), start=start(config))
    files.write_text(workdir / "transfer.txt", tables.text(parts))
    files.write_text(workdir / "transfer.md", tables.markdown(parts))


def _write_reports(
    trials: Sequence[Trial], configs: Sequence[ConfigDict], readings: Sequence[Reading], workdir: pathlib.Path
) -> None:
    """Writes each seed's report on the real scans, the first one's with the figures of all."""
    cases = [files.fingerprint(files.read_text(trial.real / "cases.csv")) for trial in trials]
    inputs = _inputs(readings, configs[0]) | {
        "cases": cases,
        "configs": [config.to_dict() for config in configs],
    }

    def run() -> None:
        _report(trials, configs, readings)

    Stamps(workdir).do(Step("transfer_report", "reports on real scans", inputs, (), run))


def _report(trials: Sequence[Trial], configs: Sequence[ConfigDict], readings: Sequence[Reading]) -> None:
    lines = measure(readings, **configs[0].evaluate.to_dict())
    method = export.chosen(lines)
    pictures = trial_pictures.draw(trials[0], configs[0], readings, method)
    said = [opening.section(lines, start(configs[0]), pictures, method)]
    said += [opening.notice(start(config)) for config in configs[1:]]
    for trial, config, words in zip(trials, configs, said, strict=True):
        write_report(config, trial.real, Stamps(trial.real), opening=words)


def _inputs(readings: Sequence[Reading], config: ConfigDict) -> dict[str, Any]:
    rows = [dataclasses.astuple(reading) for reading in readings]
    return {
        "readings": files.fingerprint(rows),
        "evaluate": config.evaluate.to_dict(),
        "start": start(config),
    }


def start(config: ConfigDict) -> str:
    """Returns what training started from, in words."""
    return pretrained.load_trunk(config.model.start, config.model.weights).name
