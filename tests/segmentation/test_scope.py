import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from wsns.segmentation.scope import blobs, first_scopes, narrowed_scope, smooth

SIZE = 64
EVERYWHERE = np.ones((SIZE, SIZE), bool)


def bumps(*bumps):
    """A map with bumps (row, column, height, sigma)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return sum(h * np.exp(-((y - r) ** 2 + (x - c) ** 2) / (2 * s**2)) for r, c, h, s in bumps)


def disc(row, column, radius):
    y, x = np.mgrid[:SIZE, :SIZE]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def prominence_by_levels(values, region, peak):
    """Lowers a level until the peak's component holds something higher."""
    for level in np.unique(values[region])[::-1]:
        if level > values[peak]:
            continue
        parts = label(region & (values >= level), connectivity=2)
        if values[parts == parts[peak]].max() > values[peak]:
            return values[peak] - level
    return values[peak] - values[region].min()


def test_basins_of_a_small_map():
    values = np.array([[9.0, 7, 6, 8, 5], [7, 6, 5, 7, 5], [1, 1, 1, 1, 1], [5, 5, 1, 6, 6], [5, 5, 1, 6, 6]])
    found = blobs(values, np.ones((5, 5), bool), 0.4)
    assert [(b.peak, b.height, b.prominence) for b in found] == [
        ((0, 0), 9, 4),
        ((0, 3), 8, 2),
        ((3, 3), 6, 1),
        ((3, 0), 5, 0),
    ]
    basins = [[1, 1, 2, 2, 2], [1, 1, 2, 2, 2], [0] * 5, [4, 4, 0, 3, 3], [4, 4, 0, 3, 3]]
    np.testing.assert_array_equal(sum(n * b.mask for n, b in enumerate(found, start=1)), basins)


@pytest.mark.parametrize("seed", range(4))
def test_prominence_equals_the_level_at_which_a_higher_peak_joins(seed):
    rng = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(rng.normal(size=(40, 40)), 2.5)
    hull = np.pad(np.ones((40 - 2 * seed, 40 - 2 * seed), bool), seed)
    found = blobs(values, hull, 0.2)
    region = hull & (values > 0.2 * values[hull].max())
    assert len(found) > 3
    for blob in found:
        assert blob.prominence == pytest.approx(prominence_by_levels(values, region, blob.peak), abs=1e-12)
    assert [b.prominence for b in found] == sorted((b.prominence for b in found), reverse=True)
    np.testing.assert_array_equal(np.sum([b.mask for b in found], axis=0), region)


def test_two_nodules_are_two_scopes_the_higher_first():
    values = bumps((20, 20, 1.0, 5), (45, 40, 0.8, 5))
    scopes, whole = first_scopes(values, EVERYWHERE, 0.5, count=2)
    assert not whole
    assert [scope[20, 20] for scope in scopes] == [True, False]
    assert [scope[45, 40] for scope in scopes] == [False, True]
    assert not (scopes[0] & scopes[1]).any()
    assert len(first_scopes(values, EVERYWHERE, 0.5, count=5)[0]) == 2


def test_a_lone_blob_is_more_prominent_than_a_shoulder():
    values = bumps((20, 20, 1.0, 6), (20, 34, 0.9, 6), (52, 52, 0.7, 3))
    found = blobs(values, EVERYWHERE, 0.5)
    assert [b.peak for b in found][:2] == [(20, 21), (52, 52)]


def test_equal_peaks_are_ordered_by_position():
    values = np.zeros((SIZE, SIZE))
    values[10:13, 10:13] = values[10:13, 40:43] = values[40, 20] = 1.0
    assert [b.peak for b in blobs(values, EVERYWHERE, 0.5)] == [(10, 10), (10, 40), (40, 20)]


def test_the_hull_cuts_and_its_own_maximum_counts():
    values = bumps((10, 10, 5.0, 4), (45, 45, 1.0, 4))
    scopes, whole = first_scopes(values, disc(45, 45, 10), 0.5)
    assert not whole
    assert scopes[0][45, 45]
    assert not (scopes[0] & ~disc(45, 45, 10)).any()


def test_a_peak_outside_the_hull_leaves_a_basin_at_its_edge():
    hull = np.zeros((SIZE, SIZE), bool)
    hull[:, 30:] = True
    (blob,) = blobs(bumps((20, 25, 1.0, 8)), hull, 0.5)
    assert blob.peak == (20, 30)


@pytest.mark.parametrize("values", [np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), -2.0)])
def test_a_map_without_positive_values_gives_the_whole_hull_and_says_so(values):
    hull = disc(30, 30, 12)
    assert blobs(values, hull, 0.5) == []
    (scope,), whole = first_scopes(values, hull, 0.5, count=2)
    assert whole
    np.testing.assert_array_equal(scope, hull)


def test_a_flat_positive_map_is_one_blob():
    hull = disc(30, 30, 12)
    (blob,) = blobs(np.ones((SIZE, SIZE)), hull, 0.5)
    np.testing.assert_array_equal(blob.mask, hull)
    assert blob.prominence == 0


@pytest.mark.parametrize("side", [1, 3])
def test_a_hull_of_one_pixel_or_one_value_is_one_blob(side):
    hull = np.zeros((9, 9), bool)
    hull[2 : 2 + side, 3 : 3 + side] = True
    (blob,) = blobs(np.ones((9, 9)), hull, tau=0.5)
    np.testing.assert_array_equal(blob.mask, hull)


def test_no_lung_gives_an_empty_scope():
    (scope,), whole = first_scopes(bumps((20, 20, 1.0, 5)), np.zeros((SIZE, SIZE), bool), 0.5)
    assert whole
    assert not scope.any()


def test_narrowed_scope_is_the_blob_inside_c1_cut_by_it():
    first = disc(20, 20, 10)
    values = bumps((22, 22, 0.8, 3), (45, 45, 1.0, 4))
    narrow = narrowed_scope(values, EVERYWHERE, first, 0.5, 0.5)
    assert narrow[22, 22]
    assert not (narrow & ~first).any()
    assert narrow.sum() < first.sum()


def test_narrowed_scope_falls_back_to_c1():
    first = disc(20, 20, 10)
    outside = bumps((45, 45, 1.0, 4))
    weak = bumps((20, 20, 0.4, 3), (45, 45, 1.0, 4))
    hull = disc(20, 20, 15)
    for values, where in ((outside, EVERYWHERE), (weak, hull), (-outside, EVERYWHERE)):
        np.testing.assert_array_equal(narrowed_scope(values, where, first, 0.5, 0.5), first)
    assert narrowed_scope(weak, hull, first, 0.5, 0.3).sum() < first.sum()


def test_smoothing_keeps_the_mean_and_spreads_a_pixel():
    values = np.zeros((SIZE, SIZE), np.float32)
    values[30, 30] = 1
    spread = smooth(values, 3.0)
    assert spread.sum() == pytest.approx(1, abs=1e-6)
    assert spread[30, 30] == pytest.approx(1 / (2 * np.pi * 9), rel=0.01)
