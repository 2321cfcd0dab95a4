"""One look for every progress bar: what is done, how fast, how long it will still take."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tqdm import tqdm

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
"""Wraps things to go through, and says what is done with them."""

FORMAT = (
    "{desc:<22}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {rate_fmt}{postfix}"
)


def bar(total: int, description: str, *, initial: int = 0, unit: str = "slice", hidden: bool = False) -> tqdm:
    """Returns a progress bar on standard error; in a log file it writes a line every ten seconds.

    Bytes (`unit='byte'`) are shown as kB and MB.
    """
    in_bytes = unit == "byte"
    plural = f" {unit}es" if unit.endswith("ch") else f" {unit}s"
    return tqdm(
        total=total,
        desc=description,
        initial=initial,
        unit="B" if in_bytes else plural,
        unit_scale=in_bytes,
        mininterval=0.2 if sys.stderr.isatty() else 10,
        dynamic_ncols=True,
        bar_format=FORMAT,
        disable=hidden,
    )


def accept_any_text() -> None:
    """Has a terminal or file that isn't UTF-8 show a question mark for what it can't show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def through(items: Iterable[Any], what: str) -> Iterable[Any]:
    """Shows a bar while items are gone through, and takes it away at the end."""
    return tqdm(items, desc=what, leave=False, mininterval=0.5)


def say(text: str) -> None:
    """Writes a line on standard error, above the bars."""
    tqdm.write(text, file=sys.stderr)
