"""Progress bars: what a terminal and a log file get to see, and what counts as speed."""

import io
import re
import sys

import pytest

from wsns.runtime import progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def _run(bar, clock, steps):
    for seconds in steps:
        clock[0] += seconds
        bar.update(10)
    bar.close()


def test_a_log_file_gets_whole_lines_and_nothing_is_drawn_over(monkeypatch, clock):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    _run(progress.bar(40, "train"), clock, [4, 4, 4, 4])
    assert "\r" not in log.getvalue()
    lines = log.getvalue().splitlines()
    assert [re.search(r"(\d+)/40", line)[1] for line in lines] == ["0", "30", "40"]
    assert all(line.startswith("train") for line in lines)


def test_a_log_file_is_spared_bars_that_vanish_unless_they_take_long(monkeypatch, clock):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    _run(progress.bar(20, "brief", leave=False), clock, [1, 1])
    assert log.getvalue() == ""
    _run(progress.bar(40, "long", leave=False), clock, [8, 8, 8, 8])
    assert "20/40" in log.getvalue()


def test_a_terminal_draws_over_one_line(monkeypatch, clock):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    _run(progress.bar(20, "train"), clock, [1, 1])
    assert terminal.getvalue().count("\n") == 1
    assert "20/20" in terminal.getvalue().split("\r")[-1]


@pytest.mark.parametrize(("compiles", "rate"), [(True, 10.0), (False, 30 / 102)])
def test_the_time_of_a_compilation_is_not_counted(compiles, rate, monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", _Terminal())
    bar = progress.bar(40, "train", compiles=compiles)
    for seconds in (100, 1, 1):
        clock[0] += seconds
        bar.update(10)
    found = bar.format_dict
    assert (found["n"] - found["initial"]) / found["elapsed"] == pytest.approx(rate)
    assert found["n"] == 30
    bar.close()


def test_a_compilation_is_said_until_it_has_ended(monkeypatch, clock):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = progress.bar(40, "train", compiles=True)
    assert "compiling" in terminal.getvalue()
    clock[0] += 5
    bar.update(10)
    assert "compiling" not in terminal.getvalue().split("\r")[-1]
    bar.close()


def test_what_is_gone_through_comes_whole_and_in_order(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress.through(iter("abc"), "letters")) == ["a", "b", "c"]
    assert list(progress.through([], "nothing")) == []
