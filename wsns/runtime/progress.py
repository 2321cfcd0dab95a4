"""One look for every progress bar: what is done, how fast, how long it will still take."""

import io
import sys
from collections.abc import Callable, Iterable, Sized
from typing import Any, TextIO

from tqdm import tqdm

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
"""Wraps things to go through, and says what is done with them."""

FORMAT = (
    "{desc:<22}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {rate_fmt}{postfix}"
)
IN_A_LOG = 10.0
"""Seconds between the lines that a bar writes into a log file."""


class Bar(tqdm):
    """A bar that counts its time from the end of what has to be compiled first, if anything."""

    def __init__(self, *given: Any, compiles: bool, **named: Any):
        """Takes what tqdm does; with `compiles` the first update ends the compilation."""
        self._compiling = compiles
        super().__init__(*given, **named)
        if compiles:
            self.set_postfix_str("compiling")

    def update(self, n: float | None = 1) -> bool | None:
        """Adds so many; the first ones came with the compilation and say nothing of the speed."""
        if not self._compiling or self.disable:
            return super().update(n)
        self._compiling = False
        if self.postfix == "compiling":
            self.set_postfix_str("", refresh=False)
        self.n += n or 0
        self.initial = self.last_print_n = self.n
        self.start_t = self.last_print_t = self._time()
        return self.refresh()


class _Lines:
    """A log file: what a bar would draw over itself becomes a line each."""

    def __init__(self, stream: TextIO):
        self._stream, self._last = stream, ""

    def write(self, text: str) -> None:
        for line in (part.rstrip() for part in text.split("\r")):
            if line and line != self._last:
                self._stream.write(f"{line}\n")
                self._last = line

    def flush(self) -> None:
        self._stream.flush()


def bar(
    total: int,
    description: str,
    *,
    initial: int = 0,
    unit: str = "slice",
    hidden: bool = False,
    compiles: bool = False,
    leave: bool = True,
) -> Bar:
    """Returns a progress bar on standard error; in a log file it writes a line every ten seconds.

    Args:
        total: how many there are.
        description: what is done with them.
        initial: how many were done before.
        unit: what they are; bytes ('byte') are shown as kB and MB.
        hidden: nothing is shown.
        compiles: the time until the first ones are done goes into compilation, and is not counted.
        leave: the bar stays when it has ended; one that doesn't shows up in a log only if it takes long.
    """
    in_bytes = unit == "byte"
    plural = f" {unit}es" if unit.endswith("ch") else f" {unit}s" if unit else ""
    terminal = sys.stderr.isatty()
    return Bar(
        total=total,
        desc=description,
        initial=initial,
        unit="B" if in_bytes else plural,
        unit_scale=in_bytes,
        mininterval=0.2 if terminal else IN_A_LOG,
        maxinterval=10 if terminal else IN_A_LOG,
        delay=0 if leave or terminal else IN_A_LOG,
        leave=leave,
        dynamic_ncols=True,
        bar_format=FORMAT,
        file=sys.stderr if terminal else _Lines(sys.stderr),
        disable=hidden,
        compiles=compiles,
    )


def accept_any_text() -> None:
    """Has a terminal or file that isn't UTF-8 show a question mark for what it can't show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def through(items: Iterable[Any], what: str) -> Iterable[Any]:
    """Shows a bar while items are gone through, and takes it away at the end."""
    known = items if isinstance(items, Sized) else list(items)
    with bar(len(known), what, unit="", leave=False) as shown:
        for item in known:
            yield item
            shown.update()


def say(text: str) -> None:
    """Writes a line on standard error, above the bars."""
    tqdm.write(text, file=sys.stderr)
