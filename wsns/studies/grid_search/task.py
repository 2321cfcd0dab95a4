"""The task 'grid': rate, decay and batch size by validation accuracy (section 3.2), in one table."""

import functools
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict
from scipy import stats

from wsns.errors import Diverged
from wsns.evaluation.tables import Cell, Table, text
from wsns.models.factory import TITLES
from wsns.runtime import multihost, progress
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps, Step
from wsns.tasks import train
from wsns.training.dataset import open_examples
from wsns.training.log import read_metrics

DIVERGED = "diverged.json"


def grid(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Trains each network of `config.models` with every combination and writes `grid.csv` and `grid.txt`.

    A finished combination keeps its metrics and no checkpoint. One that diverges keeps the step in which it did, in
    `diverged.json`, and the search goes on. The table is written anew after each.

    Raises:
        InputError: for impossible settings, or if a training can't go on.
    """
    stamps.tell("grid", "grid search")
    config = config.copy_and_resolve_references()
    # The grid goes by accuracy, as the paper's did, whatever a run chooses its epoch by.
    config.train.choose = "accuracy"
    splits, resident = open_examples(config, workdir / "records", "weak")
    rows: list[dict[str, Any]] = []
    for name in config.models:
        for own in combinations(config, name):
            where = f"grid/{name}/{_words(own, name)}"
            directory = workdir / where
            stamps.do(
                Step(
                    where,
                    f"{TITLES[name]}: {_words(own, name)}",
                    train.inputs(own, workdir, name),
                    (directory,),
                    functools.partial(_fit, own, name, splits, directory, resident=resident),
                )
            )
            if multihost.is_first():
                rows.append(_row(own, name, directory, len(splits[1])))
                _write(workdir, rows)
    if multihost.is_first():
        print(files.read_text(workdir / "grid.txt"))


def _fit(config: ConfigDict, name: str, splits: Any, directory: pathlib.Path, *, resident: bool) -> None:
    """Trains one combination; of one that diverges the step is written down."""
    if multihost.is_first():
        print(f"{TITLES[name]}: {_words(config, name)}")
    diverged = None
    try:
        train.fit(config, name, splits, directory, resident=resident)
    except Diverged as error:
        diverged = error
    if not multihost.is_first():
        return
    if diverged:
        progress.say(f"{diverged}: the search goes on")
        files.write_json(directory / DIVERGED, {"step": diverged.step})
    files.remove(directory / "checkpoints")


def combinations(config: ConfigDict, name: str) -> Iterator[ConfigDict]:
    """Yields the config of each combination of `config.grid` for a network."""
    tried = config.grid
    for rate, decay, batch in itertools.product(tried.rates, tried.decays, tried.batches):
        own = config.copy_and_resolve_references()
        rates = list(own.train.rates)
        rates[int(name[-1]) - 1] = rate
        own.train.rates, own.train.decay, own.train.batch = tuple(rates), decay, batch
        yield own


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns rows of `grid.csv` as text."""
    found = [
        (row["method"], f"{row['rate']:g}", f"{row['decay']:g}", str(row["batch"]), *_result(row))
        for row in rows
    ]
    remark = (
        f"Accuracy of the best epoch on the {rows[0]['slices']} validation slices; intervals by Wilson, as if slices "
        "were independent: those of one patient are not, so the true ones are wider."
    )
    return text([Table(("method", "rate", "decay", "batch", "accuracy", "epoch", "loss"), found), remark])


def _result(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    if row["diverged"]:
        return (f"diverged at step {row['diverged']}",)
    span = f"{row['accuracy_low']:.3f}–{row['accuracy_high']:.3f}"
    return (f"{row['accuracy']:.3f}", span), str(row["epoch"]), f"{row['loss']:.3f}"


def _words(config: ConfigDict, name: str) -> str:
    settings = config.train
    return f"rate {settings.rates[int(name[-1]) - 1]:g} decay {settings.decay:g} batch {settings.batch}"


def _row(config: ConfigDict, name: str, directory: pathlib.Path, slices: int) -> dict[str, Any]:
    epochs = read_metrics(directory)
    diverged = directory / DIVERGED
    if diverged.exists():
        reached: dict[str, Any] = dict.fromkeys(
            ("accuracy", "accuracy_low", "accuracy_high", "epoch", "loss"), ""
        )
    else:
        reached = _best(epochs, slices)
    return {
        "method": TITLES[name],
        "rate": config.train.rates[int(name[-1]) - 1],
        "decay": config.train.decay,
        "batch": config.train.batch,
        **reached,
        "seconds": round(sum(row["seconds"] for row in epochs if row["split"] == "train"), 1),
        "slices": slices,
        "diverged": files.read_json(diverged)["step"] if diverged.exists() else "",
    }


def _best(epochs: Sequence[Mapping[str, Any]], slices: int) -> dict[str, Any]:
    best = max((row for row in epochs if row["split"] == "validation"), key=lambda row: row["accuracy"])
    right = round(best["accuracy"] * slices)
    interval = stats.binomtest(right, slices).proportion_ci(method="wilson")
    return {
        "accuracy": best["accuracy"],
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "epoch": best["epoch"],
        "loss": best["loss"],
    }


def _write(workdir: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    ranked = sorted(rows, key=_rank)
    files.write_rows(workdir / "grid.csv", list(ranked[0]), ranked)
    files.write_text(workdir / "grid.txt", table(ranked))


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts by method, then by accuracy, then by loss; what diverged comes last."""
    return (row["method"], True) if row["diverged"] else (row["method"], False, -row["accuracy"], row["loss"])
