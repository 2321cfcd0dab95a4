"""The networks that search a scan: of a finished run, of a file that was made of one, or those of the package."""

import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from wsns import VERSION
from wsns.errors import InputError
from wsns.models import factory
from wsns.models.preprocess import LUNG, Preprocessing
from wsns.run import settings
from wsns.run.networks import load_trained
from wsns.runtime import environment
from wsns.runtime import workdir as files
from wsns.segmentation.networks import Trained

PACKAGED = "small_networks.npz"
"""The networks that come with the package, beside this file."""
SECTIONS = ("models", "seed", "data", "model", "train", "unet", "segment")
"""What of a run's config its networks are made with."""


@dataclasses.dataclass(frozen=True, eq=False)
class Networks:
    """Weakly supervised networks that are ready, and what must be known of them.

    `config`: of their run; `trained`: the networks by name; `name`: where they come from, in words; `card`: how they
    were made; `patients`: hashes of those in whose scans they saw labels, see `hashed`; `synthetic`: they saw
    synthetic scans only; `packaged`: they came with the package.
    """

    config: ConfigDict
    trained: Trained
    name: str
    card: Mapping[str, Any]
    patients: frozenset[str]
    synthetic: bool
    packaged: bool = False

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that depend on all parameters."""
        digest = hashlib.sha256(json.dumps(dict(self.card), sort_keys=True, default=str).encode())
        for name in sorted(self.trained):
            for leaf in jax.tree.leaves(self.trained[name][1]):
                digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()[:16]

    def saw(self, patient: str) -> bool:
        """Says whether a patient's scan was among those that the networks were trained on or chosen by."""
        return bool(patient) and hashed(patient) in self.patients


def hashed(patient: str) -> str:
    """Returns what stands for a patient's identifier where the identifier itself must not."""
    return hashlib.sha256(f"wsns patient {patient}".encode()).hexdigest()[:16]


def load(run: str = "") -> Networks:
    """Loads networks.

    Args:
        run: the folder of a finished run, or a file as `pack` makes it; empty: those of the package.

    Raises:
        InputError: if there are no such networks.
    """
    path = pathlib.Path(run) if run else pathlib.Path(__file__).with_name(PACKAGED)
    if path.is_dir():
        stamps = [folder.stat().st_mtime_ns for folder in sorted(path.glob("*/checkpoints"))]
    else:
        stamps = [path.stat().st_mtime_ns, path.stat().st_size] if path.exists() else []
    return _load(run, path, tuple(stamps))


@functools.lru_cache(maxsize=2)
def _load(run: str, path: pathlib.Path, stamps: tuple[int, ...]) -> Networks:
    """Loads networks once in a process, and again where their files have changed."""
    if path.is_dir():
        return of_run(path)
    if not path.is_file():
        raise InputError(
            f"config.predict.run={run!r}: there is no such run or file of networks; leave it empty for those that come "
            "with the package"
        )
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as raw, np.load(raw) as held:
            return _unpacked({name: held[name] for name in held.files}, run)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: is no file of networks, or damaged; make one of a finished run with `python main.py "
            "--config=configs/release.py --config.predict.run=RUN`"
        ) from error


def of_run(workdir: pathlib.Path) -> Networks:
    """Returns the weakly supervised networks of a run's folder.

    Raises:
        InputError: if the run isn't finished as far as they are concerned.
    """
    try:
        config = settings.of_run(workdir)
        names = [name for name in config.models if name != "unet"]
    except (InputError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"config.predict.run={str(workdir)!r}: is no run's folder: its config.json is missing or of another task"
        ) from error
    if "gap1" not in names:
        raise InputError(
            f"config.predict.run={str(workdir)!r}: has no 1-GAP network, which detects and screens: train one"
        )
    config.models = tuple(names)
    lacking = [name for name in names if not (workdir / name / "checkpoints").is_dir()]
    if lacking:
        raise InputError(
            f"config.predict.run={str(workdir)!r}: {', '.join(lacking)} isn't trained yet: finish the run first"
        )
    trained = load_trained(config, workdir)
    parts = files.read_json(workdir / "records" / "split.json")["patients"]
    made = files.read_json(workdir / "environment.json")
    synthetic = bool(files.read_json(workdir / "records" / "accounting.json").get("synthetic"))
    card = {
        "seed": config.seed,
        "version": VERSION,
        "data": made.get("data", {}),
        "trained_on": "synthetic scans only (the LIDC twin)" if synthetic else "real scans",
        "patients": {
            part: sum(own == part for own in parts.values()) for part in sorted(set(parts.values()))
        },
    }
    seen = frozenset(hashed(patient) for patient, part in parts.items() if part != "test")
    return Networks(config, trained, str(workdir), card, seen, synthetic)


def pack(networks: Networks, card: Mapping[str, Any]) -> bytes:
    """Returns networks as the bytes of a file, parameters in half precision.

    Args:
        networks: to be packed.
        card: what else must be known of them.
    """
    arrays: dict[str, Any] = {}
    looks: dict[str, Any] = {}
    for name, (network, params) in networks.trained.items():
        looks[name] = dataclasses.asdict(network.start.preprocessing if network.start else LUNG)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            arrays["/".join([name, *(key.key for key in path)])] = np.asarray(leaf, np.float16)
    own = networks.config.to_dict()
    about = {
        "card": dict(networks.card) | dict(card),
        "config": {section: own[section] for section in SECTIONS},
        "preprocessing": looks,
        "patients": sorted(networks.patients),
        "synthetic": networks.synthetic,
        "packed_by": environment.commit(),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.array(json.dumps(about, sort_keys=True)), **arrays)
    return buffer.getvalue()


def _unpacked(held: Mapping[str, np.ndarray], run: str) -> Networks:
    about = json.loads(str(held["about"]))
    config = settings.from_json(about["config"])
    trained = {}
    for name in config.models:
        params: dict[str, Any] = {}
        for key in held:
            if key.startswith(f"{name}/"):
                *layers, part = key.split("/")[1:]
                where = params
                for layer in layers:
                    where = where.setdefault(layer, {})
                where[part] = held[key].astype(np.float32)
        looks = Preprocessing.from_json(about["preprocessing"][name])
        trained[name] = factory.build(config, name, looks), jax.device_put(params)
    patients, synthetic = frozenset(about["patients"]), bool(about["synthetic"])
    name = run or "those of the package"
    return Networks(config, trained, name, about["card"], patients, synthetic, packaged=not run)
