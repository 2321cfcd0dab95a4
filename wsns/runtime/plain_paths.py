"""Other names for folders that libraries can't handle under their own.

Orbax looks checkpoints up with `glob`, which takes `[`, `]` and `\\` in the folder's name for a pattern; it and
TensorFlow Datasets take `gs:` and the like for another file system, and fail on names that are no UTF-8.
"""

import functools
import os
import pathlib
import re
import tempfile

from wsns.errors import InputError

_PLAIN = re.compile(r"(?!.*[a-z0-9]:/)[\w./ :+=,;@%#~&()'!$^-]*")


def plain(path: pathlib.Path) -> pathlib.Path:
    """Returns a folder's absolute path, or that of a link to it which lasts as long as the process.

    Args:
        path: of the folder, which need not be there yet.

    Raises:
        InputError: if there is no place for such a link.
    """
    path = path.absolute()
    return path if _PLAIN.fullmatch(str(path)) else _link(path)


def own_name(path: pathlib.Path) -> pathlib.Path:
    """Returns what a link that `plain` made points to; any other path as it is."""
    for link, target in _links().items():
        if path == link or link in path.parents:
            return target / path.relative_to(link)
    return path


@functools.cache
def _link(path: pathlib.Path) -> pathlib.Path:
    folder = _folder()
    if not _PLAIN.fullmatch(folder.name):
        raise InputError(
            f"{path}: libraries can't handle this name, nor that of the folder for temporary files, {folder.name}: "
            "choose another --workdir, or set TMPDIR to a plain name"
        )
    link = pathlib.Path(folder.name, str(len(_links())))
    link.symlink_to(path, target_is_directory=True)
    _links()[link] = path
    return link


@functools.cache
def _links() -> dict[pathlib.Path, pathlib.Path]:
    return {}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f"wsns-{os.getpid()}-")
