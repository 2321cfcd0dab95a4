"""Files and folders of a run, written whole or not at all.

Every file appears under its name only when it is complete and on the disk, so that a power cut leaves the old one or
the new one.

A folder of a run may be a link to another disk: what is made anew is made there, and the link stays.
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

from wsns.errors import InputError

REMEDY = "remove it, and the same command makes it again"


def write_bytes(path: pathlib.Path, data: bytes) -> None:
    """Writes a file under a temporary name beside it and renames it once the disk has it."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode())


def keep_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file unless it holds that text already: a finished run may be read-only."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def read_text(path: pathlib.Path) -> str:
    """Reads a UTF-8 text file, whatever the locale; a mark at its beginning, as spreadsheets write it, is left out.

    Raises:
        InputError: if it isn't there, or is no such text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: run the step that makes it first") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged, or no UTF-8 text ({error.reason}): {REMEDY}") from None


def make_folder(path: pathlib.Path) -> None:
    """Makes a folder, and all above it, unless it is there; of a link to nothing, what it points to."""
    if not path.is_dir():
        pathlib.Path(os.path.realpath(path)).mkdir(parents=True, exist_ok=True)


def is_whole(path: pathlib.Path) -> bool:
    """Says whether a file is there and not empty, or a folder and none of its files is: a power cut leaves such."""
    if path.is_dir():
        return all(inside.is_dir() or inside.stat().st_size for inside in path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def remove(path: pathlib.Path) -> None:
    """Removes a file or a folder with all that is in it; of a link to a folder the content, but not the link."""
    if path.is_symlink() and path.is_dir():
        for inside in path.iterdir():
            remove(inside) if not inside.is_symlink() else inside.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _sync(path: pathlib.Path) -> None:
    """Has the disk keep what is in a file, or which names are in a folder; some file systems do it by themselves."""
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def sync_tree(folder: pathlib.Path) -> None:
    """Has the disk keep a folder with all that is in it, and its name."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(pathlib.Path(parent, name))
        _sync(pathlib.Path(parent))
    _sync(folder.parent)


def write_rows(path: pathlib.Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a table as CSV, whole or not at all; what a row has beyond the columns is left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    """Reads a CSV table, each row by the names of its columns.

    Raises:
        InputError: if it isn't there, empty or cut.
    """
    reader = csv.DictReader(io.StringIO(read_text(path)))
    if not reader.fieldnames:
        raise InputError(f"{path} is empty: {REMEDY}")
    rows = list(reader)
    for row in rows:
        if None in row or None in row.values():
            raise InputError(f"{path}, line {reader.line_num}: not {len(reader.fieldnames)} values: {REMEDY}")
    return rows


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all; nothing where the file holds it already."""
    keep_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: if it isn't there, or no JSON.
    """
    return _parsed(read_text(path), str(path))


def read_lines(path: pathlib.Path) -> list[Any]:
    """Reads a file with JSON in each line.

    Raises:
        InputError: if it isn't there, empty, or a line is no JSON.
    """
    lines = read_text(path).splitlines()
    if not lines:
        raise InputError(f"{path} is empty: {REMEDY}")
    return [_parsed(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        state = "damaged" if text.strip() else "empty"
        raise InputError(f"{where} is {state} ({error}): {REMEDY}") from None


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
    make_folder(folder.parent)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_tree(partial)
    partial.rename(folder)
    _sync(folder.parent)


def is_done(folder: pathlib.Path) -> bool:
    """Says whether a folder that appears when it is complete is there; a damaged one is removed."""
    if folder.is_dir() and not is_whole(folder):
        remove(folder)
    return folder.is_dir()
