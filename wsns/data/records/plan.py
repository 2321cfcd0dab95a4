"""What a build of the records will do: which scans, which slices count, whose split."""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsns.data.lidc.annotations import CONTOURS, Scan, load_scans
from wsns.data.lidc.consensus import RULES
from wsns.data.lidc.selection import Reading, count_positives
from wsns.data.records.extract import Rules
from wsns.data.records.split import split
from wsns.data.source import open_source
from wsns.data.synthetic import scanner
from wsns.data.volume import Source
from wsns.errors import InputError
from wsns.runtime.progress import Progress

_LEAST = {
    "crop": 32, "agreement": 1, "min_readers": 1, "max_nodules": 1, "max_scans": 0, "workers": 0, "agreement_share": 0,
    "neighbours": 0,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options(Reading):
    """The fields of `config.data`, those of a reading among them; their meaning stands in `configs/table1.py`."""

    manual_dir: str = ""
    exclude: str = ""
    held_out: bool = False
    max_scans: int = 0
    thickness: tuple[float, float] = (0.0, 10.0)
    one_scan_per_patient: bool = False
    seed: int = 0
    crop: int = 384
    neighbours: float = 0.0
    consensus: str = "staple"
    workers: int = 0
    twin_seed: int = 0
    twin: scanner.Ranges = scanner.RANDOMISED

    @property
    def reading(self) -> Reading:
        """The part that settles what counts as a nodule."""
        names = [field.name for field in dataclasses.fields(Reading)]
        return Reading(**{name: getattr(self, name) for name in names})

    @property
    def rules(self) -> Rules:
        """The part that settles a scan's records."""
        return Rules(self.reading, self.consensus, self.crop, self.seed, self.neighbours)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The chosen scans, and how many positive slices each has; `missing` are those that the source lacks."""

    source: Source
    scans: Mapping[str, Scan]
    positives: Mapping[str, int]
    parts: Mapping[str, str]
    missing: tuple[str, ...]

    def series(self, part: str) -> tuple[str, ...]:
        """Returns the scans of one split that have a positive slice; the others give no record."""
        return tuple(u for u, s in self.scans.items() if self.parts[s.patient] == part and self.positives[u])


def options(config: Mapping[str, Any]) -> Options:
    """Returns the options from `config.data`.

    Raises:
        InputError: if a field has no legal value.
    """
    names = [field.name for field in dataclasses.fields(Options)]
    given = {name: config[name] for name in names if name in config}
    if "twin" in given:
        given["twin"] = scanner.from_config(given["twin"])
    made = Options(**given)
    low, high = made.thickness
    made = dataclasses.replace(made, thickness=(low, high))
    for name, legal in (("consensus", RULES), ("contour", CONTOURS)):
        if getattr(made, name) not in legal:
            raise InputError(f"config.data.{name} is {getattr(made, name)!r}: one of {', '.join(legal)}")
    for name, least in _LEAST.items():
        if getattr(made, name) < least:
            raise InputError(f"config.data.{name} is {getattr(made, name)}: at least {least}")
    if made.agreement_share > 1:
        raise InputError(f"config.data.agreement_share is {made.agreement_share:g}: at most 1")
    return made


def make_plan(
    choice: Options, progress: Progress, cache: pathlib.Path | None = None, *, every: bool = False
) -> Plan:
    """Finds the scans, chooses among them and splits their patients.

    Args:
        choice: what to build.
        progress: wraps (items, description) wherever it takes a while.
        cache: file that keeps the archive's headers from one run to the next.
        every: the plan's source also has the scans without a positive slice, and none is checked until it is read.

    Raises:
        InputError: if the archive or a chosen scan is not as it must be, or no scan has a positive slice.
    """
    database = load_scans()
    found = open_source(
        choice.manual_dir,
        database,
        seed=choice.twin_seed,
        looks=choice.twin,
        cache=cache,
        workers=choice.workers,
        progress=lambda files: progress(files, "DICOM headers"),
    )
    wanted = candidates(database, choice)
    present = set(found.series)
    positives = choose_scans({u: scan for u, scan in wanted.items() if u in present}, choice, progress)
    if not any(positives.values()):
        raise InputError(
            "no scan with a nodule slice is left: widen config.data.thickness, shorten config.data.exclude, "
            f"or check the folder ({choice.manual_dir or 'the twin'})"
        )
    scans = {uid: database[uid] for uid in positives}
    by_patient: collections.Counter[str] = collections.Counter()
    for uid, number in positives.items():
        by_patient[scans[uid].patient] += number
    missing = tuple(uid for uid in wanted if uid not in present)
    source = found if every else found.only(uid for uid, number in positives.items() if number)
    parts = dict.fromkeys(sorted(by_patient), "test") if choice.held_out else split(by_patient, choice.seed)
    return Plan(source, scans, positives, parts, missing)


def candidates(scans: Mapping[str, Scan], choice: Options) -> dict[str, Scan]:
    """Returns the scans that the options allow: by thickness, without the excluded, one per patient if so.

    Of a patient's scans, the last in order of series UID stays.

    Raises:
        InputError: if what is to be excluded is not in the database.
    """
    out = {name.strip() for name in choice.exclude.split(",") if name.strip()}
    unknown = out - {scan.patient for scan in scans.values()} - set(scans)
    if unknown:
        raise InputError(
            f"config.data.exclude names {', '.join(sorted(unknown))}, which LIDC-IDRI does not have: "
            "write patients as LIDC-IDRI-0001, or series UIDs, separated by commas"
        )
    low, high = choice.thickness
    kept = {u: s for u, s in scans.items() if not {u, s.patient} & out and low <= s.thickness <= high}
    if choice.one_scan_per_patient:
        last = {scan.patient: uid for uid, scan in sorted(kept.items())}
        kept = {uid: scan for uid, scan in kept.items() if last[scan.patient] == uid}
    return kept


def choose_scans(
    scans: Mapping[str, Scan], choice: Options, progress: Progress = lambda items, _: items
) -> dict[str, int]:
    """Chooses scans and counts their positive slices.

    Args:
        scans: by series UID.
        choice: `reading` says what makes a slice positive; with `max_scans`, at most so many are drawn at random
            (`seed`) from those that have a positive slice.
        progress: wraps the scans.

    Returns:
        The number of positive slices by series UID, in the order of `scans`.
    """
    names, reading = list(scans), choice.reading
    if not choice.max_scans:
        return {uid: count_positives(scans[uid], reading) for uid in progress(names, "readers' contours")}
    drawn: dict[str, int] = {}
    for n in np.random.default_rng([choice.seed, 0xC405E]).permutation(len(names)):
        number = count_positives(scans[names[n]], reading)
        if number:
            drawn[names[n]] = number
        if len(drawn) == choice.max_scans:
            break
    return {uid: drawn[uid] for uid in names if uid in drawn}
