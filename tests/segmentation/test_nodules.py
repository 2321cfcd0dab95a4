"""Results of slices become nodules: hand-made volumes, and what must hold for any."""

import numpy as np
import pytest

from wsns.segmentation import nodules
from wsns.segmentation.nodules import Piece, bridged

SIZE = {"step": 2.0, "pixel": 0.5}


def volume(depth=6, side=12):
    return np.zeros((depth, side, side), bool)


def join(results, scores, **how):
    """Each slice one piece, as a single crop gives them."""
    pieces = [
        Piece(k, (0, 0), plane, {name: float(values[k]) for name, values in scores.items()})
        for k, plane in enumerate(results)
        if plane.any()
    ]
    return nodules.join(pieces, results.shape, **how)


def scored(*values):
    return {"probability": np.array(values, float), "maps": np.arange(len(values), 0.0, -1)}


def test_slices_that_touch_are_one_nodule_and_the_likelier_comes_first():
    results = volume()
    results[1, 2:4, 2:4] = True
    results[2, 4:6, 4:6] = True  # touches by a corner
    results[5, 8:10, 8:10] = True
    found = join(results, scored(0, 0.3, 0.4, 0, 0, 0.9), ranks="probability", **SIZE)
    assert found.labels.dtype == np.uint16
    assert (found.labels[5, 8:10, 8:10] == 1).all()
    assert (found.labels[1, 2:4, 2:4] == 2).all()
    assert (found.labels[2, 4:6, 4:6] == 2).all()
    assert [own["probability"] for own in found.scores] == [0.9, 0.4]
    assert found.scores[1]["maps"] == 5


def test_other_scores_order_otherwise():
    results = volume()
    results[0, 0, 0] = results[5, 5, 5] = True
    found = join(results, scored(0.2, 0, 0, 0, 0, 0.9), ranks="maps", **SIZE)
    assert found.labels[0, 0, 0] == 1
    assert found.labels[5, 5, 5] == 2


def test_hysteresis_keeps_faint_slices_of_a_clear_nodule_and_drops_what_is_faint_everywhere():
    results = volume()
    results[0:3, 2:4, 2:4] = True
    results[4:6, 8:10, 8:10] = True
    found = join(results, scored(0.2, 0.8, 0.2, 0, 0.4, 0.3), ranks="probability", least=0.5, **SIZE)
    assert len(found.scores) == 1
    assert found.labels.astype(bool).sum() == 12
    assert found.labels[0, 2, 2] == 1


def test_one_missing_slice_is_bridged_by_what_its_neighbours_share_and_two_are_not():
    results = volume(8)
    results[1, 2:6, 2:6] = True
    results[3, 4:8, 4:8] = True
    results[6, 4:8, 4:8] = True
    found = join(results, scored(*[0.5] * 8), ranks="probability", **SIZE)
    assert found.labels[1, 2, 2] == found.labels[2, 4, 4] == found.labels[3, 7, 7] != found.labels[6, 5, 5]
    assert found.labels[2].astype(bool).sum() == 4
    assert not found.labels[4:6].any()


def test_a_slice_that_has_something_there_is_not_filled_but_something_elsewhere_does_not_matter():
    results = volume(3)
    results[0, 2:6, 2:6] = results[2, 2:6, 2:6] = True
    results[1, 5:7, 5:7] = True
    np.testing.assert_array_equal(bridged(results), results)
    results[1] = False
    results[1, 10:, 10:] = True
    filled = bridged(results)
    assert filled[1, 2:6, 2:6].all()
    assert filled[1].sum() == 16 + 4


def test_small_ones_are_dropped_by_the_diameter_of_a_ball():
    results = volume()
    results[0, 0:4, 0:4] = True  # 8 mm³, a ball of 2.48 mm
    for smallest, count in ((2.4, 1), (2.5, 0)):
        found = join(results, scored(*[0.5] * 6), ranks="probability", smallest=smallest, **SIZE)
        assert len(found.scores) == count
        assert found.labels.max() == count


def test_nothing_found_is_no_nodule():
    found = join(volume(), scored(*[0.0] * 6), ranks="probability", **SIZE)
    assert found.scores == ()
    assert not found.labels.any()
    assert join(volume(1), scored(0.0), ranks="probability", **SIZE).labels.shape == (1, 12, 12)


@pytest.mark.parametrize("seed", range(5))
def test_every_voxel_is_in_one_nodule_and_turning_the_scan_over_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    results = rng.random((9, 14, 14)) < 0.06
    scores = {"probability": rng.random(9)}
    found = join(results, scores, ranks="probability", **SIZE)
    assert found.labels[results].all()
    assert set(np.unique(found.labels)) == set(range(len(found.scores) + 1))
    values = [own["probability"] for own in found.scores]
    assert values == sorted(values, reverse=True)
    other = join(results[::-1], {"probability": scores["probability"][::-1]}, ranks="probability", **SIZE)
    assert [own["probability"] for own in other.scores] == values
    np.testing.assert_array_equal(other.labels[::-1] > 0, found.labels > 0)


def test_pieces_of_two_crops_that_overlap_are_one_nodule_with_the_higher_score():
    square = np.ones((4, 4), bool)
    pieces = [
        Piece(1, (2, 2), square, {"p": 0.2}),
        Piece(1, (4, 4), square, {"p": 0.7}),
        Piece(2, (9, 9), square, {"p": 0.1}),
    ]
    found = nodules.join(pieces, (4, 12, 12), ranks="p", **SIZE)
    assert [own["p"] for own in found.scores] == [0.7, 0.1]
    assert (found.labels[1] == 1).sum() == 16 + 16 - 4
    assert (found.labels[2] == 2).sum() == 9, "what lies outside the scan is cut off"


def test_a_piece_before_the_scans_corner_is_cut_off():
    found = nodules.join(
        [Piece(0, (-3, -2), np.ones((4, 4), bool), {"p": 1.0})], (1, 5, 5), ranks="p", **SIZE
    )
    assert np.argwhere(found.labels).tolist() == [[0, 0, 0], [0, 0, 1]]
