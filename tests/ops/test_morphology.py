import numpy as np
import pytest
from scipy import ndimage

from wsns.ops.morphology import EIGHT, FOUR, box, dilated, eroded, filled, grown, large_parts, opened, shrunk

SIZE = 64
EVERYWHERE = np.ones((SIZE, SIZE), bool)
NOWHERE = np.zeros((SIZE, SIZE), bool)


def random_blobs(shape, seed=0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2) > 0.03


def footprint(radius):
    reach = int(radius)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return y**2 + x**2 <= radius**2


@pytest.mark.parametrize("shape", [(SIZE, SIZE), (9, SIZE), (SIZE, 5)])
@pytest.mark.parametrize("radius", [1.5, 3.0, 5.0, 14.2])
def test_discs_equal_those_of_scipy(radius, shape):
    assert footprint(1.5).sum() == 9
    assert footprint(3.0).sum() == 29
    mask = random_blobs(shape)
    np.testing.assert_array_equal(dilated(mask, radius), ndimage.binary_dilation(mask, footprint(radius)))
    np.testing.assert_array_equal(eroded(mask, radius), ndimage.binary_erosion(mask, footprint(radius)))
    np.testing.assert_array_equal(opened(mask, radius), ndimage.binary_opening(mask, footprint(radius)))


def test_discs_in_nothing_and_in_everything():
    assert not dilated(NOWHERE, 90.0).any()
    assert dilated(EVERYWHERE, 3.0).all()
    assert not opened(np.zeros((9, 9), bool), 3.0).any()
    np.testing.assert_array_equal(opened(EVERYWHERE, 3.0), ndimage.binary_opening(EVERYWHERE, footprint(3.0)))


@pytest.mark.parametrize("shape", [(SIZE, SIZE), (7, 30, 20), (1, 5, 1)])
def test_single_steps_equal_those_of_scipy(shape):
    mask = random_blobs(shape)
    np.testing.assert_array_equal(grown(mask), ndimage.binary_dilation(mask))
    np.testing.assert_array_equal(shrunk(mask), ndimage.binary_erosion(mask))


def test_filled_equals_scipy_and_leaves_a_bay_open():
    for seed in range(5):
        mask = random_blobs((SIZE, SIZE), seed)
        np.testing.assert_array_equal(filled(mask), ndimage.binary_fill_holes(mask))
    ring = EVERYWHERE & ~np.pad(np.ones((SIZE - 2, SIZE - 2), bool), 1)
    assert filled(ring).all()
    ring[0, 5] = False
    assert not filled(ring)[5, 5]


def test_large_parts_by_neighbourhood():
    mask = NOWHERE.copy()
    mask[2:4, 2:4] = mask[4:6, 4:6] = True
    np.testing.assert_array_equal(large_parts(mask, 8, EIGHT), mask)
    assert not large_parts(mask, 8, FOUR).any()


def test_box_of_a_mask_of_a_voxel_and_of_nothing():
    mask = np.zeros((4, 5, 6), bool)
    assert box(mask) == (slice(0, 4), slice(0, 5), slice(0, 6))
    mask[3, 0, 5] = True
    assert box(mask) == (slice(3, 4), slice(0, 1), slice(5, 6))
    mask[1, 2] = True
    assert box(mask) == (slice(1, 4), slice(0, 3), slice(0, 6))
