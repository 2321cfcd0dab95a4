"""The task 'ablations': a run beside others that differ from it in a few fields, in one table.

Each other run lies in `ablations/NAME` with its own stamps, and shares what its fields don't change by links.
"""

import pathlib

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.run.links import link, share_records
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps
from wsns.studies.comparison import task
from wsns.studies.overrides import named_overrides
from wsns.tasks import train
from wsns.tasks.segment import segment

BASE = "base"
SECTIONS = tuple(section for section in task.SECTIONS if section != "data")
"""What may be overridden: all that decides the cases but the data, which the runs share."""


def variants(config: ConfigDict) -> dict[str, ConfigDict]:
    """Returns the whole config of each ablation, by name.

    Raises:
        InputError: if there is none, a name is taken or can't be a folder's, or a field or its kind doesn't exist.
    """
    if not config.get("ablations"):
        raise InputError(
            "config.ablations is empty: name one or more, as (('beta 1', {'segment.beta': 1.0}),), or take "
            "configs/ablations.py's"
        )
    base = config.copy_and_resolve_references().unlock()
    del base.ablations
    base.task, base.scans.most = "segment", 0
    fields = base.to_dict()
    known = [name for section in SECTIONS for name, _ in task.dotted(fields[section], section)]
    named = named_overrides("config.ablations", config.ablations, known, (BASE,))
    made = {}
    for name, overrides in named.items():
        if not name or name.startswith(".") or pathlib.PurePath(name).name != name:
            raise InputError(f"config.ablations: {name!r} can't be the name of a folder; choose another")
        made[name] = base.copy_and_resolve_references()
        for field, value in overrides.items():
            try:
                made[name].update_from_flattened_dict({field: value})
            except TypeError:
                raise InputError(
                    f"config.ablations: {name!r} sets {field}={value!r}, which is of another kind than that field"
                ) from None
    return made


def ablations(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Trains and segments what is missing of each ablation, and writes `ablations.{txt,md,csv}` after each.

    Args:
        config: of the run, and of its ablations.
        workdir: a run whose test split is segmented.
        stamps: the run's, of which this step has none: each ablation has its own.
    """
    stamps.tell("ablations", "ablations")
    made = variants(config)
    runs = [task.read_run(BASE, workdir)]
    for number, (name, own) in enumerate(made.items(), 1):
        folder = workdir / "ablations" / name
        progress.say(f"ablation {number} of {len(made)}: {name}")
        _prepare(config, own, workdir, folder)
        train.train(own, folder, Stamps(folder))
        segment(own, folder, Stamps(folder))
        runs.append(task.read_run(name, folder))
        task.write(runs, workdir, "ablations", **config.evaluate.to_dict())
    print(files.read_text(workdir / "ablations.txt"), end="")


def _prepare(config: ConfigDict, own: ConfigDict, workdir: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives an ablation's folder all that is the base's too, and takes back what no longer is."""
    share_records(folder, workdir)
    stamps = Stamps(folder)
    for name in own.models:
        wanted, path = train.inputs(own, workdir, name), folder / name
        if name in config.models and wanted == train.inputs(config, workdir, name):
            if not path.is_symlink():
                stamps.begin(name, {"linked": True}, path)
            link(path, workdir / name)
            stamps.mark_done(name, wanted)
        elif path.is_symlink():
            # Only a link goes, never what it points to; and the stamp first, which would vouch for nothing.
            stamps.begin(name, {"linked": False})
            path.unlink()
    files.write_json(folder / "config.json", own.to_dict())
    files.write_bytes(folder / "environment.json", (workdir / "environment.json").read_bytes())
