import functools

import discs
import numpy as np
import pytest
from scipy import ndimage
from skimage import morphology

from wsns.errors import InputError
from wsns.segmentation.selection import agreement, choose, compactness, cut, edge_gradients, same_object

SIZE = 48
disc = functools.partial(discs.disc, size=SIZE)


def test_compactness_is_one_for_ellipses_and_less_for_a_branch():
    y, x = np.mgrid[:SIZE, :SIZE]
    ellipse = ((y - 16) / 6) ** 2 + ((x - 15) / 12) ** 2 <= 1
    branch = ellipse & disc(16, 15, 4) | (abs(y - 16) < 1)
    assert compactness(disc(16, 16, 8)) == pytest.approx(1, abs=0.01)
    assert compactness(ellipse) == pytest.approx(1, abs=0.02)
    assert compactness(branch) < 0.8
    assert compactness(disc(3, 3, 0)) == pytest.approx(12 / (4 * np.pi))


def test_outline_is_the_most_compact_of_the_winning_object():
    nodule = disc(10, 10, 4)
    tailed = nodule.copy()
    tailed[10, 10:30] = True
    elsewhere = disc(24, 24, 5)
    masks = np.stack([tailed, nodule, elsewhere])
    scores = np.array([3.0, 2.0, 1.0])
    np.testing.assert_array_equal(same_object(masks, 0), [True, True, False])
    assert choose(scores, masks, "eq4") == 0
    assert choose(scores, masks) == 1
    assert choose(np.array([1.0, 2.0, 3.0]), masks) == 2
    with pytest.raises(InputError, match="outline"):
        choose(scores, masks, "nonsense")


def test_equally_compact_outlines_go_to_the_larger():
    y, x = np.mgrid[:SIZE, :SIZE]
    small, large = ((abs(y - 15.5) < r) & (abs(x - 15.5) < r) for r in (3, 6))
    assert compactness(small) == pytest.approx(compactness(large), rel=1e-12)
    assert choose(np.array([2.0, 1.0]), np.stack([small, large])) == 1


def test_no_candidate_is_no_choice():
    assert choose(np.zeros(0, np.float32), np.zeros((0, SIZE, SIZE), bool)) is None


def test_candidates_are_cut_to_what_holds_them_all():
    masks = np.stack([disc(10, 8, 3), disc(20, 9, 4)])
    near = cut(masks)
    assert near.shape == (2, 24 - 7 + 1, 13 - 5 + 1)
    np.testing.assert_array_equal(near, masks[:, 7:25, 5:14])


def blurred(mask, high=-100.0, low=-850.0):
    return ndimage.gaussian_filter(np.where(mask, high, low), 1.0)


def test_the_gradient_is_that_of_a_ramp():
    ramp = np.add.outer(np.zeros(SIZE), np.arange(SIZE)) * 7.0 - 700
    found = edge_gradients(ramp, np.stack([disc(24, 24, 6), disc(20, 20, 3)]))
    np.testing.assert_allclose(found, 7, rtol=1e-3)


def test_the_gradient_equals_its_definition_on_the_whole_slice():
    hu = np.random.default_rng(0).normal(-600, 500, (SIZE, SIZE))
    masks = np.stack([disc(24, 30, 9), disc(2, 3, 5), disc(40, 40, 2)])
    clipped = np.clip(hu, -1000, 200)
    y, x = (ndimage.gaussian_filter(clipped, 1, order=order, mode="nearest") for order in ((1, 0), (0, 1)))
    inner = [morphology.erosion(np.pad(mask, 1), morphology.diamond(1))[1:-1, 1:-1] for mask in masks]
    expected = [np.hypot(y, x)[mask & ~inside].mean() for mask, inside in zip(masks, inner, strict=True)]
    np.testing.assert_allclose(edge_gradients(hu, masks), expected, rtol=1e-9)


def test_bone_makes_no_edge_steeper_than_the_window():
    step = np.where(disc(24, 24, 8), 200, -1000)
    steeper = np.where(disc(24, 24, 8), 1500, -3000)
    mask = disc(24, 24, 8)[None]
    np.testing.assert_allclose(edge_gradients(step, mask), edge_gradients(steeper, mask))


def test_agreement_is_the_mean_dice_with_the_others():
    masks = np.zeros((3, 4, 4), bool)
    masks[0, 0, :2] = masks[1, 0, :] = masks[2, 3, :] = True
    # |0|=2, |1|=4, |2|=4; only 0 and 1 share pixels: 2 of them.
    np.testing.assert_allclose(agreement(masks), [(2 * 2 / 6) / 2, (2 * 2 / 6) / 2, 0], atol=1e-7)
    np.testing.assert_array_equal(agreement(masks[:1]), [1])


@pytest.mark.parametrize("winner", range(5))
def test_the_edge_rule_finds_the_true_outline_whichever_of_the_object_wins(winner):
    masks = np.stack([disc(24, 24, radius) for radius in (16, 13, 10, 7, 5)])
    edges = edge_gradients(blurred(disc(24, 24, 10)), masks)
    scores = np.zeros(5)
    scores[winner] = 1
    # The smallest lies wholly inside the largest, so each is of the object of every other.
    assert choose(scores, masks, "edge", edges) == 2


def test_another_object_with_a_steeper_edge_is_not_taken():
    nodule, vessel = disc(14, 14, 6), disc(36, 36, 6)
    hu = blurred(nodule, -500) + np.where(vessel, 500, 0)
    masks = np.stack([disc(14, 14, 9), nodule, vessel])
    edges = edge_gradients(hu, masks)
    assert edges.argmax() == 2
    assert choose(np.array([2.0, 1.0, 0.0]), masks, "edge", edges) == 1


def test_equal_outlines_go_to_the_larger():
    masks = np.stack([disc(24, 24, 5), disc(24, 24, 8)])
    assert choose(np.array([1.0, 0.0]), masks, "edge", np.array([3.0, 3.0])) == 1


def test_no_candidates_have_no_edges_and_no_choice():
    none = np.zeros((0, SIZE, SIZE), bool)
    edges = edge_gradients(np.zeros((SIZE, SIZE)), none)
    assert edges.shape == (0,)
    assert choose(np.zeros(0), none, "edge", edges) is None


def test_the_edge_rule_without_gradients_is_refused():
    with pytest.raises(ValueError, match="edge gradients"):
        choose(np.ones(1), disc(24, 24, 5)[None], "edge")
