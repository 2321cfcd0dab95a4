"""From `config.task` to what does it: the one place that knows all tasks, those of the method and the studies."""

import contextlib
import pathlib
from collections.abc import Callable, Sequence

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.models.factory import MODELS, build
from wsns.run import settings
from wsns.runtime import lock, multihost
from wsns.runtime.steps import Stamps
from wsns.studies.comparison import ablations
from wsns.studies.comparison import task as comparison
from wsns.studies.grid_search.task import grid
from wsns.studies.threshold_search.task import tune
from wsns.tasks import plan, preparation, pretrain, release, train, weights
from wsns.tasks.evaluate import evaluate
from wsns.tasks.scans import scans
from wsns.tasks.segment import segment
from wsns.training import dataset

StepFunction = Callable[[ConfigDict, pathlib.Path, Stamps], None]
TaskFunction = Callable[[ConfigDict, pathlib.Path], None]


# What only the data stage's libraries can do is imported where it is done: a machine that trains may lack them.


def _bound(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    from wsns.studies.candidate_bound.task import bound

    bound(config, workdir, stamps)


def _real(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    from wsns.studies.synthetic_to_real.real_step import real

    real(config, workdir, stamps)


def _accounting(config: ConfigDict, workdir: pathlib.Path) -> None:
    from wsns.studies.label_counts.task import account

    account(config, workdir)


def _predict(config: ConfigDict, workdir: pathlib.Path) -> None:
    from wsns.tasks.predict import predict

    predict(config, workdir)


def _transfer(config: ConfigDict, workdir: pathlib.Path) -> None:
    from wsns.studies.synthetic_to_real.task import transfer

    transfer(config, workdir)


def _twin_check(config: ConfigDict, workdir: pathlib.Path) -> None:
    from wsns.studies.twin_realism.task import twin_check

    twin_check(config, workdir)


STEPS: dict[str, dict[str, StepFunction]] = {
    "records": {},
    "train": {"train": train.train},
    "grid": {"grid": grid},
    "bound": {"bound": _bound},
    "segment": {"train": train.train, "segment": segment},
    "tune": {"train": train.train, "tune": tune},
    "table1": {"train": train.train, "segment": segment, "scans": scans, "evaluate": evaluate},
    "ablations": {"train": train.train, "segment": segment, "ablations": ablations.ablations},
    "evaluate": {"evaluate": evaluate},
}
"""Tasks that begin with the records, and the steps that follow."""
ALONE: dict[str, TaskFunction] = {
    "accounting": _accounting,
    "weights": weights.weights,
    "pretrain": pretrain.pretrain,
    "compare": comparison.compare,
    "predict": _predict,
    "release": release.release,
    "transfer": _transfer,
    "twin_check": _twin_check,
    "plan": plan.plan,
}
"""Tasks that stand on no other step."""
TASKS = (*STEPS, *ALONE)
NO_NETWORK = ("records", "accounting", "weights", "bound", "compare", "release", "twin_check")
"""Tasks that need no device."""
OWN_FIELDS = ("compare", "predict", "release", "twin_check")
"""Tasks whose configs have sections of their own in place of a run's."""
TOGETHER = ("train", "grid")
"""Steps that several processes do as one."""
UNDESCRIBED = ("compare", "plan", "predict", "release")
"""Tasks that may write into another run's folder, whose own `config.json` stays."""


def run(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Does the task of a config: what is missing of it, and nothing that is done.

    Raises:
        InputError: for a bad config, or bad input to one of the steps; what was done before stays.
    """
    workdir = workdir.absolute()
    config = preparation.with_source(config, workdir, builds=config.task in STEPS)
    _check(config)
    if config.task not in NO_NETWORK:
        multihost.check_devices()
    with lock.held(workdir) if multihost.is_first() else contextlib.nullcontext():
        _run(config, workdir)


def steps_of(config: ConfigDict) -> dict[str, StepFunction]:
    """Returns the steps of a config's task after its records, by name."""
    return STEPS[config.task] | ({"real": _real} if config.task == "table1" and config.real else {})


def agenda(config: ConfigDict) -> list[str]:
    """Returns the names of all steps of a config's task that are told on the terminal, in order."""
    names = ["records"]
    if "real" in steps_of(config):
        names.append("real records")
    for step in steps_of(config):
        if step == "train":
            names += train.in_order(config.models)
        elif step != "scans" or config.scans.most:
            names.append(step)
    return names


def _run(config: ConfigDict, workdir: pathlib.Path) -> None:
    devices = config.task not in NO_NETWORK
    if config.task in ALONE:
        if config.task not in UNDESCRIBED:
            preparation.describe(config, workdir, {}, devices=devices)
        ALONE[config.task](config, workdir)
        return
    first = multihost.is_first()
    stamps = Stamps(workdir, agenda(config) if first else (), writes=first)
    accounting = preparation.ensure_records(config, workdir, stamps)
    if first:
        data = {key: accounting[key] for key in preparation.FINGERPRINTS}
        preparation.describe(config, workdir, data, devices=devices)
    steps = steps_of(config)
    if "real" in steps and multihost.count() == 1:
        from wsns.studies.synthetic_to_real.real_step import prepare

        prepare(config, workdir, stamps)
    for name, step in steps.items():
        if name not in TOGETHER and multihost.count() > 1:
            print(
                f"{name!r} is work for one process: the same command without --coordinator goes on from here"
            )
            return
        step(config, workdir, stamps)


def _check(config: ConfigDict) -> None:
    if config.task not in TASKS:
        raise InputError(f"config.task={config.task!r}: choose one of {', '.join(TASKS)}")
    for check in CHECKS[config.task]:
        check(config)


def _check_networks(config: ConfigDict) -> None:
    dataset.check(config)
    settings.check(config)
    weights.ensure(config)
    for name in config.models:
        build(config, name)


def _check_gap1(config: ConfigDict) -> None:
    if "gap1" not in config.models:
        raise InputError(
            f"config.models={tuple(config.models)}: 1-GAP detects and screens for all; add 'gap1' (of {MODELS})"
        )


def _check_weak(config: ConfigDict) -> None:
    if "unet" in config.models:
        raise InputError(
            f"config.models={tuple(config.models)}: the grid is over the weakly supervised networks' settings; leave "
            "'unet' out"
        )


def _check_ablations(config: ConfigDict) -> None:
    for name, own in ablations.variants(config).items():
        try:
            _check(own)
        except InputError as error:
            raise InputError(f"config.ablations: {name!r}: {error}") from error


def _check_real(config: ConfigDict) -> None:
    from wsns.studies.synthetic_to_real import real_step

    real_step.check(config)


def _check_bound(config: ConfigDict) -> None:
    from wsns.studies.candidate_bound import task

    task.check(config)


def _check_predict(config: ConfigDict) -> None:
    from wsns.tasks import predict

    predict.check(config)


def _check_transfer(config: ConfigDict) -> None:
    from wsns.studies.synthetic_to_real import task

    task.check(config)


def _check_twin(config: ConfigDict) -> None:
    from wsns.studies.twin_realism import task

    task.check(config)


METHOD = (_check_networks, _check_gap1)
CHECKS: dict[str, Sequence[Callable[[ConfigDict], None]]] = {
    "records": (),
    "accounting": (),
    "weights": (),
    "train": (_check_networks,),
    "grid": (_check_networks, _check_weak),
    "segment": METHOD,
    "tune": METHOD,
    "table1": (*METHOD, _check_real),
    "evaluate": (_check_networks,),
    "ablations": (*METHOD, _check_ablations),
    "pretrain": (_check_networks, pretrain.check),
    "bound": (_check_bound,),
    "compare": (comparison.check,),
    "predict": (_check_predict,),
    "release": (release.check,),
    "transfer": (*METHOD, _check_transfer),
    "twin_check": (_check_twin,),
    "plan": (plan.check,),
}
"""What is refused before anything is done, by task."""
