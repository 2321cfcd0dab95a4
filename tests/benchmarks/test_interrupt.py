"""What benchmarks/interrupt.py calls equal: a file that differs, or that one run lacks, must not escape it."""

import sys

import conftest
import pytest

sys.path.insert(0, str(conftest.ROOT / "benchmarks"))
import interrupt


@pytest.fixture
def runs(tmp_path):
    for name in ("whole", "killed"):
        for file in ("table1.csv", "cases.csv", "masks/P_1/0001.npz", "records/accounting.json", "log.txt"):
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(file)
    return tmp_path / "whole", tmp_path / "killed"


def test_equal_runs_differ_in_nothing_and_clocks_and_logs_are_left_out(runs):
    whole, killed = runs
    (killed / "records" / "accounting.json").write_text("seconds: 5")
    (killed / "log.txt").write_text("other")
    assert interrupt.differences(whole, killed) == []
    assert interrupt.files(whole) == ["cases.csv", "masks/P_1/0001.npz", "table1.csv"]


def test_a_byte_and_a_file_too_many_or_too_few_are_named(runs):
    whole, killed = runs
    (killed / "cases.csv").write_text("cases.csw")
    (killed / "masks" / "P_1" / "0001.npz").unlink()
    (killed / "measures.csv").touch()
    assert interrupt.differences(whole, killed) == ["cases.csv", "masks/P_1/0001.npz", "measures.csv"]


def test_a_run_that_leaves_nothing_to_compare_proves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(interrupt, "_run", lambda command: None)
    monkeypatch.setattr(interrupt, "_kill", lambda command, after: False)
    with pytest.raises(SystemExit, match="no file that could be compared"):
        interrupt.main([f"--workdir={tmp_path}"])


def test_a_run_that_differs_is_a_failure(monkeypatch, runs, capsys):
    whole, killed = runs

    def run(command):
        killed.mkdir(exist_ok=True)
        (killed / "cases.csv").write_text("other")

    monkeypatch.setattr(interrupt, "_run", run)
    monkeypatch.setattr(interrupt, "_kill", lambda command, after: True)
    assert interrupt.main([f"--workdir={whole.parent}", "--kills=3"]) == 1
    said = capsys.readouterr().out
    assert "3 kills; 3 files compared; different: cases.csv, masks/P_1/0001.npz, table1.csv" in said
