import dataclasses

import numpy as np
import phantom
import pytest

from wsns.data.lidc import annotations
from wsns.data.records.extract import Rules, crop, scan_records
from wsns.data.records.schema import NAMES
from wsns.data.volume import Volume


def _readers(number, *, slices, i=250, j=150, size=8):
    return [[phantom.square(k, i + n % 2, j, size) for k in slices] for n in range(number)]


@pytest.mark.parametrize("origin", [(0, 0), (2, 3), (-3, 5), (7, -2), (-20, 0), (30, 30)])
def test_crop_pads_outside(origin):
    plane = np.arange(1, 101).reshape(10, 10)
    padded = np.pad(plane, 50, constant_values=-7)
    expected = padded[50 + origin[0] : 56 + origin[0], 50 + origin[1] : 56 + origin[1]]
    np.testing.assert_array_equal(crop(plane, origin, 6, -7), expected)


@pytest.fixture(scope="module")
def chest():
    return phantom.volume(np.arange(110) * 2.5, 0.7)[0]


def _records(scan, volume, **rules):
    scan = annotations.Scan(
        scan.series, scan.study, scan.patient, volume.spacing, 2.5, volume.z, scan.annotations
    )
    return scan_records(scan, volume, Rules(**rules))


def test_records_of_a_scan(chest):
    scan = phantom.scan(_readers(3, slices=range(50, 55)) + _readers(2, slices=[52], i=240, j=350))
    made = _records(scan, chest)
    assert made.facts.too_many == made.facts.fallbacks == 0
    assert (made.facts.positives, made.facts.negatives, made.facts.slices) == (5, 5, 110)
    slices = made.slices
    assert len(slices) == 10
    assert (np.diff(slices.slice_index) > 0).all()
    for n, k in enumerate(slices.slice_index):
        row, column = slices.origin[n]
        np.testing.assert_array_equal(slices.hu[n], chest.hu[k, row : row + 384, column : column + 384])
        assert slices.z[n] == chest.z[k]
        assert slices.label[n] == (50 <= k < 55)
        assert slices.count[n] == slices.nodules[n].max() == (2 if k == 52 else slices.label[n])
        assert set(np.unique(slices.lungs[n])) <= {0, 1, 2}
    assert not slices.outside_crop.any()
    assert not slices.outside_hull.any()
    # The lungs' box is in the middle of the crop.
    spanned = np.nonzero(np.any(slices.lungs > 0, axis=0))
    assert all(abs(axis.min() + axis.max() - 383) <= 8 for axis in spanned)
    assert made.picture.dtype == np.uint8


def test_every_slice_that_nobody_drew_in_is_one_of_a_whole_scan(chest):
    scan = phantom.scan(_readers(3, slices=range(50, 55)) + _readers(1, slices=range(60, 63)))
    few = _records(scan, chest)
    scan = annotations.Scan(
        scan.series, scan.study, scan.patient, chest.spacing, 2.5, chest.z, scan.annotations
    )
    made = scan_records(scan, chest, Rules(), every=True).slices
    positive = made.slice_index[made.label == 1].tolist()
    assert positive == few.slices.slice_index[few.slices.label == 1].tolist() == list(range(50, 55))
    # What one reader drew is neither; all else that holds lung is there once.
    assert not set(made.slice_index) & set(range(60, 63))
    assert (np.diff(made.slice_index) > 0).all()
    lungs = {k for k in range(110) if chest_lung(chest, k)}
    assert lungs - set(range(60, 63)) <= set(made.slice_index.tolist())


@pytest.mark.parametrize("every", [False, True])
def test_slices_beside_are_kept_on_request(chest, every):
    scan = phantom.scan(_readers(2, slices=range(50, 53)))
    scan = dataclasses.replace(scan, spacing=chest.spacing, z=chest.z)
    alone = scan_records(scan, chest, Rules(), every=every).slices
    slices = scan_records(scan, chest, Rules(neighbours=5.0), every=every).slices
    assert alone.beside.shape == (len(alone), 0, 384, 384)
    assert alone.beside.dtype == slices.beside.dtype == np.int16
    for name in set(NAMES) - {"beside"}:
        np.testing.assert_array_equal(getattr(alone, name), getattr(slices, name))
    for n, k in enumerate(slices.slice_index):
        for beside, other in zip(slices.beside[n], (max(k - 2, 0), min(k + 2, 109)), strict=True):
            np.testing.assert_array_equal(beside, crop(chest.hu[other], tuple(slices.origin[n]), 384, -1024))


def chest_lung(volume, k):
    """Says whether a slice of the phantom has lung in its middle part."""
    return (volume.hu[k][200:300] < -700).any() and 20 < k < 90


def test_instances_of_a_slice(chest):
    scan = phantom.scan(_readers(3, slices=range(50, 55)) + _readers(2, slices=[52], i=240, j=350))
    scores = [
        dataclasses.replace(a, texture=t) for a, t in zip(scan.annotations, (5, 4, 1, 2, 3), strict=True)
    ]
    slices = _records(dataclasses.replace(scan, annotations=tuple(scores)), chest).slices
    n = slices.slice_index.tolist().index(52)
    row, column = slices.origin[n]
    # Three readers drew 7×7 pixels, one of them a row lower: the majority is the two's.
    rows, columns = np.nonzero(slices.nodules[n] == 1)
    assert (rows.min() + row, rows.max() + row) == (251, 257)
    assert (columns.min() + column, columns.max() + column) == (151, 157)
    assert slices.agreement[n].tolist() == [3, 2]
    assert slices.cluster[n].tolist() == [1, 2]
    assert slices.texture[n].tolist() == [4.0, 2.5]
    third = pytest.approx(6 / 7)
    assert slices.reader_dice[n, 0].tolist() == [1, third, 1, -1, -1, -1, -1, -1]
    # Half of the votes are enough: two readers' consensus is their union, 8 rows.
    assert slices.reader_dice[n, 1, :3].tolist() == [pytest.approx(14 / 15)] * 2 + [-1]
    free = slices.label == 0
    assert (slices.reader_dice[free] == -1).all()
    assert not any(values[free].any() for values in (slices.cluster, slices.agreement, slices.texture))


def test_a_reader_of_other_slices_only_has_dice_zero(chest):
    readers = _readers(2, slices=range(50, 54)) + [[phantom.square(53, 250, 150, 8)]]
    slices = _records(phantom.scan(readers), chest).slices
    n = slices.slice_index.tolist().index(51)
    assert slices.agreement[n].tolist() == [2, 0]
    assert slices.reader_dice[n, 0, 2] == 0


def test_consensus_outside_a_small_crop_is_counted(chest):
    made = _records(phantom.scan(_readers(2, slices=[50], j=250)), chest, crop=64)
    whole = _records(phantom.scan(_readers(2, slices=[50], j=100)), chest, crop=64)
    assert made.facts.outside_crop == 0
    assert whole.facts.outside_crop == whole.slices.outside_crop.sum() > 40
    assert whole.facts.voxels == whole.facts.outside_crop
    assert not whole.slices.nodules.any()


def test_consensus_outside_the_lungs_hull_is_counted(chest):
    inside = _records(phantom.scan(_readers(2, slices=[50], i=250, j=150)), chest)
    outside = _records(phantom.scan(_readers(2, slices=[50], i=380, j=250)), chest)
    assert inside.facts.outside_hull == 0
    assert outside.facts.outside_hull == outside.facts.voxels > 40


def test_consensus_that_misses_a_counting_slice_falls_back_to_the_overlap(chest):
    readers = _readers(4, slices=range(50, 54)) + _readers(2, slices=[54])
    scan = phantom.scan([readers[0] + readers[4], readers[1] + readers[5], readers[2], readers[3]])
    made = _records(scan, chest, consensus="intersection")
    assert made.facts.fallbacks == 1
    n = made.slices.slice_index.tolist().index(54)
    assert np.count_nonzero(made.slices.nodules[n]) == 6 * 7
    assert made.slices.agreement[n].tolist() == [2, 0]


def test_nodules_of_two_readers_whose_consensus_is_their_intersection_are_counted(chest):
    pair, three = _readers(2, slices=range(50, 54)), _readers(3, slices=range(60, 62), j=300)
    scan = phantom.scan(pair + three)
    both = _records(scan, chest, consensus="intersection").facts
    assert (both.of_two, both.as_intersection) == (1, 1)
    either = _records(scan, chest, consensus="union").facts
    assert (either.of_two, either.as_intersection) == (1, 0)


def test_too_few_free_slices_are_reported(chest):
    made = _records(phantom.scan(_readers(2, slices=range(15, 95))), chest)
    assert made.facts.positives - made.facts.negatives > 50
    assert made.slices.label.sum() == made.facts.positives == 80


def test_volume_of_another_length_is_not_accepted(chest):
    scan = phantom.scan(_readers(2, slices=[5]))
    with pytest.raises(ValueError, match="20 slices"):
        scan_records(scan, Volume(chest.hu[:10], chest.z[:10], 0.7), Rules())


def test_the_patient_s_right_is_kept(chest):
    scan = phantom.scan(_readers(2, slices=[50]))
    assert _records(scan, chest).facts.right == "left"
    assert _records(scan, dataclasses.replace(chest, right="right")).facts.right == "right"


def test_lungs_outside_the_crop_are_counted(chest):
    readers = _readers(2, slices=[50])
    assert _records(phantom.scan(readers), chest).facts.lung_outside_crop == 0
    small = _records(phantom.scan(readers), chest, crop=128)
    lost = 1 - np.count_nonzero(small.slices.lungs) / np.count_nonzero(
        _records(phantom.scan(readers), chest).slices.lungs
    )
    assert lost > 0.3
    assert small.facts.lung_outside_crop == pytest.approx(lost)
