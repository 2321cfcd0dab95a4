"""The task 'transfer': networks that learned from the twin alone, for several seeds, tried on real scans."""

import pathlib

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.run.links import share_records
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.steps import Stamps
from wsns.studies.synthetic_to_real import trials as trial_runs
from wsns.studies.synthetic_to_real.predictions import Trial
from wsns.tasks import preparation
from wsns.tasks.train import train


def check(config: ConfigDict) -> None:
    """Refuses a config without real scans, or without seeds.

    Raises:
        InputError: with the field.
    """
    if not config.data.manual_dir:
        raise InputError(
            "config.data.manual_dir is empty: name the folder of real LIDC scans on which the networks are to be tried"
        )
    seeds = tuple(config.transfer.seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"config.transfer.seeds={seeds!r}: one or more are needed, each once")


def transfer(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Does all that is missing, writes `transfer.{json,txt,md,csv}`, `transfer_slices.csv` and `report.html`.

    Raises:
        InputError: if the scans or a config field are not as they must be.
    """
    real = trial_runs.real_config(config, config.data.manual_dir)
    held_out = preparation.ensure_records(real, workdir / "real", Stamps(workdir / "real"))
    twin = _twin_config(config, trial_runs.patients(workdir / "real"))
    drawn = preparation.ensure_records(twin, workdir, Stamps(workdir))
    data = {
        where: {name: facts[name] for name in preparation.FINGERPRINTS}
        for where, facts in (("real", held_out), ("twin", drawn))
    }
    preparation.describe(config, workdir, data)
    trials = []
    for number, seed in enumerate(config.transfer.seeds, 1):
        progress.say(f"seed {seed}: {number} of {len(config.transfer.seeds)}")
        trials.append(_trained(twin, workdir, seed))
    trial_runs.finish(trials, config.data.manual_dir, workdir)
    files.write_bytes(workdir / "report.html", (trials[0].real / "report.html").read_bytes())
    print(f"report: {workdir / 'report.html'}")


def _twin_config(config: ConfigDict, held_out: list[str]) -> ConfigDict:
    """Returns the config of the runs on the twin, which paints no nodule that a held-out patient has."""
    own = config.copy_and_resolve_references().unlock()
    own.data.manual_dir, own.data.exclude = "", trial_runs.excluded(config, held_out)
    own.task, own.real = "table1", ""
    return own


def _trained(twin: ConfigDict, workdir: pathlib.Path, seed: int) -> Trial:
    """Trains the networks of one seed in a folder of their own, on the same records."""
    own, folder = twin.copy_and_resolve_references(), workdir / "seeds" / str(seed)
    own.seed = seed
    share_records(folder, workdir)
    preparation.describe(own, folder, files.read_json(workdir / "environment.json")["data"]["twin"])
    train(own, folder, Stamps(folder))
    return Trial(own, folder)
