"""Choosing the epoch by hit rate: the maps that say where a peak is a hit, and a run that goes by them."""

import json
import shutil

import numpy as np
import pytest
from discs import disc

from configs import testing
from wsns.data.lungs.hull import hull
from wsns.data.records import loading as records
from wsns.errors import InputError
from wsns.evaluation.localisation import NEAR_MM, peak, peak_distance_mm, where_to_point
from wsns.models import factory
from wsns.runtime.steps import Stamps
from wsns.segmentation.nam import read_function
from wsns.tasks import train
from wsns.training import checkpoints, dataset, hit_rate
from wsns.training.batching import InMemory


def test_a_map_by_hand():
    inside, reference = np.zeros((7, 7), bool), np.zeros((7, 7), bool)
    inside[:, 2:] = True
    reference[3, 3] = True
    expected = np.where(inside, 1, 0)
    expected[3, 2:5] = expected[2, 3] = expected[4, 3] = 2
    np.testing.assert_array_equal(where_to_point(inside, reference, 5.0), expected)
    assert not where_to_point(inside, reference & False, 5.0).any()
    everywhere = where_to_point(inside & False, reference, 5.0)
    assert (everywhere > 0).all()
    assert (everywhere == 2).sum() == 5


@pytest.mark.parametrize("seed", range(5))
def test_a_peak_is_a_hit_where_its_distance_says_so(seed):
    rng = np.random.default_rng(seed)
    for spacing in rng.uniform(0.5, 0.95, 20):
        inside, reference = rng.random((30, 30)) < rng.choice([0.0, 0.3]), rng.random((30, 30)) < 0.005
        reference[tuple(rng.integers(0, 30, 2))] = True
        nam = rng.normal(size=(30, 30))
        hit = where_to_point(inside, reference, spacing)[peak(nam, inside)] == 2
        assert hit == (peak_distance_mm(nam, inside, reference, spacing) <= NEAR_MM)


def slices(count=3):
    """Slices of one lung: a nodule at the pleura, one outside the lung, none."""
    lung = disc(32, 32, 25)
    nodules = np.zeros((count, 64, 64), np.uint8)
    nodules[0, 30:34, 55:58], nodules[1, 2:5, 2:5] = 1, 2
    return {
        "hu": np.zeros((count, 64, 64), np.int16),
        "label": np.array([1, 1, 0]),
        "lungs": np.broadcast_to(lung, nodules.shape).astype(np.uint8),
        "nodules": nodules,
        "spacing": np.array([0.7, 0.8, 0.9]),
    }


def test_the_maps_take_the_place_of_what_they_are_made_from():
    segment = testing.get_config().segment
    arrays = slices()
    made = hit_rate.with_where(arrays, segment)
    assert sorted(made) == ["hu", "label", "where"]
    assert made["where"].dtype == np.uint8
    closed = hull(arrays["lungs"][0], 0.7, segment.hull_closing, segment.hull_part)
    np.testing.assert_array_equal(made["where"][0] > 0, closed)
    assert (made["where"][0] == 2).any()
    assert made["where"][1].max() == 1
    assert not made["where"][2].any()
    portions = hit_rate.Pointed(InMemory(arrays), segment)
    assert len(portions) == 3
    for name, values in portions.take(np.array([2, 0])).items():
        np.testing.assert_array_equal(values, made[name][[2, 0]])


def test_an_unknown_word_is_one_line():
    config = testing.get_config()
    config.train.choose = "dice"
    with pytest.raises(InputError, match=r"^config\.train\.choose='dice': choose 'accuracy' or 'hit'$"):
        dataset.check(config)


@pytest.fixture
def config():
    config = testing.get_config()
    config.models = ("gap2",)
    config.train.choose = "hit"
    config.train.epochs = 2
    return config


def train_in(folder, config, testing_run):
    shutil.copytree(testing_run.workdir / "records", folder / "records")
    train.train(config, folder, Stamps(folder))
    lines = map(json.loads, (folder / "gap2" / "metrics.jsonl").read_text().splitlines())
    return [
        {key: row[key] for key in ("epoch", "accuracy", "hit")}
        for row in lines
        if row["split"] == "validation"
    ]


def test_a_run_by_hits_keeps_the_epoch_of_most_hits(testing_run, tmp_path, config):
    """What the kept network's maps hit is counted again, slice by slice, as the report counts it."""
    logged = train_in(tmp_path / "host", config, testing_run)
    best = max(logged, key=lambda row: (row["hit"], row["accuracy"], row["epoch"]))
    network = factory.build(config, "gap2")
    params = checkpoints.best_params(tmp_path / "host" / "gap2" / "checkpoints")
    read = read_function(network.apply, network.prepare, config.data.crop, config.segment.contrast)
    found = records.load(tmp_path / "host" / "records", "validation")
    distances = []
    for n in np.flatnonzero(found.nodules.any(axis=(1, 2))):
        nam = np.asarray(read(params, found.hu[n : n + 1]).nam[0])
        inside = hull(found.lungs[n], float(found.spacing[n]))
        distances.append(peak_distance_mm(nam, inside, found.nodules[n] > 0, float(found.spacing[n])))
    assert len(distances) > 2
    assert best["hit"] == pytest.approx(np.mean([distance <= NEAR_MM for distance in distances]))
    config.fit.input = "stream"
    assert train_in(tmp_path / "stream", config, testing_run) == logged


def test_what_a_network_depends_on_has_the_hull_only_if_hits_choose(testing_run, config):
    def own():
        return train.inputs(config, testing_run.workdir, "gap2")["training"]

    assert own()["choose"] == "hit"
    assert own()["hull_closing"] == 10.0
    config.train.choose = "accuracy"
    assert not set(hit_rate.SETTINGS) & set(own())
