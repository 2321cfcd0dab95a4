"""The task 'compare': what several runs left, in one table, each run paired with the first; no network takes part."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.data.records.summary import is_synthetic
from wsns.errors import InputError
from wsns.evaluation import tables
from wsns.evaluation.cases import read_cases
from wsns.report.page import source_line
from wsns.runtime import workdir as files
from wsns.studies.comparison import measure, text
from wsns.studies.comparison.measure import Run

SECTIONS = ("models", "seed", "data", "model", "train", "unet", "segment")
"""What of a config decides the cases."""


def check(config: ConfigDict) -> None:
    """Refuses too few runs, or names that don't fit them.

    Raises:
        InputError: with the field.
    """
    if "compare" not in config:
        raise InputError("config.compare: this config has no such fields; take configs/compare.py")
    folders, names = tuple(config.compare.workdirs), tuple(config.compare.names)
    if len(folders) < 2:
        raise InputError(
            f"config.compare.workdirs={folders!r}: name two runs' folders or more, the first the base"
        )
    if names and len(names) != len(folders):
        raise InputError(f"config.compare.names={names!r}: {len(folders)} workdirs need as many, or none")
    if len(set(_named(config))) < len(folders):
        raise InputError(
            f"config.compare.workdirs={folders!r}: two runs have one name; give each its own in config.compare.names"
        )


def compare(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `compare.{txt,md,csv}` and prints the text; in the runs' own folders nothing changes.

    Raises:
        InputError: if a folder holds no finished run, or the runs share no slice.
    """
    runs = [read_run(name, folder) for name, folder in _named(config).items()]
    write(runs, workdir, "compare", **config.evaluate.to_dict())
    print(files.read_text(workdir / "compare.txt"), end="")


def read_run(name: str, folder: pathlib.Path) -> Run:
    """Reads what a run left.

    Raises:
        InputError: if there is no finished run, or its cases are of another config than `config.json` says.
    """
    config, environment = (_read(folder / file) for file in ("config.json", "environment.json"))
    stamp, accounting = folder / "stamps" / "segment.json", folder / "records" / "accounting.json"
    of_cases = files.read_json(stamp)["inputs"]["segment"] if stamp.exists() else {}
    for field, value in config["segment"].items():
        if of_cases.get(field, value) != value:
            raise InputError(
                f"{folder}: its cases were made with segment.{field}={of_cases[field]}, its config.json says {value}; "
                "run the task 'segment' there again"
            )
    facts = files.read_json(accounting) if accounting.exists() else {}
    source = {"source": source_line(facts["source"], synthetic=is_synthetic(facts))} if facts else {}
    fields = {key: value for section in SECTIONS for key, value in dotted(config[section], section)}
    return Run(name, read_cases(folder / "cases.csv"), fields, environment.get("data", {}) | source)


def write(runs: Sequence[Run], directory: pathlib.Path, stem: str, *, draws: int, seed: int) -> None:
    """Writes the comparison of runs into a folder, as `stem`.txt, .md and .csv."""
    found = measure.compare(runs, draws=draws, seed=seed)
    title = runs[0].fingerprints.get("source", "data of an unknown source")
    files.write_rows(directory / f"{stem}.csv", text.COLUMNS, text.rows(found))
    parts = text.parts(found, source=title)
    files.write_text(directory / f"{stem}.md", tables.markdown(parts))
    files.write_text(directory / f"{stem}.txt", tables.text(parts))


def dotted(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yields the fields of a config's section as ('segment.beta', 0.3)."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, part in value.items():
        yield from dotted(part, f"{name}.{key}")


def _named(config: ConfigDict) -> dict[str, pathlib.Path]:
    folders = [pathlib.Path(folder).absolute() for folder in config.compare.workdirs]
    names = tuple(config.compare.names) or tuple(folder.name for folder in folders)
    return dict(zip(names, folders, strict=True))


def _read(path: pathlib.Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path} does not exist: {path.parent} holds no run; name another workdir")
    return files.read_json(path)
