import numpy as np
import phantom
import pytest

from wsns.data import annotations
from wsns.data.slices import Rules, crop, negatives, scan_records, select
from wsns.data.volume import Volume


def _readers(number, *, slices, i=250, j=150, size=8):
    return [[phantom.square(k, i + n % 2, j, size) for k in slices] for n in range(number)]


def _select(scan, **rules):
    return select(scan, annotations.cluster(scan), Rules(**rules))


def test_every_slice_is_in_one_group():
    two = _readers(2, slices=[4, 5, 6])
    one = [[phantom.square(11, 300, 400, 8)]]
    chosen = _select(phantom.scan(two + one))
    assert chosen.positive == {4: (0,), 5: (0,), 6: (0,)}
    assert chosen.uncertain == (11,)
    assert chosen.too_many == ()
    assert chosen.free == (0, 1, 2, 3, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19)


def test_masks_that_do_not_share_a_pixel_are_not_two_readers():
    beside = [[phantom.square(4, 100, 100, 5)], [phantom.square(4, 100, 105, 5)]]
    scan = phantom.scan(beside)
    assert len(annotations.cluster(scan)) == 1
    assert _select(scan).positive == {}
    assert _select(scan).uncertain == (4,)


def test_agreement():
    scan = phantom.scan(_readers(3, slices=[4, 5]) + _readers(1, slices=[6]))
    assert set(_select(scan).positive) == {4, 5}
    assert set(_select(scan, agreement=1).positive) == {4, 5, 6}
    assert set(_select(scan, agreement=3).positive) == {4, 5}
    assert set(_select(scan, agreement=5).positive) == set()


def test_more_nodules_than_allowed_leave_the_slice_out():
    many = [part for n in range(3) for part in _readers(2, slices=[4], j=100 + 80 * n)]
    scan = phantom.scan(many + _readers(2, slices=[7]))
    assert _select(scan).too_many == (4,)
    assert set(_select(scan).positive) == {7}
    assert _select(scan, max_nodules=3).positive[4] == (0, 1, 2)


def test_negatives():
    free, span = range(0, 40, 2), range(10, 30)
    drawn = negatives("1.2", free, span, 5, 0)
    assert drawn == negatives("1.2", list(free), span, 5, 0)
    assert len(set(drawn)) == 5
    assert all(k in span and k in free for k in drawn)
    assert list(drawn) == sorted(drawn)
    assert drawn != negatives("1.2", free, span, 5, 1)
    assert drawn != negatives("1.3", free, span, 5, 0)
    assert negatives("1.2", free, span, 99, 0) == tuple(range(10, 30, 2))
    assert negatives("1.2", free, range(0), 5, 0) == ()


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
    assert made.missing_negatives == made.too_many == made.fallbacks == 0
    assert len(made.records) == 10
    assert [record["slice_index"] for record in made.records] == sorted(
        r["slice_index"] for r in made.records
    )
    for record in made.records:
        k, (row, column) = record["slice_index"], record["origin"]
        np.testing.assert_array_equal(record["hu"], chest.hu[k, row : row + 384, column : column + 384])
        assert record["z"] == chest.z[k]
        assert record["label"] == (50 <= k < 55)
        assert record["count"] == record["nodules"].max() == (2 if k == 52 else record["label"])
        assert set(np.unique(record["lungs"])) <= {0, 1, 2}
        assert record["outside_crop"] == 0
    record = next(record for record in made.records if record["slice_index"] == 52)
    row, column = record["origin"]
    # Three readers drew 7×7 pixels, one of them a row lower: the majority is the two's.
    rows, columns = np.nonzero(record["nodules"] == 1)
    assert (rows.min() + row, rows.max() + row) == (251, 257)
    assert (columns.min() + column, columns.max() + column) == (151, 157)
    assert record["agreement"].tolist() == [3, 2]
    # The lungs' box is in the middle of the crop.
    spanned = np.nonzero(np.any([r["lungs"] > 0 for r in made.records], axis=0))
    assert all(abs(axis.min() + axis.max() - 383) <= 8 for axis in spanned)


def test_consensus_outside_a_small_crop_is_counted(chest):
    made = _records(phantom.scan(_readers(2, slices=[50], j=250)), chest, crop=64)
    whole = _records(phantom.scan(_readers(2, slices=[50], j=100)), chest, crop=64)
    assert sum(record["outside_crop"] for record in made.records) == 0
    assert sum(record["outside_crop"] for record in whole.records) > 40
    assert not any(record["nodules"].any() for record in whole.records)


def test_consensus_that_misses_a_counting_slice_falls_back_to_the_overlap(chest):
    readers = _readers(4, slices=range(50, 54)) + _readers(2, slices=[54])
    scan = phantom.scan([readers[0] + readers[4], readers[1] + readers[5], readers[2], readers[3]])
    made = _records(scan, chest, consensus="intersection")
    assert made.fallbacks == 1
    last = next(record for record in made.records if record["slice_index"] == 54)
    assert np.count_nonzero(last["nodules"]) == 6 * 7
    assert last["agreement"].tolist() == [2, 0]


def test_too_few_free_slices_are_reported(chest):
    made = _records(phantom.scan(_readers(2, slices=range(15, 95))), chest)
    assert made.missing_negatives > 50
    assert sum(record["label"] for record in made.records) == 80


def test_volume_of_another_length_is_not_accepted(chest):
    scan = phantom.scan(_readers(2, slices=[5]))
    with pytest.raises(ValueError, match="20 slices"):
        scan_records(scan, Volume(chest.hu[:10], chest.z[:10], 0.7), Rules())
