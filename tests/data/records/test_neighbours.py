"""The slices below and above: which they are, how they get into records, and how networks and method get them."""

import dataclasses

import ml_collections
import numpy as np
import phantom
import pytest

from wsns.data.lidc.annotations import load_scans
from wsns.data.records import loading as records_input
from wsns.data.records import plan as planning
from wsns.data.records.neighbours import nearest, stacked
from wsns.errors import InputError
from wsns.segmentation.networks import method_input
from wsns.tasks import records

PATIENTS = ("LIDC-IDRI-0078", "LIDC-IDRI-0151", "LIDC-IDRI-0957")


@pytest.mark.parametrize(
    ("z", "k", "distance", "expected"),
    [
        ([0, 2.5, 5, 7.5, 10], 2, 2.5, (1, 3)),
        ([0, 2.5, 5, 7.5, 10], 2, 5, (0, 4)),
        ([0, 2.5, 5, 7.5, 10], 0, 2.5, (0, 1)),  # the scan's ends
        ([0, 2.5, 5, 7.5, 10], 4, 2.5, (3, 4)),
        ([0, 2.5, 5, 7.5, 10], 1, 40, (0, 4)),
        ([0, 2.5, 5, 7.5, 10], 2, 1, (2, 2)),  # slices lie farther apart
        ([0, 2.5, 5, 7.5, 10], 2, 1.25, (1, 3)),  # as near as the slice itself
        ([0, 2.5, 5, 7.5, 10], 2, 3.75, (0, 4)),
        ([0, 2.5, 15, 17.5], 1, 2.5, (0, 1)),  # a gap
        ([0, 1, 2, 3, 6, 9], 3, 3, (0, 4)),  # uneven
        ([-3.1], 0, 3, (0, 0)),
    ],
)
def test_neighbours_are_found_by_z(z, k, distance, expected):
    assert nearest(np.array(z, float), k, distance) == expected


def test_rounding_does_not_choose():
    for spacing in (0.1, 0.7, 1.25, 0.6250001):
        for start in (0.0, -317.3):
            z = start + spacing * np.arange(40)
            found = [nearest(z, k, 1.5 * spacing) for k in range(2, 38)]
            assert found == [(k - 2, k + 2) for k in range(2, 38)]


def test_no_slice_of_the_scan_is_nearer():
    rng = np.random.default_rng(0)
    for _ in range(50):
        z = np.cumsum(rng.uniform(0.5, 4, rng.integers(1, 20)))
        k, distance = rng.integers(len(z)), rng.uniform(0, 12)
        below, above = nearest(z, k, distance)
        assert abs(z[below] - z[k] + distance) <= abs(z - z[k] + distance).min() + 1e-3
        assert abs(z[above] - z[k] - distance) <= abs(z - z[k] - distance).min() + 1e-3
        assert below <= k <= above


def test_stacked_is_below_slice_above():
    hu, beside = np.arange(8).reshape(2, 2, 2), np.arange(100, 116).reshape(2, 2, 2, 2)
    both = stacked(hu, beside)
    assert both.shape == (2, 3, 2, 2)
    for n in range(2):
        np.testing.assert_array_equal(stacked(hu[n], beside[n]), both[n])
        np.testing.assert_array_equal(both[n], [beside[n, 0], hu[n], beside[n, 1]])


@pytest.fixture(scope="module")
def scans():
    return {uid: scan for uid, scan in load_scans().items() if scan.patient in PATIENTS}


@pytest.fixture(scope="module")
def built(scans, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "records"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "load_scans", lambda: scans)
        patch.setattr(planning, "open_source", lambda *_, **__: phantom.PhantomSource(scans))
        config = {"workers": 1, "crop": 256, "neighbours": 4.0}
        records.build(ml_collections.ConfigDict(config), directory)
    return directory


def test_records_hold_the_same_crop_of_the_slices_beside(built, scans):
    slices = records_input.load(built, "test")
    assert slices.beside.dtype == np.int16
    assert slices.beside.shape == (len(slices), 2, 256, 256)
    (series,) = set(slices.series.tolist())
    volume = phantom.PhantomSource(scans).read(series)
    for n, k in enumerate(slices.slice_index):
        row, column = slices.origin[n]
        for plane, beside in zip(nearest(volume.z, k, 4.0), slices.beside[n], strict=True):
            assert 2 <= abs(volume.z[plane] - volume.z[k]) <= 6
            there = volume.hu[plane, row : row + 256, column : column + 256]
            np.testing.assert_array_equal(beside, there)


def test_training_reads_them_whole_or_in_portions(built):
    for part in ("train", "test"):
        slices = records_input.load(built, part)
        expected = stacked(slices.hu, slices.beside)
        arrays = records_input.load_arrays(built, part, ("hu", "label"), neighbours=True)
        np.testing.assert_array_equal(arrays["hu"], expected)
        np.testing.assert_array_equal(arrays["label"], slices.label)
        assert arrays["hu"].dtype == np.int16
        rows = np.array([3, 0, 3])
        streamed = records_input.stream(built, part, ("hu", "label"), neighbours=True).take(rows)
        np.testing.assert_array_equal(streamed["hu"], expected[rows])
        assert records_input.load_arrays(built, part, ("hu",))["hu"].ndim == 3


def test_a_negative_distance_is_refused():
    with pytest.raises(InputError, match=r"^config.data.neighbours is -1.0: at least 0$"):
        planning.options({"neighbours": -1.0})


def test_the_method_is_given_them_if_its_networks_see_them(built):
    slices = records_input.load(built, "test")
    np.testing.assert_array_equal(method_input(slices, "neighbours").seen, stacked(slices.hu, slices.beside))
    assert method_input(slices, "same").seen is slices.hu
    without = dataclasses.replace(slices, beside=slices.beside[:, :0])
    with pytest.raises(InputError, match=r"these records hold no slices below and above"):
        method_input(without, "neighbours")
