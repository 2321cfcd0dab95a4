"""What the networks of a run say of the twin's validation split and of real scans: one row per slice and network.

Leaves in the folder of the real scans `readings.csv`, and `nams.npz` with the maps of each nodule's largest slice.
"""

import collections
import dataclasses
import io
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from wsns.data.lungs.hull import hull
from wsns.data.records import loading as records
from wsns.data.records.schema import Slices
from wsns.errors import InputError
from wsns.evaluation.localisation import peak, peak_chance, peak_distance_mm
from wsns.evaluation.metrics import area_mm2, equivalent_diameter_mm
from wsns.run.masks import blocks_mean
from wsns.run.networks import load_trained, load_untrained
from wsns.run.settings import result_fields
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import threads
from wsns.runtime.steps import Stamps, Step
from wsns.segmentation.networks import Trained, method_input, weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import segment_slices
from wsns.studies.synthetic_to_real.measure import REAL, TWIN, Reading
from wsns.tasks import train

VERSION = 2
"""Of what is kept: what another version left is read anew."""
COLUMNS = tuple(field.name for field in dataclasses.fields(Reading))
START, RANDOM = "start", "random"
"""Networks that no slice has taught, as a method's name ends: what training starts from, and random numbers."""


class Trial(NamedTuple):
    """A run on the twin whose networks are tried on real scans: its config, and the folder that it lies in."""

    config: ConfigDict
    folder: pathlib.Path

    @property
    def real(self) -> pathlib.Path:
        """Where the records of the real scans lie, and what is found in them."""
        return self.folder / "real"

    def networks(self) -> dict[str, Any]:
        """Returns what each network depends on."""
        return {name: train.inputs(self.config, self.folder, name) for name in self.config.models}


class Place(NamedTuple):
    """Slices, and for each the hull of its lungs and what a `Reading` says of it whatever the network."""

    slices: Slices
    hulls: list[np.ndarray]
    facts: list[dict[str, Any]]


def read(trial: Trial) -> list[Reading]:
    """Returns what a run's networks say, and the same ones untrained; reads the slices if that is not done yet.

    Raises:
        InputError: if there are no records, or the file is damaged.
    """
    path, maps = trial.real / "readings.csv", trial.real / "nams.npz"
    fields = result_fields(trial.config)
    inputs = {
        "networks": trial.networks(),
        "real": files.read_json(trial.real / "records" / "accounting.json")["data_fingerprint"],
        "segment": {name: fields[name] for name in ("contrast", "hull_closing", "hull_part")},
        "columns": COLUMNS,
        "version": VERSION,
    }

    def run() -> None:
        nams: dict[str, Any] = {}
        rows = list(_read(trial, nams))
        packed = io.BytesIO()
        np.savez_compressed(packed, **nams)
        files.write_bytes(maps, packed.getvalue())
        files.write_rows(path, COLUMNS, [dataclasses.asdict(row) for row in rows])

    Stamps(trial.real).do(Step("readings", "read the slices", inputs, (path, maps), run))
    return [_parsed(row, path) for row in files.read_rows(path)]


def nam_name(method: str, series: str, z: float) -> str:
    """Returns under which name `nams.npz` holds a method's map of a slice."""
    return f"{method} {series} {z:g}"


def _read(trial: Trial, nams: dict[str, Any]) -> Iterator[Reading]:
    """Yields all readings, and puts the trained networks' maps of each real nodule's largest slice into `nams`."""
    options = Options(**trial.config.segment.to_dict())
    places = {
        TWIN: _place(records.load(trial.folder / "records", "validation"), options),
        REAL: _place(records.load(trial.real / "records", "test"), options),
    }
    kinds = _kinds(trial)
    total = len(kinds) * sum(len(place.slices) for place in places.values())
    with progress.bar(total, f"read, seed {trial.config.seed}", compiles=True) as shown:
        for kind, trained in kinds.items():
            for where, place in places.items():
                for n, probabilities, maps in _maps(trial.config, trained, place, options):
                    for gaps, nam in maps.items():
                        method = f"{gaps}-GAP {kind}".rstrip()
                        reading = _reading(trial, where, method, place, n, probabilities[gaps], nam)
                        if where == REAL and not kind and _is_largest(reading):
                            name = nam_name(method, reading.series, reading.z)
                            nams[name] = blocks_mean(nam).astype(np.float16)
                        yield reading
                    shown.update(1)


def _kinds(trial: Trial) -> dict[str, Trained]:
    config = trial.config
    kinds = {"": load_trained(config, trial.folder), START: load_untrained(config)}
    if config.model.start != "random":
        other = config.copy_and_resolve_references()
        other.model.start, other.model.weights = "random", ""
        kinds[RANDOM] = load_untrained(other)
    return kinds


def _maps(
    config: ConfigDict, trained: Trained, place: Place, options: Options
) -> Iterator[tuple[int, dict[int, float], dict[int, np.ndarray]]]:
    """Yields each slice's number, and by GAPs its probability and its map."""
    # From a probability of 1 on nothing is searched: the maps are all that is wanted.
    alone = dataclasses.replace(options, detect=1.0)
    networks, screen = weak_networks(config, trained, alone)
    results = segment_slices(method_input(place.slices, config.model.channels), networks, screen, alone)
    for n, result in enumerate(results):
        yield n, result.probabilities, result.nams


def _reading(
    trial: Trial, where: str, method: str, place: Place, n: int, probability: float, nam: np.ndarray
) -> Reading:
    row, column = peak(nam, place.hulls[n])
    distance = peak_distance_mm(
        nam, place.hulls[n], place.slices.nodules[n] > 0, float(place.slices.spacing[n])
    )
    return Reading(
        where=where,
        seed=trial.config.seed,
        method=method,
        probability=probability,
        peak_row=row,
        peak_column=column,
        peak_mm=distance,
        **place.facts[n],
    )


def _is_largest(reading: Reading) -> bool:
    return reading.nodule is not None and reading.radius_mm == reading.nodule_radius_mm


def _place(slices: Slices, options: Options) -> Place:
    def closed(n: int) -> np.ndarray:
        return hull(slices.lungs[n], float(slices.spacing[n]), options.hull_closing, options.hull_part)

    with threads() as each:
        hulls = list(each(closed, range(len(slices))))
    facts = [_facts(slices, n, hulls[n]) for n in range(len(slices))]
    largest: dict[tuple[str, int | None], float] = collections.defaultdict(float)
    for own in facts:
        nodule = own["series"], own["nodule"]
        largest[nodule] = max(largest[nodule], own["radius_mm"] or 0.0)
    for own in facts:
        known = own["nodule"] is not None
        own["nodule_radius_mm"] = largest[own["series"], own["nodule"]] if known else None
    return Place(slices, hulls, facts)


def _facts(slices: Slices, n: int, closed: np.ndarray) -> dict[str, Any]:
    """Returns what the readers and the lungs' mask say of a slice; the nodule is the largest one."""
    spacing, nodules = float(slices.spacing[n]), slices.nodules[n]
    areas = np.bincount(nodules.ravel(), minlength=2)[1:]
    drawn = bool(areas.any())
    radius = equivalent_diameter_mm(float(areas.max()) * spacing**2) / 2
    return {
        "patient": str(slices.patient[n]),
        "series": str(slices.series[n]),
        "z": float(slices.z[n]),
        "label": int(slices.label[n]),
        "chance": peak_chance(closed, nodules > 0, spacing),
        "nodule": int(slices.cluster[n, int(areas.argmax())]) if drawn else None,
        "radius_mm": radius if drawn else None,
        "lung_area_mm2": area_mm2(slices.lungs[n], spacing),
    }


def _parsed(row: Mapping[str, str], path: pathlib.Path) -> Reading:
    try:
        return Reading(**{name: _PARSERS.get(name, float)(row[name]) for name in COLUMNS})
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): remove it and its stamp, and run again") from error


def _optional(text: str) -> float | None:
    return float(text) if text else None


_PARSERS: Mapping[str, Any] = {
    **dict.fromkeys(("where", "method", "patient", "series"), str),
    **dict.fromkeys(("seed", "label", "peak_row", "peak_column"), int),
    **dict.fromkeys(("peak_mm", "chance", "radius_mm", "nodule_radius_mm"), _optional),
    "nodule": lambda text: int(text) if text else None,
}
