"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Bad input: the message says what is wrong, which file or field, and what to do.

    `main.py` prints it as one line, without a traceback.
    """
