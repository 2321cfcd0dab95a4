"""The exceptions that a user is meant to read."""

import errno

OF_THE_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE,
)  # fmt: skip
"""Errors of the system that tell of the disk, not of the code."""


class InputError(Exception):
    """Bad input: the message says what is wrong, which file or field, and what to do.

    `main.py` prints it as one line, without a traceback.
    """


class Diverged(InputError):
    """A loss or gradient that stopped being finite, in step `step`; what `InputError` says."""

    def __init__(self, message: str, step: int):
        super().__init__(message)
        self.step = step
