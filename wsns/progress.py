"""One look for every progress bar: what is done, how fast, how long it will still take."""

import sys

from tqdm import tqdm

FORMAT = (
    "{desc:<22}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {rate_fmt}{postfix}"
)


def bar(total: int, description: str, *, initial: int = 0, unit: str = "slice") -> tqdm:
    """Returns a progress bar on standard error; in a log file it writes a line every ten seconds."""
    return tqdm(
        total=total,
        desc=description,
        initial=initial,
        unit=f" {unit}es" if unit.endswith("ch") else f" {unit}s",
        mininterval=0.2 if sys.stderr.isatty() else 10,
        dynamic_ncols=True,
        bar_format=FORMAT,
    )
