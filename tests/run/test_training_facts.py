import json

import pytest

from configs import testing
from wsns.report.table1 import Learned
from wsns.run.training_facts import learned


def write(folder, score, values, **more):
    folder.mkdir(parents=True)
    rows = [
        {"epoch": epoch, "split": split, score: value, **more}
        for epoch, value in enumerate(values, start=1)
        for split in ("train", "validation")
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def config():
    config = testing.get_config()
    config.models = ("gap1", "unet")
    return config


def test_slices_epochs_and_start_are_the_run_s_own(config, tmp_path):
    write(tmp_path / "gap1", "accuracy", [0.5, 0.7, 0.7, 0.6], slices=684)
    write(tmp_path / "unet", "quality", [0.1, 0.3, 0.2], slices=342)
    assert learned(config, tmp_path) == [
        Learned("1-GAP", 684, 4, 3, "random start"),
        Learned("U-Net", 342, 3, 2, "random start"),
    ]


def test_the_epoch_of_most_hits_is_named_where_it_was_kept(config, tmp_path):
    config.models, config.train.choose = ("gap1",), "hit"
    write(tmp_path / "gap1", "accuracy", [0.9, 0.5], hit=0.5)
    assert learned(config, tmp_path)[0].kept == 1


def test_an_older_run_does_not_say_how_many_slices(config, tmp_path):
    config.models = ("unet",)
    write(tmp_path / "unet", "dice", [0.1])
    assert learned(config, tmp_path) == [Learned("U-Net", None, 1, 1, "random start")]
