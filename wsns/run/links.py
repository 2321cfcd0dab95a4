"""Runs that stand on parts of others: what they share is linked, not copied, and not made again."""

import os
import pathlib

from wsns.runtime import workdir as files


def link(path: pathlib.Path, target: pathlib.Path) -> None:
    """Makes a relative link, which survives when the whole run is moved; one that is there already stays."""
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(target, path.parent), target_is_directory=True)


def share_records(folder: pathlib.Path, base: pathlib.Path) -> None:
    """Gives a run's folder the records of another, with the stamp that vouches for them."""
    link(folder / "records", base / "records")
    stamp = "stamps/records.json"
    files.write_bytes(folder / stamp, (base / stamp).read_bytes())
