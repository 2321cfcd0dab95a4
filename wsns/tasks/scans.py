"""The step 'scans': every slice of test patients' scans, as many with and without a nodule as there are.

Leaves `scans/`: one folder per scan, complete or not there, and `cases.csv`, `marks.csv` and `scans.csv` of all.
"""

import importlib.util
import pathlib
from typing import Any

from ml_collections import ConfigDict

from wsns.evaluation.cases import COLUMNS, read_cases, write_cases
from wsns.run.scan_files import MARKS, SCANS
from wsns.run.settings import result_fields
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.tasks import train

NEEDED = ("SimpleITK", "pylidc")
"""What only the data stage stands on: a machine that trains and segments may lack it."""


def scans(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Searches whole scans that are not searched yet; says so where that can't be done here.

    Raises:
        InputError: if a scan is not as it must be.
    """
    if not config.scans.most:
        return
    wanted, keeps = inputs(config, workdir), inputs(config, workdir)
    absent = _absent(config.data.manual_dir)
    if absent and not stamps.is_done("scans", wanted):
        print(
            f"scans: {absent} is not on this machine, so no scan is searched whole and the report is without FROC; "
            "it goes on where it is (--config.scans.most=0 leaves it out)"
        )
        return
    # Another score only ranks anew what was found.
    del keeps["scans"]["score"]
    stamps.do(
        Step(
            "scans",
            "search whole scans",
            wanted,
            (workdir / "scans",),
            lambda: _search(config, workdir),
            keeps=keeps,
        )
    )


def _search(config: ConfigDict, workdir: pathlib.Path) -> None:
    from wsns.tasks.scan_search import search

    folder = workdir / "scans"
    parts = search(config, workdir, folder)
    write_cases(folder / "cases.csv", [case for part in parts for case in read_cases(part / "cases.csv")])
    for name, columns in (("marks.csv", MARKS), ("scans.csv", SCANS)):
        rows = [row for part in parts for row in files.read_rows(part / name)]
        if name == "marks.csv":
            rows = [row | {"score": row[config.scans.score]} for row in rows]
        files.write_rows(folder / name, columns, rows)


def inputs(config: ConfigDict, workdir: pathlib.Path) -> dict[str, Any]:
    """Returns what the step depends on."""
    names = [name for name in config.models if name != "unet"]
    return {
        "models": {name: train.inputs(config, workdir, name) for name in names},
        "segment": result_fields(config),
        "scans": config.scans.to_dict(),
        "columns": [*COLUMNS, *MARKS, *SCANS],
    }


def _absent(manual_dir: str) -> str:
    """Returns what is missing for scans to be read, '' if nothing is."""
    if manual_dir and not pathlib.Path(manual_dir).is_dir():
        return f"the archive {manual_dir}"
    return next((name for name in NEEDED if importlib.util.find_spec(name) is None), "")
