"""What was read from headers, kept in a file: an archive is read once, and again only where it has changed."""

import dataclasses
import gzip
import json
import operator
import os
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

from wsns.data.dicom.header import File, SliceFile
from wsns.runtime.workdir import write_bytes

# To be raised whenever a header would be read or judged in another way.
FORMAT = 2
_FIELDS = tuple(field.name for field in dataclasses.fields(SliceFile))[len(File._fields) :]
_values = operator.attrgetter(*_FIELDS)


def load(path: pathlib.Path, root: pathlib.Path) -> dict[File, SliceFile | str]:
    """Returns what a cache file knows of the files in `root`: nothing if it is damaged or of another folder."""
    try:
        with gzip.open(path, "rt") as lines:
            if json.loads(next(lines)) != _title(root):
                return {}
            shared: dict[Any, Any] = {}
            return dict(_entry(json.loads(line), root, shared) for line in lines)
    except (OSError, EOFError, StopIteration, zlib.error, ValueError, TypeError, RecursionError):
        return {}


def save(path: pathlib.Path, root: pathlib.Path, results: Mapping[File, SliceFile | str]) -> None:
    """Writes a cache file, whole or not at all; the paths in it start from `root`."""
    rows = (
        [os.path.relpath(file.path, root), *file[1:], found if isinstance(found, str) else _values(found)]
        for file, found in results.items()
    )
    lines = "".join(f"{json.dumps(row)}\n" for row in (_title(root), *rows))
    write_bytes(path, gzip.compress(lines.encode(), 1))


def _title(root: pathlib.Path) -> dict[str, Any]:
    return {"format": FORMAT, "fields": list(_FIELDS), "root": str(root.resolve())}


def _entry(row: list[Any], root: pathlib.Path, shared: dict[Any, Any]) -> tuple[File, SliceFile | str]:
    """Returns one file; strings and tuples that slices have in common are one object, which saves memory."""
    name, size, mtime_ns, found = row
    file = File(os.path.join(root, name), size, mtime_ns)
    if isinstance(found, str):
        return file, found
    values = (tuple(value) if isinstance(value, list) else value for value in found)
    return file, SliceFile(
        *file, *(shared.setdefault(v, v) if isinstance(v, str | tuple) else v for v in values)
    )
