import numpy as np
import phantom
import pytest

from wsns.data.lidc import annotations
from wsns.data.lidc.annotations import Cluster, Contour, Drawing
from wsns.data.lidc.selection import Reading, count_positives, negatives, select


def _readers(number, *, slices, i=250, j=150, size=8):
    return [[phantom.square(k, i + n % 2, j, size) for k in slices] for n in range(number)]


def _select(scan, **fields):
    reading = Reading(**fields)
    return select(scan, annotations.cluster(scan, reading.drawing()), reading)


def test_every_slice_is_in_one_group():
    two = _readers(2, slices=[4, 5, 6])
    one = [[phantom.square(11, 300, 400, 8)]]
    chosen = _select(phantom.scan(two + one))
    assert chosen.positive == {4: (0,), 5: (0,), 6: (0,)}
    assert chosen.uncertain == (11,)
    assert chosen.too_many == ()
    assert chosen.free == (0, 1, 2, 3, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19)


def test_groups_part_the_slices_of_real_annotations():
    scans = list(annotations.load_scans().values())[::50]
    readings = [
        Reading(),
        Reading(agreement=3, max_nodules=1),
        Reading(contour="inside", single_contours=False),
    ]
    for scan, reading in ((scan, reading) for scan in scans for reading in readings):
        chosen = select(scan, annotations.cluster(scan, reading.drawing()), reading)
        groups = [*chosen.positive, *chosen.too_many, *chosen.free, *chosen.uncertain]
        assert sorted(groups) == list(range(len(scan.z)))
        assert count_positives(scan, reading) == len(chosen.positive)


def test_masks_that_do_not_share_a_pixel_are_not_two_readers():
    beside = [[phantom.square(4, 100, 100, 5)], [phantom.square(4, 100, 105, 5)]]
    scan = phantom.scan(beside)
    assert len(annotations.cluster(scan)) == 1
    assert _select(scan).positive == {}
    assert _select(scan).uncertain == (4,)
    # Their common line belongs to both where the line lies inside.
    assert _select(scan, contour="inside").positive == {4: (0,)}


def test_contours_without_a_pixel_are_not_free():
    dots = [[Contour(4, True, np.array([[100, 100]]))], [Contour(4, True, np.array([[100, 100]]))]]
    chosen = _select(phantom.scan(dots), agreement=1)
    assert chosen.positive == {}
    assert chosen.uncertain == (4,)


def test_agreement():
    scan = phantom.scan(_readers(3, slices=[4, 5]) + _readers(1, slices=[6]))
    assert set(_select(scan).positive) == {4, 5}
    assert set(_select(scan, agreement=1).positive) == {4, 5, 6}
    assert set(_select(scan, agreement=3).positive) == {4, 5}
    assert set(_select(scan, agreement=5).positive) == set()


def test_overlap_of_two_nodules_does_not_add_up():
    """Only masks of one nodule are readers who agree; here two readers each drew one of two."""
    mask = np.ones((1, 1, 5, 5), bool)
    scan = phantom.scan([[phantom.square(4, 50, 50, 4)], [phantom.square(4, 50, 50, 4)]])
    apart = [Cluster((annotation,), (4, 50, 50), mask) for annotation in scan.annotations]
    assert select(scan, apart, Reading()).positive == {}


def test_share_of_the_annotations():
    half = Reading(agreement=1, agreement_share=0.5)
    assert [half.needed(n) for n in range(1, 9)] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [Reading(agreement_share=0.5).needed(n) for n in range(1, 7)] == [2, 2, 2, 2, 3, 3]
    # Four drew the nodule, two of them slice 5 too, and one slice 6.
    readers = [_readers(1, slices=slices)[0] for slices in ([4, 5, 6], [4, 5], [4], [4])]
    scan = phantom.scan(readers)
    assert set(_select(scan, agreement=1, agreement_share=0.5).positive) == {4, 5}
    assert set(_select(scan, agreement=1, agreement_share=0.75).positive) == {4}
    assert set(_select(scan, agreement=1, agreement_share=0.25).positive) == {4, 5, 6}


@pytest.mark.parametrize("annotations_", range(1, 9))
def test_share_is_not_rounded_up_beyond_itself(annotations_):
    for needed in range(1, annotations_ + 1):
        assert Reading(agreement=1, agreement_share=needed / annotations_).needed(annotations_) == needed


def test_nodules_of_few_readers_do_not_count():
    scan = phantom.scan(_readers(3, slices=[4]) + _readers(1, slices=[8], j=300))
    assert _select(scan, agreement=1).positive == {4: (0,), 8: (1,)}
    chosen = _select(scan, agreement=1, min_readers=2)
    assert chosen.positive == {4: (0,)}
    assert chosen.uncertain == (8,)


def test_dropped_annotations_leave_a_slice_uncertain():
    scan = phantom.scan(_readers(2, slices=[4]) + _readers(2, slices=[8, 9], j=300))
    chosen = _select(scan, single_contours=False)
    assert set(chosen.positive) == {8, 9}
    assert chosen.uncertain == (4,)
    assert Reading(contour="inside", single_contours=False).drawing() == Drawing("inside", False)


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
    assert negatives("1.2", (), span, 5, 0) == ()


def test_negatives_are_drawn_evenly():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[list(negatives("1.2", range(10), range(10), 3, seed))] += 1
    # 600 each; four standard deviations of a draw with probability 0.3.
    assert np.abs(counts - 600).max() < 4 * np.sqrt(2000 * 0.3 * 0.7)
