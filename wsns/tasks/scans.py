"""The step 'scans': every slice of test patients' scans, as many with and without a nodule as there are.

Leaves `scans/`: one folder per scan, complete or not there, and `cases.csv`, `marks.csv` and `scans.csv` of all.
"""

import importlib.util
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns import workdir as files
from wsns.errors import InputError
from wsns.evaluation.cases import COLUMNS, Case, read_cases, write_cases
from wsns.evaluation.froc import Scan
from wsns.evaluation.marks import Mark
from wsns.tasks import train
from wsns.tasks.thresholds import result_fields

MARKS = ("patient", "series", "method", "score", "z", "slices", "area_mm2", "hits")
SCANS = ("patient", "series", "slices", "left_out", "nodules")
NEEDED = ("SimpleITK", "pylidc")
"""What only the data stage stands on: a machine that trains and segments may lack it."""


def scans(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Searches whole scans that are not searched yet; says so where that can't be done here.

    Raises:
        InputError: if a scan is not as it must be.
    """
    if not config.scans.most or stamps.is_done("scans", inputs(config, workdir)):
        return
    if absent := _absent(config.data.manual_dir):
        print(
            f"scans: {absent} is not on this machine, so no scan is searched whole and the report is without FROC; "
            "it goes on where it is (--config.scans.most=0 leaves it out)"
        )
        return
    from wsns.tasks.scan_search import search

    folder = workdir / "scans"
    stamps.begin("scans", inputs(config, workdir), folder)
    parts = search(config, workdir, folder)
    write_cases(folder / "cases.csv", [case for part in parts for case in read_cases(part / "cases.csv")])
    for name, columns in (("marks.csv", MARKS), ("scans.csv", SCANS)):
        files.write_rows(
            folder / name, columns, [row for part in parts for row in files.read_rows(part / name)]
        )
    stamps.mark_done("scans", inputs(config, workdir))


def inputs(config: ConfigDict, workdir: pathlib.Path) -> dict[str, Any]:
    """Returns what the step depends on."""
    names = [name for name in config.models if name != "unet"]
    return {
        "models": {name: train.inputs(config, workdir, name) for name in names},
        "segment": result_fields(config),
        "scans": config.scans.to_dict(),
        "columns": COLUMNS,
    }


def read(folder: pathlib.Path) -> tuple[list[Case], dict[str, list[Scan]], int]:
    """Returns the cases of all slices, by method the scans with their marks, and how many slices were left out.

    Raises:
        InputError: if a file is missing or damaged.
    """
    cases = read_cases(folder / "cases.csv")
    try:
        rows, found = files.read_rows(folder / "scans.csv"), files.read_rows(folder / "marks.csv")
        marks: dict[tuple[str, str], list[Mark]] = {}
        for row in found:
            marks.setdefault((row["series"], row["method"]), []).append(_mark(row))
        by_method = {
            method: [
                Scan(row["patient"], _numbers(row["nodules"]), marks.get((row["series"], method), []))
                for row in rows
            ]
            for method in dict.fromkeys(case.method for case in cases)
        }
        return cases, by_method, sum(int(row["left_out"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"{folder}: scans.csv or marks.csv is missing or damaged ({error!r}): remove "
            f"{folder.parent / 'stamps' / 'scans.json'} and run again; they are made from the scans' own folders"
        ) from error


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
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())
