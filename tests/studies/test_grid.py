"""The grid search where a rate diverges: small networks on slices that are bright or dark."""

import json

import numpy as np
import pytest

from configs import testing
from wsns.errors import Diverged
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps
from wsns.studies.grid_search import task
from wsns.tasks import train
from wsns.training.batching import InMemory
from wsns.training.log import read_metrics

HUGE = 1e30


def examples(count=8):
    rng = np.random.default_rng(0)
    label = (np.arange(count) % 2).astype(np.int32)
    hu = rng.normal(-600, 100, (count, 32, 32)) + 300 * label[:, None, None]
    return InMemory({"hu": hu.astype(np.float32), "label": label})


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "open_examples", lambda *_: ((examples(), examples(6)), True))
    monkeypatch.setattr(train, "open_examples", lambda *_: ((examples(), examples(6)), True))
    files.write_json(tmp_path / "records" / "accounting.json", {"data_fingerprint": "0"})
    config = testing.get_config()
    config.models = ("gap1",)
    config.data.crop = config.model.size = 32
    config.model.start, config.model.channels, config.model.width = "random", "same", 1 / 32
    config.train.epochs, config.train.batch, config.train.choose = 2, 4, "accuracy"
    with config.unlocked():
        config.grid = {"rates": (HUGE, 1e-3), "decays": (0.99,), "batches": (4,)}
    return config


def written(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_rate_that_diverges_is_last_in_the_table_and_the_search_goes_on(config, tmp_path, capsys):
    task.grid(config, tmp_path, Stamps(tmp_path))
    said = capsys.readouterr()
    assert "step 2" in next(line for line in said.err.splitlines() if "the search goes on" in line)
    table = files.read_rows(tmp_path / "grid.csv")
    assert [float(row["rate"]) for row in table] == [1e-3, HUGE]
    assert [row["diverged"] for row in table] == ["", "2"]
    assert [bool(row["accuracy"]) for row in table] == [True, False]
    assert "diverged at step 2" in (tmp_path / "grid.txt").read_text().splitlines()[4]
    assert not list((tmp_path / "grid").rglob("checkpoints"))

    before = written(tmp_path / "grid")
    (tmp_path / "grid.csv").unlink()
    task.grid(config, tmp_path, Stamps(tmp_path))
    assert written(tmp_path / "grid") == before
    assert files.read_rows(tmp_path / "grid.csv") == table
    assert "train 1-GAP" not in capsys.readouterr().err


def test_a_table_of_nothing_but_diverged_rates(config, tmp_path, capsys):
    """The only step is the last one: the loss before it is finite, the validation's isn't. Nothing is kept of it."""
    config.train.epochs, config.grid.rates, config.grid.batches = 1, (HUGE,), (8,)
    task.grid(config, tmp_path, Stamps(tmp_path))
    (row,) = files.read_rows(tmp_path / "grid.csv")
    assert (row["diverged"], row["loss"]) == ("1", "")
    assert "diverged at step 1" in capsys.readouterr().out


def test_other_bad_input_ends_the_search(config, tmp_path):
    config.model.size = 40
    with pytest.raises(Exception, match="multiple of 16"):
        task.grid(config, tmp_path, Stamps(tmp_path))


def test_a_run_that_diverges_stops_and_the_same_command_at_a_lower_rate_starts_anew(config, tmp_path):
    config.train.rates = (HUGE,) * 3
    stamps = Stamps(tmp_path)
    with pytest.raises(
        Diverged, match=r"^1-GAP: .* step 2; .*--config\.train\.rates=.*starts anew$"
    ) as stopped:
        train.train(config, tmp_path, stamps)
    assert stopped.value.step == 2
    left = tmp_path / "gap1" / "of the first rate"
    left.touch()
    config.train.rates = (1e-3,) * 3
    train.train(config, tmp_path, stamps)
    assert not left.exists()
    rows = read_metrics(tmp_path / "gap1")
    assert [row["epoch"] for row in rows] == [1, 1, 2, 2]
    assert all(np.isfinite(row["loss"]) for row in rows)
    assert "diverged" not in json.dumps(rows)
