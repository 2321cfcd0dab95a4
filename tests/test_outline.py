import numpy as np
import pytest

from wsns.errors import InputError
from wsns.segmentation.outline import choose, compactness, cut, same_object

SIZE = 32


def disc(row, column, radius):
    y, x = np.mgrid[:SIZE, :SIZE]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


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
        choose(scores, masks, "largest")


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
