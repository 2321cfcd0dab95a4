"""One command at a time in a run's folder: who writes there is written down in `.lock`, which the system lets go of
when that process ends, however it ends.
"""

import contextlib
import datetime
import errno
import fcntl
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

from wsns.errors import InputError
from wsns.runtime import progress
from wsns.runtime.workdir import make_folder

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""How a file system says that it has no locks."""


@contextlib.contextmanager
def held(workdir: pathlib.Path) -> Iterator[None]:
    """Makes a run's folder and keeps other commands out of it for a `with` block.

    A folder with something in it that may not be written needs no lock: a finished run can be read.

    Raises:
        InputError: if another command is at work in it, it is no folder, or can't be made or written.
    """
    try:
        make_folder(workdir)
        file = os.open(workdir / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except (OSError, ValueError) as error:
        if not (isinstance(error, OSError) and error.errno in READ_ONLY and _has_content(workdir)):
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(
                f"--workdir={workdir}: can't be written ({reason}): name a folder of your own, on a disk with room"
            ) from error
        yield
        return
    try:
        _take(file, workdir)
        yield
    finally:
        os.close(file)


def _take(file: int, workdir: pathlib.Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 500, 0).decode(errors="replace").strip() or "another process"
        raise InputError(
            f"{workdir} is in use by {holder}: wait for it, end it, or name another --workdir"
        ) from None
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise InputError(f"{workdir / '.lock'}: {error.strerror}") from error
        progress.say(f"warning: the disk of {workdir} has no locks; start no second command there meanwhile")
        return
    since = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
        os.ftruncate(file, 0)
        os.pwrite(file, _holder(since).encode(errors="replace"), 0)


def _holder(since: str) -> str:
    return f"process {os.getpid()} on {socket.gethostname()} since {since} ({' '.join(sys.argv)[:200]})\n"


def _has_content(workdir: pathlib.Path) -> bool:
    try:
        return any(workdir.iterdir())
    except OSError:
        return False
