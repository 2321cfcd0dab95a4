import threading
import time

import numpy as np
import pytest

from wsns.training import batching


class Counting(batching.InMemory):
    """Remembers which rows were taken, and in which thread."""

    def __init__(self, arrays):
        super().__init__(arrays)
        self.taken = []

    def take(self, rows):
        self.taken.append((rows.tolist(), threading.get_ident()))
        return super().take(rows)


def data(n):
    return {"hu": np.arange(4.0 * n).reshape(n, 2, 2), "label": np.arange(n)}


def test_order_depends_on_seed_and_epoch_alone():
    a, b, c, d = (
        batching.order(3, 1, 50),
        batching.order(3, 1, 50),
        batching.order(3, 2, 50),
        batching.order(4, 1, 50),
    )
    np.testing.assert_array_equal(a, b)
    assert sorted(a) == list(range(50))
    assert len({tuple(a), tuple(c), tuple(d), tuple(range(50))}) == 4


def test_plan_by_hand():
    one, two = batching.plan(np.array([4, 2, 0, 1, 3]), batch=3, granularity=2)
    np.testing.assert_array_equal(one["row"], [4, 2, 0, 0])
    np.testing.assert_array_equal(one["weight"], [1, 1, 1, 0])
    np.testing.assert_array_equal(two["row"], [1, 3, 3, 3])
    np.testing.assert_array_equal(two["weight"], [1, 1, 0, 0])
    np.testing.assert_array_equal(two["position"], [0, 1, 2, 3])


@pytest.mark.parametrize(("n", "batch", "granularity"), [(7, 3, 1), (7, 3, 8), (1, 30, 4), (60, 30, 8)])
def test_every_example_stands_once_per_epoch_whatever_the_batch(n, batch, granularity):
    parts = list(batching.plan(batching.order(0, 1, n), batch, granularity))
    seen = np.concatenate([part["row"][part["weight"] > 0] for part in parts])
    assert sorted(seen) == list(range(n))
    assert all(len(part["row"]) % granularity == 0 for part in parts)
    assert [int(part["weight"].sum()) for part in parts] == [min(batch, n - s) for s in range(0, n, batch)]


@pytest.mark.parametrize("first", [0, 2])
def test_resident_and_taken_batches_are_the_same(first):
    arrays, order = data(10), batching.order(1, 1, 10)
    taken = batching.Feed(batching.InMemory(arrays), 4)
    resident = batching.Feed(batching.InMemory(arrays), 4, resident=True)
    assert not taken.data
    assert len(taken) == len(resident) == 3
    assert [taken.size(n) for n in range(3)] == [4, 4, 2]
    pairs = list(zip(taken.batches(order, first), resident.batches(order, first), strict=True))
    assert len(pairs) == 3 - first
    for with_arrays, with_rows in pairs:
        for name in arrays:
            np.testing.assert_array_equal(
                with_arrays[name], np.asarray(resident.data[name][0])[with_rows["row"]]
            )
            assert name not in with_rows


def test_batches_are_taken_ahead_in_another_thread_but_not_all_at_once():
    examples = Counting(data(40))
    batches = batching.Feed(examples, 2).batches(np.arange(40))
    next(batches)
    deadline = time.monotonic() + 10
    while len(examples.taken) < batching.AHEAD + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [rows for rows, _ in examples.taken] == [[2 * n, 2 * n + 1] for n in range(batching.AHEAD + 1)]
    assert all(thread != threading.get_ident() for _, thread in examples.taken)
    batches.close()
