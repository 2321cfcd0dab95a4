"""Fetches one file over HTTP: whole and with the published hash, or not at all."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import BinaryIO

from wsns.errors import InputError
from wsns.runtime import progress

CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""


def fetch(
    url: str,
    path: pathlib.Path,
    *,
    size: int,
    md5: str,
    timeout: float = TIMEOUT,
    accept: Callable[[pathlib.Path], None] = lambda path: None,
) -> None:
    """Downloads a file under a temporary name, checks it, and only then gives it its own.

    Proxies are taken from the environment, as `urllib` does.

    Args:
        url: where it lies.
        path: the name it gets; its folder is made.
        size: its published bytes.
        md5: its published MD5, in hexadecimal.
        timeout: seconds to wait for each part of the answer.
        accept: a further check; what it raises, this raises, and the file is dropped.

    Raises:
        InputError: with the reason, if it can't be fetched, is another file, or can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            found = _copy(url, file, size, timeout)
        if found != md5:
            raise InputError(f"what {url} sent is another file: its MD5 is {found}, not {md5}")
        accept(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{url} can't be kept as {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _copy(url: str, file: BinaryIO, size: int, timeout: float) -> str:
    """Copies what a URL sends into an open file and returns its MD5."""
    md5 = hashlib.md5(usedforsecurity=False)
    got = 0
    for chunk in _chunks(url, size, timeout):
        file.write(chunk)
        md5.update(chunk)
        got += len(chunk)
    if got != size:
        raise InputError(f"{url} sent {got:,} bytes instead of {size:,}: cut off, or another file")
    return md5.hexdigest()


def _chunks(url: str, size: int, timeout: float) -> Iterator[bytes]:
    """Yields what a URL sends, under a progress bar; every fault of the network is an `InputError`."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            if response.headers.get_content_type() == "text/html":
                raise InputError(f"{url} answered with a web page: a proxy or a login stands in between")
            with progress.bar(size, "download", unit="byte") as shown:
                while chunk := response.read(CHUNK):
                    shown.update(len(chunk))
                    yield chunk
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{url} can't be fetched: HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"{url} can't be fetched: {reason or type(error).__name__}") from error
