"""What there is to search at a path: the CT series of a DICOM folder, images in files, or many of either."""

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from wsns.data.dicom.file_names import shown, some
from wsns.data.dicom.index import Index, index
from wsns.data.images.ct import ALLOWED, ChestCT
from wsns.data.images.files import ENDINGS, is_image, read_image, stem
from wsns.data.images.series import Series, all_series, chosen, read_series
from wsns.errors import InputError
from wsns.runtime import workdir as files
from wsns.runtime.workdir import fingerprint

FIELD = "config.predict.input"
TWIN = "twin"
TWIN_SERIES = "1.3.6.1.4.1.14519.5.2.1.6279.6001.170706757615202213033480003264"
"""The scan that stands for the word: of 2.5 mm, so that no network of the demo, which takes 3 mm, saw it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A scan that can be searched.

    `name`: of its folder of results, unique among those found together; `read`: reads it; `identity`: changes when its
    files may have changed; `input`: where it lies; `series`: its UID, '' for a file.
    """

    name: str
    read: Callable[[], ChestCT]
    identity: str
    input: str
    series: str = ""


def find(
    path: str,
    *,
    series: str = "",
    allow: Collection[str] = (),
    leave_out: pathlib.Path | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    say: Callable[[str], object] = lambda text: None,
) -> list[Found]:
    """Returns the scans at a path.

    Args:
        path: of an image file, a folder of them, or a folder of DICOM files, to any depth.
        series: UID of the DICOM series to take; empty: of each study the axial one of most slices, then the thinnest.
        allow: of `wsns.data.images.ct.ALLOWED`.
        leave_out: a folder inside of it that isn't looked into, as that of the results.
        progress: wraps what takes long.
        say: is told which series there are, and which are taken.

    Raises:
        InputError: if there is none.
    """
    root = pathlib.Path(path)
    if not os.path.lexists(root):
        raise InputError(f"--{FIELD}={shown(path)}: there is no such file or folder")
    if not root.is_dir():
        return [_file(root, stem(root), allow, series)]
    known = index(path, progress=progress, field=FIELD, leave_out=leave_out)
    images = [pathlib.Path(own) for own in sorted(known.passed_over) if is_image(pathlib.Path(own))]
    if not known.series and not images:
        raise InputError(f"{shown(path)} holds no CT that can be searched: {_kinds(known.passed_over)}")
    found = [_series(one, known, allow) for one in _choose(known, series, say, alone=not images)]
    if not series:
        found += [_file(own, stem(own), allow, "") for own in images]
    return _named_apart(found)


def write_twin(folder: pathlib.Path) -> None:
    """Writes one synthetic scan as DICOM, for those who have none at hand; nothing where it is there already."""
    from wsns.data.lidc.annotations import load_scans
    from wsns.data.synthetic import archive

    if not folder.is_dir():
        with files.appearing(folder) as partial:
            archive.write(partial, [load_scans()[TWIN_SERIES]])


def check(allow: Collection[str]) -> None:
    """Refuses words that `find` doesn't know.

    Raises:
        InputError: with the word.
    """
    if unknown := sorted(set(allow).difference(ALLOWED)):
        raise InputError(f"config.predict.allow={unknown[0]!r}: choose of {', '.join(ALLOWED)}")


def _choose(known: Index, uid: str, say: Callable[[str], object], *, alone: bool) -> Sequence[Series]:
    every = all_series(known)
    if not every and not uid:
        return ()
    try:
        taken = chosen(every, uid)
    except InputError:
        if alone or uid:
            if len(every) > 1:
                say(series_table(every, ()))
            raise
        return ()
    if len(every) > 1:
        say(series_table(every, [one.uid for one in taken]))
    return taken


def series_table(every: Sequence[Series], taken: Collection[str]) -> str:
    """Returns which CT series there are, those taken marked, and by which rule."""
    lines = ["CT series found (of each study the axial one of most slices, then the thinnest, is searched):"]
    for one in every:
        mark = "searched" if one.uid in taken else ""
        axial = "axial" if one.axial else "not axial"
        words = " ".join(filter(None, (one.number and f"no. {one.number}", one.description, one.kernel)))
        lines.append(
            f"  {mark:<9}{one.slices:>5} slices {one.step:>5.2f} mm  {axial:<10}{shown(words)[:40]:<41}{one.uid}"
        )
    return "\n".join(lines)


def _series(one: Series, known: Index, allow: Collection[str]) -> Found:
    facts = [(file.path, file.size, file.mtime_ns) for file in one.files]
    folder = os.path.commonpath([os.path.dirname(file.path) for file in one.files])
    read = functools.partial(read_series, one, known.passed_over, allow=allow)
    return Found(one.uid[-12:].strip("."), read, fingerprint(facts), folder, one.uid)


def _file(path: pathlib.Path, name: str, allow: Collection[str], series: str) -> Found:
    if series:
        raise InputError(
            f"config.predict.series={series!r}: {shown(str(path))} is a file; only DICOM has series"
        )
    if not is_image(path):
        raise InputError(
            f"--{FIELD}={shown(str(path))}: is no image that is read here ({', '.join(ENDINGS)}); of DICOM files give "
            "their folder"
        )
    state = path.stat() if path.exists() else None
    facts = [str(path), state and state.st_size, state and state.st_mtime_ns]
    return Found(
        _plain(name), functools.partial(read_image, path, allow=allow), fingerprint(facts), str(path)
    )


def _plain(name: str) -> str:
    """Returns a name that any file system and page takes."""
    return re.sub(r"[^\w.+-]+", "_", name.encode("utf-8", "replace").decode()).strip(".") or "scan"


def _named_apart(found: Sequence[Found]) -> list[Found]:
    """Returns them with numbers where two have one name, in the order of their paths."""
    used: set[str] = set()
    apart = []
    for one in found:
        name = next(
            own
            for n in range(1, len(found) + 1)
            if (own := one.name if n == 1 else f"{one.name}_{n}") not in used
        )
        used.add(name)
        apart.append(dataclasses.replace(one, name=name))
    return apart


def _kinds(passed_over: Mapping[str, str]) -> str:
    """Says what lies there instead."""
    if not passed_over:
        return "it is empty"
    counts: dict[str, int] = {}
    for what in passed_over.values():
        counts[what] = counts.get(what, 0) + 1
    ordered = sorted(counts, key=lambda what: -counts[what])
    kinds = some([f"{counts[what]} × {what}" for what in ordered])
    return f"its {len(passed_over)} files are {kinds}"
