"""What a run writes, and when a step counts as done.

Every file appears under its name only when it is complete. A step is done when its stamp holds the
fingerprint of everything that the step depends on: a changed config field redoes the steps that read it,
and those that stand on them, and nothing else.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def write_bytes(path: pathlib.Path, data: bytes) -> None:
    """Writes a file under a temporary name beside it and renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_rows(path: pathlib.Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a table as CSV, whole or not at all; what a row has beyond the columns is left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    """Reads a CSV table, each row by the names of its columns."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text())


def fingerprint(value: Any) -> str:
    """Returns 16 hexadecimal digits that depend on a value made of JSON's types."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def scan_folder(parent: pathlib.Path, patient: str, series: str) -> pathlib.Path:
    """Returns where a scan's own files lie."""
    return parent / f"{patient}_{series[-8:]}"


@contextlib.contextmanager
def appearing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a temporary folder, which gets its name at the end of a `with` block that nothing interrupts."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(folder)


class Stamps:
    """The stamps of a working directory: which steps are done, and on what they stand."""

    def __init__(self, workdir: pathlib.Path):
        self._directory = workdir / "stamps"

    def is_done(self, step: str, inputs: Mapping[str, Any]) -> bool:
        """Says whether a step was finished from exactly these inputs."""
        path = self._directory / f"{step}.json"
        return path.exists() and read_json(path)["fingerprint"] == fingerprint(inputs)

    def mark_done(self, step: str, inputs: Mapping[str, Any]) -> None:
        """Records that a step was finished from these inputs."""
        write_json(self._directory / f"{step}.json", {"fingerprint": fingerprint(inputs), "inputs": inputs})

    def begin(self, step: str, inputs: Mapping[str, Any], *outputs: pathlib.Path) -> None:
        """Prepares a step: what an earlier run made from other inputs is removed, a half-done one is kept.

        Args:
            step: the step's name.
            inputs: what the step depends on.
            outputs: files and folders that the step makes.
        """
        path = self._directory / f"{step}.begun.json"
        if not path.exists() or read_json(path)["fingerprint"] != fingerprint(inputs):
            (self._directory / f"{step}.json").unlink(missing_ok=True)
            for output in outputs:
                shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
            write_json(path, {"fingerprint": fingerprint(inputs), "inputs": inputs})
