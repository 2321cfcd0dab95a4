"""What each network of a run learned from, by what its training left."""

import pathlib

from ml_collections import ConfigDict

from wsns.models import factory
from wsns.report.table1 import Learned
from wsns.training.log import read_metrics
from wsns.training.monitor import TIE


def learned(config: ConfigDict, workdir: pathlib.Path) -> list[Learned]:
    """Returns it for every network of a run, from its `metrics.jsonl` and its config."""
    return [_learned(config, name, workdir / name) for name in config.models]


def _learned(config: ConfigDict, name: str, directory: pathlib.Path) -> Learned:
    rows = read_metrics(directory)
    # Runs before the choice by quality have 'dice'.
    unet = "quality" if "quality" in rows[-1] else "dice"
    score, chosen = (unet, unet) if name == "unet" else ("accuracy", config.train.choose)
    # As the checkpoints: of equal epochs the newest.
    best = max(
        (row for row in rows if row["split"] == "validation"),
        key=lambda row: (row[chosen] + TIE * row[score] * (chosen != score), row["epoch"]),
    )
    start = factory.build(config, name).start
    return Learned(
        factory.TITLES[name],
        # A run of an earlier version doesn't say.
        rows[-1].get("slices"),
        rows[-1]["epoch"],
        best["epoch"],
        start.name if start else "random start",
    )
