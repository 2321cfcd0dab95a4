import threading

import pytest

from wsns.runtime.background import ahead


def test_items_come_in_order_from_another_thread():
    threads = set()

    def square(n):
        threads.add(threading.get_ident())
        return n * n

    assert list(ahead(square, range(5))) == [0, 1, 4, 9, 16]
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert list(ahead(square, [])) == []


def test_so_many_items_are_made_before_they_are_asked_for_and_no_more():
    taken = []
    made = ahead(lambda n: n, iter(lambda: taken.append(1) or len(taken), 9), 2)
    assert next(made) == 1
    assert len(taken) == 3
    assert next(made) == 2
    assert len(taken) == 4
    made.close()


def test_error_of_the_background_comes_out_at_its_place():
    def read(n):
        if n == 3:
            raise OSError("record 3 is damaged")
        return n

    got = ahead(read, range(9))
    assert [next(got) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="record 3"):
        next(got)
