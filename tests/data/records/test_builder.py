"""The TFDS builder on its own, as `tfds build` and Beam use it, gives the records that `main.py` writes."""

import dataclasses

import ml_collections
import numpy as np
import phantom
import pytest

from datasets.lidc_slices.lidc_slices_dataset_builder import Builder, LidcSlicesConfig
from wsns.data.lidc.annotations import load_scans
from wsns.data.records import loading as records_input
from wsns.data.records import plan as planning
from wsns.data.records.schema import NAMES
from wsns.tasks import records

# Beam holds protobuf back to a version that warns of a field that TFDS reads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PATIENTS = ("LIDC-IDRI-0078", "LIDC-IDRI-0151", "LIDC-IDRI-0957")


@pytest.fixture(scope="module")
def use_phantoms():
    scans = {uid: scan for uid, scan in load_scans().items() if scan.patient in PATIENTS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "load_scans", lambda: scans)
        patch.setattr(planning, "open_source", lambda *_, **__: phantom.PhantomSource(scans))
        yield


@pytest.fixture(scope="module")
def built(use_phantoms, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "records"
    records.build(ml_collections.ConfigDict({"workers": 1, "crop": 256, "neighbours": 3.0}), directory)
    return directory


def _assert_same(one, two):
    for part in ("train", "validation", "test"):
        here, there = (records_input.load(directory, part) for directory in (one, two))
        for name in NAMES:
            np.testing.assert_array_equal(getattr(here, name), getattr(there, name), err_msg=name)


def test_builder_alone(built, tmp_path):
    config = LidcSlicesConfig(name="phantoms", options=planning.Options(crop=256, neighbours=3.0))
    Builder(config=config, data_dir=tmp_path).download_and_prepare()
    _assert_same(built, tmp_path)


@pytest.mark.slow
def test_beam(built, tmp_path):
    """Beam's local runner."""
    pytest.importorskip(
        "apache_beam", reason="Beam is an optional extra: pip install -r requirements-beam.txt"
    )
    import tensorflow_datasets as tfds

    options = planning.Options(crop=256, neighbours=3.0)
    config = LidcSlicesConfig(name="phantoms_beam", beam=True, options=options)
    builder = Builder(config=config, data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(beam_runner="DirectRunner", manual_dir=tmp_path)
    )
    _assert_same(built, tmp_path)


def test_configs_have_a_description_and_legal_options():
    for config in Builder.BUILDER_CONFIGS:
        assert config.description
        planning.options(dataclasses.asdict(config.options))
