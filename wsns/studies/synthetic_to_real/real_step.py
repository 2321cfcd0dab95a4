"""The step 'real', with which a run on the twin ends if `config.real` is set: its networks are tried on real scans."""

import pathlib

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.runtime.steps import Stamps
from wsns.studies.synthetic_to_real import trials
from wsns.studies.synthetic_to_real.predictions import Trial
from wsns.tasks import preparation


def check(config: ConfigDict) -> None:
    """Refuses real scans beside real scans, and a folder that is none before the twin is rendered.

    Raises:
        InputError: if the run itself is on an archive, or `config.real` is no folder.
    """
    if config.real and config.data.manual_dir:
        raise InputError(
            f"config.real={config.real!r} is for a run on the twin, and config.data.manual_dir is set too: "
            "leave one of the two empty"
        )
    if config.real and not pathlib.Path(config.real).is_dir():
        raise InputError(f"config.real={config.real!r} is not a folder: name the one with the real scans")


def prepare(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Builds the records of the real scans, before anything is trained.

    Raises:
        InputError: if the scans are not as they must be, or the run's own records hold a patient of theirs.
    """
    folder, own = workdir / "real", trials.real_config(config, config.real)
    stamps.tell("real records", "records of the real scans", done=preparation.records_done(own, folder))
    preparation.ensure_records(own, folder, Stamps(folder))
    found = trials.patients(folder)
    shared = sorted(set(found) & set(trials.patients(workdir)))
    if shared:
        raise InputError(
            f"the twin holds nodules of {', '.join(shared)}, whose scans are in {config.real}: they would be no test; "
            f"leave them out with --config.data.exclude={trials.excluded(config, found)}"
        )


def real(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Tries the run's networks on the real scans: writes `transfer.*` and `real/report.html`, and prints the figures.

    Args:
        config: of the run.
        workdir: the run's folder.
        stamps: the run's, of which this step has none: the real scans' folder has its own.
    """
    stamps.tell("real", "try the networks on the real scans")
    trial = Trial(config, workdir)
    trials.finish([trial], config.real, workdir)
    print(f"report: {trial.real / 'report.html'}")
