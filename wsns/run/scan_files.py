"""`scans/` of a run: the marks in whole scans, as rows of `marks.csv` and `scans.csv`.

Each scan's folder also holds `marks.npz`: by method the marks as labels (Z, S, S) uint16, numbered as the rows of
`marks.csv` from 1, with `first_slice`, the crop's `origin` (row, column), `z` (Z,) in mm and `spacing` in mm.
"""

import pathlib
from collections.abc import Mapping, Sequence

from wsns.errors import InputError
from wsns.evaluation.cases import Case, read_cases
from wsns.evaluation.froc import Scan
from wsns.evaluation.mark_scores import SCORES
from wsns.evaluation.scan_marks import Mark
from wsns.runtime import workdir as files

MARKS = ("patient", "series", "method", "score", "z", "slices", "area_mm2", "hits", *SCORES)
MASKS = "marks.npz"
SCANS = ("patient", "series", "slices", "left_out", "nodules", "unreachable")


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
