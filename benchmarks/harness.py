"""What all benchmarks share: flags, clock, the machine in words, the last line of JSON."""

import argparse
import contextlib
import importlib.metadata
import json
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wsns.errors import InputError
from wsns.runtime.processes import cores


def parser(text: str | None, quick: str) -> argparse.ArgumentParser:
    """Returns a parser with the flags of all benchmarks.

    Args:
        text: of the benchmark, its docstring.
        quick: what --quick does.
    """
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--json", action="store_true", help="end with a line of JSON")
    return made


def finish(flags: argparse.Namespace, run: Callable[[], Any], show: Callable[[Any], None]) -> None:
    """Measures, prints a table and, on request, a line of JSON; bad input is one line."""
    try:
        result = run()
    except InputError as error:
        sys.exit(f"error: {error}")
    show(result)
    if flags.json:
        print(json.dumps(result))


def machine(*packages: str) -> dict[str, Any]:
    """Returns the `device` in words and the `versions` of packages, as a result holds them."""
    device = f"{platform.machine()}, {cores()} cores"
    if "jax" in packages:
        import jax  # only here: not every benchmark needs it

        device = f"{jax.devices()[0].device_kind}, {device}"
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"device": device, "versions": {"python": platform.python_version()} | versions}


@contextlib.contextmanager
def clock(spent: MutableMapping[str, float], name: str) -> Iterator[None]:
    """Adds the seconds that a `with` block takes to those of a name."""
    began = time.perf_counter()
    yield
    spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
