"""The task 'plan': what a config's run will take, before it is begun: slices, operations, memory, hours."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.data.records import slice_counts
from wsns.data.records.schema import Slices
from wsns.data.records.slice_counts import Counts
from wsns.errors import InputError
from wsns.models import factory, size
from wsns.planning import cost, text, timing
from wsns.run import settings as thresholds
from wsns.runtime import environment, progress
from wsns.runtime import workdir as files
from wsns.tasks.preparation import records_done
from wsns.tasks.train import subject_of
from wsns.tasks.weights import check_width
from wsns.training import dataset
from wsns.training.step_memory import compile_step, step_bytes

GPU_SHARE, CPU_SHARE = 0.75, 0.9
"""Of a memory, what networks can have: what JAX takes of a GPU by default, and what systems leave of the host's."""
SEARCHED = 0.5
"""Of the slices that segmentation sees, those that 1-GAP takes for nodule slices: an assumption."""
SAMPLE = 4
"""Slices whose search is timed."""
SECONDS = 4.0
"""About how long a step may take that is timed."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """How a network's training step fits a device's memory.

    `whole`: bytes with the whole batch at once; `portions`: the fewest that fit, None where none does; `bytes`: with
    those; `room`: the bytes that the step can have.
    """

    whole: int
    portions: int | None
    bytes: int
    room: int


def check(config: ConfigDict) -> None:
    """Refuses what no run and no plan can have; ImageNet's weights need not be there.

    Raises:
        InputError: with the field.
    """
    dataset.check(config)
    thresholds.check(config)
    check_width(config)
    for name in ("rate", "memory"):
        if not 0 <= config.plan[name] < float("inf"):
            raise InputError(f"config.plan.{name}={config.plan[name]}: must be at least 0")
    if not 0 < config.plan.share <= 1:
        raise InputError(f"config.plan.share={config.plan.share}: must lie above 0 and be at most 1")
    if not config.models:
        raise InputError("config.models is empty: name at least one network")
    for name in config.models:
        factory.build(startless(config), name)


def startless(config: ConfigDict) -> ConfigDict:
    """Returns a config whose networks start at random instead of from ImageNet's weights."""
    changed = config.copy_and_resolve_references()
    if changed.model.start.startswith("imagenet"):
        with changed.unlocked():
            changed.model.start, changed.model.weights = "random", ""
    return changed


def plan(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `plan.{txt,json}` and prints the first.

    Raises:
        InputError: if there are no scans, or the archive's folder is not as it must be.
    """
    config = startless(config)
    found, sample = _survey(config, workdir)
    rate = timing.matmul_rate(jnp.dtype(config.model.dtype)) * jax.local_device_count()
    networks = {name: _network(config, name, found, rate) for name in config.models}
    content = {
        "counts": dataclasses.asdict(found),
        "matmul_tflops": rate / 1e12,
        "devices": environment.describe()["devices"],
        "given": config.plan.to_dict(),
        "model": {key: config.model[key] for key in ("size", "width", "dtype")},
        "networks": networks,
        "segmentation": _segmentation(config, found, networks, sample)
        if "gap1" in config.models and found.parts["test"].positive
        else None,
        "assumed": {"searched": SEARCHED, "gpu_share": GPU_SHARE, "cpu_share": CPU_SHARE},
    }
    files.write_json(workdir / "plan.json", content)
    files.write_text(workdir / "plan.txt", text.render(content))
    print(files.read_text(workdir / "plan.txt"), end="")


def _survey(config: ConfigDict, workdir: pathlib.Path) -> tuple[Counts, Callable[[], Slices]]:
    """Counts the run's slices; also returns what brings some with a nodule."""
    built = workdir / "records"
    if records_done(config, workdir):
        facts, parts = (files.read_json(built / f"{name}.json") for name in ("accounting", "split"))
        rows = files.read_rows(built / "scans.csv")
        found = slice_counts.of_records(facts, parts["patients"], rows, config.scans.most)
        return found, functools.partial(_from_records, built)
    # Only here: a machine that has the records may lack what they were made with.
    from wsns.data.records.plan import make_plan, options
    from wsns.tasks.scan_search import choose_scans

    choice = options(config.data)
    made = make_plan(choice, progress.through, workdir / "dicom_index.json.gz", every=True)
    some = "test" in made.parts.values()
    tested = choose_scans(made, config.scans.most, config.data.seed) if some else []
    return slice_counts.of_plan(made, tested), functools.partial(_from_twin, made, choice)


def _from_records(built: pathlib.Path) -> Slices:
    return _some(records.load(built, "test"))


def _from_twin(made: Any, choice: Any) -> Slices:
    """Renders the twin of the smallest scan with enough slices that show a nodule."""
    from wsns.data.records.extract import scan_records
    from wsns.data.synthetic import twin

    enough = min(SAMPLE, max(made.positives.values()))
    scan = min(
        (scan for uid, scan in made.scans.items() if made.positives[uid] >= enough), key=lambda s: len(s.z)
    )
    slices = scan_records(
        scan, twin.render(scan, seed=choice.twin_seed, looks=choice.twin), choice.rules
    ).slices
    return _some(slices)


def _some(slices: Slices) -> Slices:
    """Returns a few slices with an outline, evenly taken."""
    rows = np.flatnonzero(slices.nodules.any(axis=(1, 2)))
    return slices.take(rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE).round().astype(int))])


def _network(config: ConfigDict, name: str, found: Counts, rate: float) -> dict[str, Any]:
    """Returns what one network's training will take."""
    progress.say(f"{factory.TITLES[name]}: memory and speed")
    network = factory.build(config, name)
    settings = config.unet if name == "unet" else config.train
    training, validation = (found.parts[part].slices for part in dataset.PARTS)
    if name == "unet" and config.unet.slices == "nodule":
        training = found.parts["train"].positive
    subject = subject_of(config, name, network, max(-(-training // settings.batch), 1))
    shapes = _example(config, name)
    waiting = dataset.slice_bytes(config, name) * sum(found.parts[part].slices for part in dataset.PARTS)
    compiled = functools.cache(functools.partial(compile_step, subject, shapes))
    whole = name == "unet" and config.unet.loss == "batch"
    choices = [1] if whole else cost.portions(settings.batch, jax.device_count())
    fit = fitted(config, choices, waiting, lambda portions: step_bytes(compiled(settings.batch, portions)))
    forward = size.flops(network.module, config.model.size)
    flops = cost.epoch_flops(forward, training, validation)
    batch = _timed_batch(settings.batch, forward, rate, fit.portions or settings.batch)
    speed = timing.speed(subject, compiled(batch, 1), shapes, batch)
    seconds = settings.epochs * (training * speed.train + validation * speed.forward)
    given = config.plan.rate * 1e12 * config.plan.share
    return {
        "parameters": size.parameters(network.module, config.model.size),
        "forward_flops": forward,
        "training_flops": cost.TRAINING * forward,
        "epoch_flops": flops,
        "training_slices": training,
        "validation_slices": validation,
        "epochs": settings.epochs,
        "batch": settings.batch,
        "memory": dataclasses.asdict(fit),
        "speed": speed._asdict(),
        "share": cost.TRAINING * forward / speed.train / rate,
        "hours": seconds / 3600,
        "hours_given": settings.epochs * flops / given / 3600 if given else None,
    }


def _example(config: ConfigDict, name: str) -> dict[str, jax.ShapeDtypeStruct]:
    crop = (config.data.crop, config.data.crop)
    seen = (3, *crop) if config.model.channels == "neighbours" else crop
    if name == "unet":
        return {"hu": jax.ShapeDtypeStruct(seen, jnp.int16), "nodules": jax.ShapeDtypeStruct(crop, jnp.uint8)}
    return {"hu": jax.ShapeDtypeStruct(seen, jnp.int16), "label": jax.ShapeDtypeStruct((), jnp.int32)}


def fitted(config: ConfigDict, choices: list[int], waiting: int, took: Callable[[int], int]) -> Fit:
    """Finds the fewest portions in which a batch fits the memory.

    Args:
        config: of the run.
        choices: numbers of portions to choose from, ascending; a loss over the whole batch allows 1 alone.
        waiting: bytes of all slices that the network learns from, which may lie in the same memory.
        took: bytes of a step on a device, in so many portions.
    """
    limit, own = memory_limit(config.plan.memory)
    place = config.fit.input
    if place == "auto":
        place = "device" if own and waiting <= dataset.SHARE * limit else "host"
    room = limit - (waiting if place == "device" or (place == "host" and not own) else 0)
    portions = cost.fewest(lambda number: took(number) <= room, choices)
    return Fit(took(1), portions, took(portions or choices[-1]), room)


def memory_limit(given: float) -> tuple[int, bool]:
    """Returns the bytes that training can have, and whether they are a device's own, apart from the host's.

    Args:
        given: GiB of another machine's device; 0 for this one's.
    """
    if given:
        return int(GPU_SHARE * given * 2**30), True
    if limit := (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0):
        return limit, True
    return int(CPU_SHARE * dataset.memory()), False


def _timed_batch(batch: int, forward: int, rate: float, portions: int) -> int:
    """Returns how many slices to time a step of: a whole portion, or as many as take some seconds."""
    devices = jax.device_count()
    at_once = -(-batch // (devices * portions))
    some = int(SECONDS * rate / devices / (2 * cost.TRAINING * forward))
    return devices * max(1, min(at_once, some))


def _segmentation(
    config: ConfigDict, found: Counts, networks: dict[str, Any], sample: Callable[[], Slices]
) -> dict[str, Any]:
    """Returns what the test split's segmentation and the search of whole scans will take."""
    progress.say("segmentation: the search of a slice")
    weak = [name for name in config.models if name != "unet"]
    untrained = {
        name: (network, network.first_params(config.seed, config.model.size))
        for name in weak
        for network in [factory.build(config, name)]
    }
    search = timing.search(config, untrained, sample())
    tested, whole = found.parts["test"].slices, found.whole_slices
    passes = {name: tested + (whole if name in weak else 0) for name in config.models}
    searched = SEARCHED * (tested + whole)
    seconds = sum(number * networks[name]["speed"]["forward"] for name, number in passes.items())
    given, gap1 = config.plan.rate * 1e12 * config.plan.share, networks["gap1"]
    # Screening is passes of parts of the 1-GAP network: it is as much faster elsewhere as whole passes are.
    faster = given * gap1["speed"]["forward"] / gap1["forward_flops"]
    operations = sum(number * networks[name]["forward_flops"] for name, number in passes.items())
    return {
        "test_slices": tested,
        "whole_slices": whole,
        "seconds_per_search": search._asdict(),
        "hours": (seconds + searched * sum(search)) / 3600,
        "hours_given": (operations / given + searched * (search.propose + search.screen / faster)) / 3600
        if given
        else None,
    }
