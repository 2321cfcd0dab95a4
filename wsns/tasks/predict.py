"""The task 'predict': nodules in any chest CT, a folder of files for each scan.

A folder appears when it is complete; the same command goes on with the scans that have none.
"""

import contextlib
import datetime
import functools
import pathlib
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns import VERSION
from wsns.errors import OF_THE_DISK, InputError
from wsns.prediction import inputs, networks, outputs
from wsns.prediction.inputs import Found
from wsns.prediction.networks import Networks
from wsns.prediction.scan import COLUMNS, Prediction
from wsns.prediction.search import RESEARCH_ONLY, Choice, Search, searcher
from wsns.report import scans_page
from wsns.runtime import environment, progress
from wsns.runtime import workdir as files
from wsns.runtime.background import ahead, threads

MANIFEST = "predict.json"
FAILURES = ("scan", "input", "reason")


def check(config: ConfigDict) -> None:
    """Refuses fields that can't be, before anything is read.

    Raises:
        InputError: with the field.
    """
    if "predict" not in config:
        raise InputError("config.predict: this config has no such fields; take configs/predict.py")
    if not config.predict.input:
        raise InputError(
            "config.predict.input is empty: name a folder of DICOM files, or a .nii.gz, .nrrd or .mha file, with "
            "--config.predict.input=PATH"
        )
    inputs.check(_words(config.predict.allow))
    Choice.of(config.predict)


def predict(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Searches the scans at `config.predict.input` that aren't searched yet.

    Raises:
        InputError: if there is none, or some can't be searched: after all others.
    """
    _check_folder(workdir)
    fields, path = config.predict, config.predict.input
    if path == inputs.TWIN:
        path, leave_out = str(workdir / "twin_scan"), None
        inputs.write_twin(workdir / "twin_scan")
    else:
        leave_out = workdir
    found = inputs.find(
        path, series=fields.series, allow=_words(fields.allow), leave_out=leave_out,
        progress=lambda items: progress.through(items, "headers"), say=print,
    )  # fmt: skip
    used = networks.load(fields.run)
    options = {name: value for name, value in fields.to_dict().items() if name not in ("input", "run")}
    about = {"networks": used.name, "fingerprint": used.fingerprint, "options": options, "version": VERSION}
    failures: list[dict[str, str]] = []
    with (
        threads() as each,
        progress.bar(len(found), "scans", unit="scan", hidden=len(found) == 1) as shown,
    ):
        search = functools.partial(searcher(used, Choice.of(fields), ahead=ahead), each=each)
        for one in found:
            reason = _one(one, workdir / one.name, search, used, about, alone=len(found) == 1)
            if reason:
                failures.append({"scan": one.name, "input": one.input, "reason": reason})
                if len(found) > 1:
                    progress.say(f"{one.name}: {reason}")
            shown.update(1)
    _over_all(workdir, found, failures)
    if failures:
        if len(found) == 1:
            raise InputError(failures[0]["reason"])
        raise InputError(
            f"{len(failures)} of {len(found)} scans couldn't be searched: {workdir / 'failures.csv'} says why; "
            "the others are done"
        )


def _check_folder(workdir: pathlib.Path) -> None:
    """Refuses the folder of a run, whose results these are none of."""
    if any((workdir / name).exists() for name in ("records", "cases.csv", "stamps")):
        raise InputError(f"{workdir} holds a run's own results: name another --workdir")


def _one(
    one: Found, folder: pathlib.Path, search: Search, used: Networks, about: Mapping[str, Any], *, alone: bool
) -> str:
    """Searches a scan unless it is done; returns why it couldn't be, '' if it is."""
    key = files.fingerprint([one.identity, about])
    if _is_done(folder, key):
        progress.say(f"{one.name}: done before")
        return ""
    begun = time.perf_counter()
    try:
        found = _search(one, search, alone=alone)
        manifest = {
            "scan": one.name,
            "input": one.input,
            "series": one.series,
            "size": list(found.ct.grid.size),
            "spacing_mm": [round(float(side), 6) for side in found.ct.grid.spacing],
            "networks": {"from": used.name, "fingerprint": used.fingerprint, **used.card},
            "options": about["options"],
            "versions": {"wsns": VERSION, **environment.describe()["packages"]},
            "nodules": len(found.nodules),
            "seconds": round(time.perf_counter() - begun, 1),
            "warnings": list(found.warnings),
            "fingerprint": key,
        }
        with files.appearing(folder) as partial:
            told = outputs.write(partial, found, manifest, f"Nodules in {one.name}", datetime.datetime.now())
            # Only now: what an earlier command found stays until all is written.
            files.remove(folder)
    except InputError as error:
        return str(error)
    except Exception as error:  # a broken scan must not stop those that follow, whatever a library says of it
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise
        path = folder.with_name(f"{folder.name}.error.txt")
        files.write_text(path, traceback.format_exc())
        return f"failed in a way that nobody foresaw ({type(error).__name__}: {error}); {path} has the whole of it"
    for words in told:
        progress.say(f"{one.name}: {words}")
    progress.say(f"{one.name}: {_count(len(found.nodules))} in {manifest['seconds']:.0f} s: {folder}")
    return ""


def _search(one: Found, search: Search, *, alone: bool) -> Prediction:
    # In a log file the bar over all scans is enough.
    hidden = not alone and not sys.stderr.isatty()
    with contextlib.ExitStack() as stack:

        def begin(total: int) -> Callable[[int], object]:
            bar = progress.bar(total, one.name, unit="slice", leave=False, hidden=hidden)
            return stack.enter_context(bar).update

        return search(one.read(), progress=begin)


def _is_done(folder: pathlib.Path, key: str) -> bool:
    if not (files.is_done(folder) and (folder / MANIFEST).is_file()):
        return False
    try:
        return bool(files.read_json(folder / MANIFEST)["fingerprint"] == key)
    except (InputError, KeyError, TypeError):
        return False


def _over_all(workdir: pathlib.Path, found: Sequence[Found], failures: Sequence[Mapping[str, str]]) -> None:
    """Writes what was found in all scans, and which failed."""
    done = [one for one in found if one.name not in {row["scan"] for row in failures}]
    rows = [
        {"scan": one.name, **row}
        for one in done
        for row in files.read_rows(workdir / one.name / "nodules.csv")
    ]
    files.write_rows(workdir / "nodules.csv", ("scan", *COLUMNS), rows)
    manifests = [files.read_json(workdir / one.name / MANIFEST) for one in done]
    files.write_text(workdir / "index.html", scans_page.page_of(manifests, rows, failures, RESEARCH_ONLY))
    if failures:
        files.write_rows(workdir / "failures.csv", FAILURES, failures)
    else:
        files.remove(workdir / "failures.csv")
    print(f"{_count(len(rows))} in {len(done)} scans: {workdir / 'index.html'}, {workdir / 'nodules.csv'}")


def _count(nodules: int) -> str:
    return {0: "no nodule", 1: "1 nodule"}.get(nodules, f"{nodules} nodules")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
