"""Work that a thread or a process does while another waits for it."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar

from wsns.runtime.processes import cores

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    function: Callable[[Item], Made], items: Iterable[Item], count: int = 1, *, pool: Executor | None = None
) -> Iterator[Made]:
    """Maps a function over items in the background, in order, `count` items before they are asked for.

    Args:
        function: what to do.
        items: with each.
        count: how many before they are asked for.
        pool: does it; by default one thread.
    """
    with contextlib.nullcontext(pool) if pool else ThreadPoolExecutor(1) as worker:
        waiting: collections.deque[Any] = collections.deque()
        for item in items:
            waiting.append(worker.submit(function, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def threads() -> Iterator[Callable[..., Iterator[Any]]]:
    """Gives a `map` that uses all cores, as far as Python lets it."""
    with ThreadPoolExecutor(cores()) as pool:
        yield pool.map
