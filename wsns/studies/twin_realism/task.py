"""The task 'twin_check': the synthetic twin beside real scans, in figures and pictures; no network takes part."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ml_collections import ConfigDict

from wsns.data.lidc.annotations import Scan, load_scans
from wsns.data.records.extract import Rules, scan_records
from wsns.data.records.plan import Options, candidates, choose_scans, make_plan, options
from wsns.data.source import open_source
from wsns.data.volume import Source
from wsns.errors import InputError
from wsns.evaluation import tables
from wsns.report.slice_view import to_png
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import ahead
from wsns.runtime.processes import cores, pool
from wsns.studies.twin_realism import page
from wsns.studies.twin_realism import text as likeness_text
from wsns.studies.twin_realism.classification import Verdict, tell_apart
from wsns.studies.twin_realism.crops import FEATURES
from wsns.studies.twin_realism.figures import crop_sheet, nodule_sheet, statistics_figure
from wsns.studies.twin_realism.scan import ScanLook, look_at

_LEAST = {"twins": 2, "slices": 2, "crops": 2, "draws": 0}


def check(config: ConfigDict) -> None:
    """Refuses bad fields before anything is done.

    Raises:
        InputError: with the field.
    """
    if not config.data.manual_dir:
        raise InputError(
            "config.data.manual_dir is empty: name the folder with the real scans that the twin is set beside"
        )
    for name, least in _LEAST.items():
        if config.check[name] < least:
            raise InputError(f"config.check.{name} is {config.check[name]}: at least {least}")


def twin_check(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `twin_check.{txt,csv,json,html}` and the pictures, and prints the text.

    Raises:
        InputError: if the folder or one of its scans can't be used, or there are too few of them.
    """
    choice = options(config.data)
    plan = make_plan(choice, progress.through, workdir / "dicom_index.json.gz", every=True)
    if len(plan.scans) < 2:
        raise InputError(
            f"{choice.manual_dir} holds one scan that config.data allows: the check takes two at least"
        )
    chosen = twins(list(plan.scans.values()), choice, config.check.twins)
    source = open_source("", chosen, seed=choice.twin_seed, looks=choice.twin)
    jobs = [_Job(scan, plan.source, choice.rules, config.check.to_dict()) for scan in plan.scans.values()]
    jobs += [_Job(scan, source, choice.rules, config.check.to_dict()) for scan in chosen.values()]
    with progress.bar(len(jobs), "scans, real and twin", unit="scan") as bar:
        looks = []
        for made in _looks(jobs, cores(choice.workers)):
            looks.append(made)
            bar.update()
    real, twin = looks[: len(plan.scans)], looks[len(plan.scans) :]
    _write(workdir, real, twin, _verdict(real, twin, config.check))
    print(files.read_text(workdir / "twin_check.txt"), end="")
    print(f"pictures and tables: {workdir / 'twin_check.html'}")


def twins(real: Sequence[Scan], choice: Options, count: int) -> dict[str, Scan]:
    """Chooses scans of which the twin is rendered, by series UID: none of a real scan's patient.

    Their pixels and slices are no smaller and no larger than those of the real scans.

    Raises:
        InputError: if there are fewer than two.
    """
    exclude = ",".join({name for name in choice.exclude.split(",") if name} | {scan.patient for scan in real})
    own = dataclasses.replace(choice, manual_dir="", exclude=exclude, max_scans=count)
    limits = {
        name: (min(getattr(scan, name) for scan in real), max(getattr(scan, name) for scan in real))
        for name in ("spacing", "thickness")
    }
    like = {
        uid: scan
        for uid, scan in candidates(load_scans(), own).items()
        if all(low <= getattr(scan, name) <= high for name, (low, high) in limits.items())
    }
    chosen = choose_scans(like, own)
    if len(chosen) < 2:
        raise InputError(
            f"{len(chosen)} scans of other patients have pixels and slices of the real scans' sizes: take more real "
            "scans (config.data.thickness, config.data.max_scans)"
        )
    return {uid: like[uid] for uid in chosen}


@dataclasses.dataclass(frozen=True)
class _Job:
    """A scan to measure, where it comes from, how it is cut and what is asked of it."""

    scan: Scan
    source: Source
    rules: Rules
    check: dict[str, Any]

    def alone(self) -> "_Job":
        """Leaves the scan's own files only; those of all would be 100 MB for each process."""
        return dataclasses.replace(self, source=self.source.only([self.scan.series]))


def _look(job: _Job) -> ScanLook:
    scan = job.scan
    try:
        slices = scan_records(scan, job.source.read(scan.series), job.rules, every=True).slices
    except InputError as error:
        raise InputError(f"{scan.patient}, series {scan.series}: {error}") from error
    return look_at(slices, count=job.check["slices"], crops=job.check["crops"], seed=job.check["seed"])


def _looks(jobs: Sequence[_Job], number: int) -> Iterator[ScanLook]:
    if number == 1:
        yield from map(_look, jobs)
        return
    try:
        with pool(number) as processes:
            yield from ahead(_look, (job.alone() for job in jobs), number, pool=processes)
    except BrokenProcessPool as error:
        raise InputError(
            "a process that measures scans ended unexpectedly, perhaps for lack of memory: run again with fewer, "
            "--config.data.workers=N, or none, N = 1"
        ) from error


def _verdict(real: Sequence[ScanLook], twin: Sequence[ScanLook], asked: ConfigDict) -> Verdict:
    ours, theirs = ([scan.crops for scan in scans] for scans in (real, twin))
    return tell_apart(ours, theirs, FEATURES, draws=asked.draws, seed=asked.seed)


def _write(
    workdir: pathlib.Path, real: Sequence[ScanLook], twin: Sequence[ScanLook], verdict: Verdict
) -> None:
    table = likeness_text.columns(real, twin)
    rows = likeness_text.rows(table)
    drawn = {"nodules": nodule_sheet, "crops": crop_sheet, "statistics": statistics_figure}
    pictures = {name: to_png(draw(real, twin)) for name, draw in drawn.items()}
    for name, png in pictures.items():
        files.write_bytes(workdir / f"{name}.png", png)
    files.write_rows(workdir / "twin_check.csv", list(rows[0]), rows)
    files.write_json(workdir / "twin_check.json", likeness_text.as_json(verdict, real))
    files.write_text(workdir / "twin_check.html", page.render(table, verdict, real, twin, pictures))
    files.write_text(workdir / "twin_check.txt", tables.text(likeness_text.parts(table, verdict, real, twin)))
