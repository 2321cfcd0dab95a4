"""Which CT slices a folder holds, by their headers: names of files and folders mean nothing."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import errno
import logging
import os
import pathlib
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from wsns.data.dicom.file_names import shown
from wsns.data.dicom.header import PREFIX_BYTES, File, SliceFile, read_header
from wsns.data.dicom.header_cache import load, save
from wsns.errors import InputError
from wsns.runtime.processes import cores, pool

ARCHIVE_FIELD = "config.data.manual_dir"
CHUNK_FILES = 128
# Starting processes takes longer than reading so many headers in this one.
FEW_FILES = 5000
# So many reads per process wait for a disk or a network at the same time.
READS_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class Index:
    """The CT slices in a folder by series UID, and what each other file is, by path."""

    folder: str
    series: Mapping[str, tuple[SliceFile, ...]]
    passed_over: Mapping[str, str]


def index(
    manual_dir: str,
    *,
    cache: pathlib.Path | None = None,
    workers: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    field: str = ARCHIVE_FIELD,
    leave_out: pathlib.Path | None = None,
) -> Index:
    """Reads the headers of all files in a folder, to any depth and through links.

    Args:
        manual_dir: the folder.
        cache: a file that keeps what was read, also if reading is interrupted: a header is read again only if
            its file has another size or time of change.
        workers: processes; 0 takes every core, 1 stays in this one, as few files do anyway.
        progress: wraps the list of files whose headers must be read.
        field: of the config, by which messages call the folder.
        leave_out: a folder inside that isn't looked into.

    Raises:
        InputError: if the folder is missing or holds no file, or something in it cannot be read.
    """
    root = pathlib.Path(manual_dir).expanduser()
    if not os.path.isdir(root):
        if field != ARCHIVE_FIELD:
            raise InputError(f"{shown(manual_dir)} is not a folder: --{field} names it")
        raise InputError(
            f"{shown(manual_dir)} is not a folder: --config.data.manual_dir names the folder with the archive's "
            "DICOM files; 'twin' takes the synthetic one"
        )
    files, passed_over = _list(root, leave_out)
    if not files and not passed_over:
        if field != ARCHIVE_FIELD:
            raise InputError(f"{shown(manual_dir)} holds no file: is --{field} right?")
        raise InputError(
            f"{shown(manual_dir)} holds no file: download the archive into it, or leave manual_dir empty"
        )
    known = load(cache, root) if cache else {}
    results = {file: known[file] for file in files if file in known}
    unread = [file for file in files if file not in known]
    try:
        if unread:
            results.update(zip(progress(unread), _read_all(unread, workers)))
    finally:
        if cache and results.keys() != known.keys():
            save(cache, root, results)
    series: dict[str, list[SliceFile]] = collections.defaultdict(list)
    for file in files:
        result = results[file]
        if isinstance(result, str):
            passed_over[file.path] = result
        else:
            series[result.series].append(result)
    return Index(str(root), {uid: tuple(slices) for uid, slices in series.items()}, passed_over)


def _list(root: pathlib.Path, leave_out: pathlib.Path | None) -> tuple[list[File], dict[str, str]]:
    """Returns the regular files in a folder, and what else there is, by path."""
    files, others = [], {}
    seen = set()
    if leave_out and leave_out.is_dir() and not leave_out.samefile(root):
        status = os.stat(leave_out)
        seen.add((status.st_dev, status.st_ino))
    for folder, folders, names in os.walk(root, onerror=_refuse_folder, followlinks=True):
        with _naming(folder):
            status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # reached by a link as well
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        for path in (os.path.join(folder, name) for name in sorted(names)):
            found = _look(path)
            if isinstance(found, str):
                others[path] = found
            else:
                files.append(found)
    return files, others


def _look(path: str) -> File | str:
    with _naming(path):
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return "a link to nothing"
            raise
    regular = stat.S_ISREG(status.st_mode)
    return File(path, status.st_size, status.st_mtime_ns) if regular else "no regular file"


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"the folder {shown(str(error.filename))} cannot be read ({error.strerror}): make it readable, or move it "
        "elsewhere"
    ) from error


def _read_all(files: Sequence[File], workers: int) -> Iterator[SliceFile | str]:
    """Yields what each file is, in the order given."""
    chunks = [files[n : n + CHUNK_FILES] for n in range(0, len(files), CHUNK_FILES)]
    number = cores(workers)
    if number == 1 or len(files) < FEW_FILES:
        for chunk in chunks:
            yield from _read(chunk)
        return
    with pool(number) as processes:
        for results in processes.map(_read, chunks):
            yield from results


def _read(files: Sequence[File]) -> list[SliceFile | str]:
    with _quiet_pydicom(), concurrent.futures.ThreadPoolExecutor(READS_AT_ONCE) as threads:
        return [_read_one(file, start) for file, start in zip(files, threads.map(_start, files))]


def _start(file: File) -> bytes:
    with _naming(file.path), open(file.path, "rb", buffering=0) as stream:
        return stream.read(PREFIX_BYTES)


def _read_one(file: File, start: bytes) -> SliceFile | str:
    with _naming(file.path):
        return read_header(file, start)


@contextlib.contextmanager
def _quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom from warning and from logging what a damaged header lacks: the result says it."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Turns an error of reading a file into one that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{shown(path)} cannot be read ({error.strerror or error}): make it readable, or move it elsewhere"
        ) from error
