"""Records of four scans, built from ellipses, for the tests of the records; `conftest` makes the fixtures known."""

import csv

import ml_collections
import phantom
import pytest

from wsns.data.lidc.annotations import load_scans
from wsns.data.records import plan as planning
from wsns.tasks import records

# Four scans of three patients.
PATIENTS = ("LIDC-IDRI-0078", "LIDC-IDRI-0151", "LIDC-IDRI-0957")


@pytest.fixture(scope="module")
def record_scans():
    database = load_scans()
    return {uid: scan for uid, scan in database.items() if scan.patient in PATIENTS}


@pytest.fixture(scope="module")
def use_phantoms(record_scans):
    """Builds from ellipses with the geometry and the readers' contours of real scans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "load_scans", lambda: record_scans)
        patch.setattr(planning, "open_source", lambda *_, **__: phantom.PhantomSource(record_scans))
        yield


def build_config(**changes):
    return ml_collections.ConfigDict({"workers": 1, "crop": 256, "thickness": (0.0, 10.0)} | changes)


@pytest.fixture(scope="module")
def built_records(use_phantoms, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "records"
    records.build(build_config(), directory)
    return directory


def slice_rows(directory):
    with (directory / "slices.csv").open() as file:
        return list(csv.DictReader(file))
