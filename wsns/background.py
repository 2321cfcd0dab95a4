"""Work that a thread does while another waits for it."""

import collections
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(function: Callable[[Item], Made], items: Iterable[Item], count: int = 1) -> Iterator[Made]:
    """Maps a function over items in one background thread, in order, `count` items before they are asked for."""
    with ThreadPoolExecutor(1) as pool:
        waiting: collections.deque[Any] = collections.deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def threads() -> Iterator[Callable[..., Iterator[Any]]]:
    """Gives a `map` that uses all cores, as far as Python lets it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool.map
