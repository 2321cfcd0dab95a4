"""What a build of the records will do: which scans, whose split, and the work in several processes."""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from wsns.data.annotations import Scan, load_scans
from wsns.data.consensus import RULES
from wsns.data.slices import Rules, ScanRecords, count_positives, scan_records
from wsns.data.source import open_source
from wsns.data.split import split
from wsns.data.volume import Source
from wsns.errors import InputError

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclasses.dataclass(frozen=True)
class Options:
    """The fields of `config.data`; their meaning stands in `configs/table1.py`."""

    manual_dir: str = ""
    exclude: str = ""
    max_scans: int = 0
    thickness: tuple[float, float] = (0.0, 10.0)
    seed: int = 0
    crop: int = 384
    agreement: int = 2
    consensus: str = "staple"
    max_nodules: int = 2
    workers: int = 0
    twin_seed: int = 0

    @property
    def rules(self) -> Rules:
        """The part that settles a scan's records."""
        return Rules(self.crop, self.agreement, self.consensus, self.max_nodules, self.seed)


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
    made = Options(**{name: config[name] for name in names if name in config})
    low, high = made.thickness
    made = dataclasses.replace(made, thickness=(low, high))
    if made.consensus not in RULES:
        raise InputError(f"config.data.consensus is {made.consensus!r}: one of {', '.join(RULES)}")
    for name, least in (("crop", 32), ("agreement", 1), ("max_nodules", 1), ("max_scans", 0), ("workers", 0)):
        if getattr(made, name) < least:
            raise InputError(f"config.data.{name} is {getattr(made, name)}: at least {least}")
    return made


def make_plan(choice: Options, progress: Progress) -> Plan:
    """Finds the scans, chooses among them and splits their patients.

    Args:
        choice: what to build.
        progress: wraps (items, description) wherever it takes a while.

    Raises:
        InputError: if the archive or a chosen scan is not as it must be, or no scan has a positive slice.
    """
    database = load_scans()
    found = open_source(
        choice.manual_dir, database, choice.twin_seed, lambda files: progress(files, "DICOM headers")
    )
    wanted = candidates(database, exclude=choice.exclude, thickness=choice.thickness)
    present = set(found.series)
    positives = choose_scans(
        {uid: scan for uid, scan in wanted.items() if uid in present},
        rules=choice.rules,
        max_scans=choice.max_scans,
        seed=choice.seed,
        progress=progress,
    )
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
    source = found.only(uid for uid, number in positives.items() if number)
    return Plan(source, scans, positives, split(by_patient, choice.seed), missing)


def candidates(scans: Mapping[str, Scan], *, exclude: str, thickness: tuple[float, float]) -> dict[str, Scan]:
    """Returns the scans of a slice thickness (mm, inclusive) without the excluded patients.

    Raises:
        InputError: if an excluded patient is not in the database.
    """
    out = {name.strip() for name in exclude.split(",") if name.strip()}
    unknown = out - {scan.patient for scan in scans.values()}
    if unknown:
        raise InputError(
            f"config.data.exclude names {', '.join(sorted(unknown))}, which LIDC-IDRI does not have: "
            "write patients as LIDC-IDRI-0001, separated by commas"
        )
    low, high = thickness
    return {u: s for u, s in scans.items() if s.patient not in out and low <= s.thickness <= high}


def choose_scans(
    scans: Mapping[str, Scan],
    *,
    rules: Rules,
    max_scans: int = 0,
    seed: int = 0,
    progress: Progress = lambda items, _: items,
) -> dict[str, int]:
    """Chooses scans and counts their positive slices.

    Args:
        scans: by series UID.
        rules: what makes a slice positive.
        max_scans: at most so many, drawn at random from those that have a positive slice; 0 for all scans.
        seed: of the draw.
        progress: wraps the scans.

    Returns:
        The number of positive slices by series UID, in the order of `scans`.
    """
    names = list(scans)
    if not max_scans:
        return {uid: count_positives(scans[uid], rules) for uid in progress(names, "readers' contours")}
    drawn: dict[str, int] = {}
    for n in np.random.default_rng([seed, 0xC405E]).permutation(len(names)):
        number = count_positives(scans[names[n]], rules)
        if number:
            drawn[names[n]] = number
        if len(drawn) == max_scans:
            break
    return {uid: drawn[uid] for uid in names if uid in drawn}


class Workers:
    """Processes that turn scans into records; each holds the source once; they end with the `with` block."""

    def __init__(self, source: Source, rules: Rules, number: int) -> None:
        """Starts nothing yet; `number` 0 takes every core, 1 stays in this process."""
        self._job = (source, rules)
        self._number = number or os.cpu_count() or 1
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self._number > 1:
            # Read by the workers' own NumPy and SimpleITK as they start: each has one core.
            for library in (
                "OPENBLAS_NUM_THREADS",
                "OMP_NUM_THREADS",
                "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
            ):
                os.environ.setdefault(library, "1")
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self._number, multiprocessing.get_context("spawn"), _start, self._job
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def run(self, scans: Iterable[Scan]) -> Iterator[ScanRecords]:
        """Yields the records of each scan, in the order given; few scans are ever in memory at once."""
        if self._pool is None:
            for scan in scans:
                yield _records(scan, *self._job)
            return
        waiting: collections.deque[concurrent.futures.Future[ScanRecords]] = collections.deque()
        for scan in scans:
            waiting.append(self._pool.submit(_work, scan))
            if len(waiting) > self._number + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_job: tuple[Source, Rules] | None = None


def _start(source: Source, rules: Rules) -> None:
    global _job
    _job = (source, rules)


def _work(scan: Scan) -> ScanRecords:
    assert _job is not None
    return _records(scan, *_job)


def _records(scan: Scan, source: Source, rules: Rules) -> ScanRecords:
    return scan_records(scan, source.read(scan.series), rules)
