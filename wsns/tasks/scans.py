"""The step 'scans': every slice of test patients' scans, as many with and without a nodule as there are.

Leaves `scans/`: one folder per scan, complete or not there, and `cases.csv`, `marks.csv` and `scans.csv` of all.
"""

import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.evaluation.cases import COLUMNS, Case, read_cases, write_cases
from wsns.evaluation.froc import Scan
from wsns.evaluation.mark_scores import SCORES
from wsns.evaluation.scan_marks import Mark
from wsns.run.settings import result_fields
from wsns.runtime import workdir as files
from wsns.tasks import train

MARKS = ("patient", "series", "method", "score", "z", "slices", "area_mm2", "hits", *SCORES)
SCANS = ("patient", "series", "slices", "left_out", "nodules", "unreachable")
NEEDED = ("SimpleITK", "pylidc")
"""What only the data stage stands on: a machine that trains and segments may lack it."""


def scans(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Searches whole scans that are not searched yet; says so where that can't be done here.

    Raises:
        InputError: if a scan is not as it must be.
    """
    if not config.scans.most or not stamps.must_do("scans", inputs(config, workdir), "search whole scans"):
        return
    if absent := _absent(config.data.manual_dir):
        print(
            f"scans: {absent} is not on this machine, so no scan is searched whole and the report is without FROC; "
            "it goes on where it is (--config.scans.most=0 leaves it out)"
        )
        return
    from wsns.tasks.scan_search import search

    folder = workdir / "scans"
    begun = inputs(config, workdir)
    # Another score only ranks anew what was found.
    del begun["scans"]["score"]
    stamps.begin("scans", begun, folder)
    parts = search(config, workdir, folder)
    write_cases(folder / "cases.csv", [case for part in parts for case in read_cases(part / "cases.csv")])
    for name, columns in (("marks.csv", MARKS), ("scans.csv", SCANS)):
        rows = [row for part in parts for row in files.read_rows(part / name)]
        if name == "marks.csv":
            rows = [row | {"score": row[config.scans.score]} for row in rows]
        files.write_rows(folder / name, columns, rows)
    stamps.mark_done("scans", inputs(config, workdir))


def inputs(config: ConfigDict, workdir: pathlib.Path) -> dict[str, Any]:
    """Returns what the step depends on."""
    names = [name for name in config.models if name != "unet"]
    return {
        "models": {name: train.inputs(config, workdir, name) for name in names},
        "segment": result_fields(config),
        "scans": config.scans.to_dict(),
        "columns": [*COLUMNS, *MARKS, *SCANS],
    }


def read(folder: pathlib.Path) -> tuple[list[Case], dict[str, list[Scan]], int, int]:
    """Returns the cases of all slices and by method the scans with their marks, and of what is left out how many.

    Slices that were not read, and nodules that lie wholly outside the crop.

    Raises:
        InputError: if a file is missing or damaged.
    """
    cases = read_cases(folder / "cases.csv")
    try:
        rows, found = files.read_rows(folder / "scans.csv"), files.read_rows(folder / "marks.csv")
        by_method = with_marks(rows, found, list(dict.fromkeys(case.method for case in cases)))
        slices, nodules = (sum(int(row[name]) for row in rows) for name in ("left_out", "unreachable"))
        return cases, by_method, slices, nodules
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"{folder}: scans.csv or marks.csv is missing or damaged ({error!r}): remove "
            f"{folder.parent / 'stamps' / 'scans.json'} and run again; they are made from the scans' own folders"
        ) from error


def with_marks(
    scans: Sequence[Mapping[str, str]], marks: Sequence[Mapping[str, str]], methods: Sequence[str]
) -> dict[str, list[Scan]]:
    """Returns by method the scans with their marks, from the rows of `scans.csv` and `marks.csv`."""
    own: dict[tuple[str, str], list[Mark]] = {}
    for row in marks:
        own.setdefault((row["series"], row["method"]), []).append(_mark(row))
    return {
        method: [
            Scan(row["patient"], _numbers(row["nodules"]), own.get((row["series"], method), []))
            for row in scans
        ]
        for method in methods
    }


def _absent(manual_dir: str) -> str:
    """Returns what is missing for scans to be read, '' if nothing is."""
    if manual_dir and not pathlib.Path(manual_dir).is_dir():
        return f"the archive {manual_dir}"
    return next((name for name in NEEDED if importlib.util.find_spec(name) is None), "")


def _mark(row: Mapping[str, str]) -> Mark:
    return Mark(
        float(row["score"]),
        float(row["z"]),
        int(row["slices"]),
        float(row["area_mm2"]),
        _numbers(row["hits"]),
        {name: float(row[name]) for name in SCORES},
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())
