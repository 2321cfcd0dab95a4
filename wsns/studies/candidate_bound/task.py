"""The task 'bound': what the candidates around each nodule can give at most, for several ways to make them."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from wsns.data.lidc.annotations import cluster, load_scans
from wsns.data.records import loading as records
from wsns.data.records.plan import options as data_options
from wsns.data.records.schema import NAMES, Slices
from wsns.data.records.summary import is_synthetic
from wsns.errors import InputError
from wsns.evaluation import tables
from wsns.report.page import source_line
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import threads
from wsns.runtime.steps import Stamps, Step
from wsns.segmentation.batches import blocks
from wsns.segmentation.options import Options
from wsns.studies.candidate_bound import text
from wsns.studies.candidate_bound.measure import Nodule, Row, measure_slices, reader_dice
from wsns.studies.candidate_bound.schemes import Scheme
from wsns.studies.candidate_bound.table import READERS, lines, reader_rows
from wsns.studies.overrides import named_overrides

OWN = ("hull", "slice_means")
"""Fields of a scheme that `config.segment` doesn't have."""


def check(config: ConfigDict) -> None:
    """Refuses bad fields before anything is done.

    Raises:
        InputError: with the field.
    """
    if not config.bound.radius >= 0:
        raise InputError(f"config.bound.radius={config.bound.radius!r}: pixels, at least 0")
    named_schemes(config)


def named_schemes(config: ConfigDict) -> list[Scheme]:
    """Returns the schemes of a config.

    Raises:
        InputError: if there is none, a name comes twice, or a field or value doesn't exist.
    """
    known = [*OWN, *(field.name for field in dataclasses.fields(Options))]
    named = named_overrides("config.bound.schemes", config.bound.schemes, known, (READERS,))
    if not named:
        raise InputError("config.bound.schemes is empty: name at least one way to make candidates")
    made = []
    for name, overrides in named.items():
        own = {key: value for key, value in overrides.items() if key in OWN}
        changed = {key: value for key, value in overrides.items() if key not in OWN}
        made.append(Scheme(name, Options(**config.segment.to_dict() | changed), **own))
    return made


def bound(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Writes `bound.{csv,txt,md}` and prints the text."""
    accounting = files.read_json(workdir / "records" / "accounting.json")
    inputs = {
        "records": accounting["data_fingerprint"],
        **{name: config[name].to_dict() for name in ("bound", "segment", "evaluate")},
    }
    stamps.do(
        Step(
            "bound",
            "measure candidates",
            inputs,
            [workdir / f"bound.{kind}" for kind in ("csv", "txt", "md")],
            lambda: _write(config, workdir, _measure(config, workdir), accounting),
        )
    )
    print(files.read_text(workdir / "bound.txt"), end="")


def _measure(config: ConfigDict, workdir: pathlib.Path) -> list[Row]:
    schemes = named_schemes(config)
    opened = [records.stream(workdir / "records", part, NAMES, drawn=True) for part in _splits(workdir)]
    rows: dict[str, list[Row]] = {scheme.name: [] for scheme in schemes}
    with progress.bar(sum(map(len, opened)), "bound", compiles=True) as shown, threads() as each:
        for part in opened:
            for block in blocks(len(part), config.segment.batch):
                slices = Slices(**part.take(np.arange(block.start, block.stop)))
                for row in measure_slices(slices, schemes, config.bound.radius, each):
                    rows[row.scheme].append(row)
                shown.update(len(slices))
    nodules = [row.nodule for row in rows[schemes[0].name]]
    if not nodules:
        raise InputError(
            f"{workdir / 'records'} has no nodule in its crops: take more scans (config.data.max_scans)"
        )
    return [*(row for own in rows.values() for row in own), *reader_rows(_readers(config, nodules))]


def _splits(workdir: pathlib.Path) -> list[str]:
    return list(dict.fromkeys(row["split"] for row in files.read_rows(workdir / "records" / "slices.csv")))


def _readers(config: ConfigDict, nodules: list[Nodule]) -> Iterator[tuple[Nodule, float]]:
    """Yields what the readers' own outlines give, which the records don't hold but the database does."""
    drawing = data_options(config.data).reading.drawing()
    scans = load_scans()
    clusters = {series: cluster(scans[series], drawing) for series in {nodule.series for nodule in nodules}}
    for nodule in nodules:
        masks = clusters[nodule.series][nodule.number - 1].in_slice(nodule.slice_index)
        if masks is not None:
            yield nodule, reader_dice(masks)


def _write(config: ConfigDict, workdir: pathlib.Path, rows: list[Row], accounting: Mapping[str, Any]) -> None:
    found = lines(rows, draws=config.evaluate.draws, seed=config.evaluate.seed)
    said = text.remarks(rows, config.bound.radius)
    source = source_line(accounting["source"], synthetic=is_synthetic(accounting))
    title = f"{source}, {config.data.consensus} consensus"
    files.write_text(workdir / "bound.csv", text.as_csv(rows))
    parts = text.parts(found, said, source=title)
    files.write_text(workdir / "bound.md", tables.markdown(parts))
    files.write_text(workdir / "bound.txt", tables.text(parts))
