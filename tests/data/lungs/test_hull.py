import numpy as np
import pytest
from scipy import ndimage

from wsns.data.lungs.hull import hull

SIZE = 64


def disc(row, column, radius, size=SIZE):
    y, x = np.mgrid[:size, :size]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def test_hull_closes_a_pleural_nodule_in_and_equals_closing_by_a_disc():
    lungs = np.where(disc(32, 30, 22), 1, 0) * ~disc(32, 52, 5) * ~disc(30, 25, 3)
    closed = hull(lungs, 1.0, closing=7.0, min_part=100.0)
    assert closed[32, 48]
    assert closed[30, 25]
    padded = np.pad(ndimage.binary_fill_holes(lungs), 20)
    expected = ndimage.binary_closing(padded, disc(7, 7, 7.0, 15))[20:-20, 20:-20]
    np.testing.assert_array_equal(closed, ndimage.binary_fill_holes(expected))


def test_hull_keeps_the_lungs_apart_and_drops_small_parts():
    lungs = np.zeros((SIZE, SIZE), np.uint8)
    lungs[10:50, 5:29] = 1
    lungs[10:50, 33:60] = 2
    lungs[55:60, 5:10] = 1
    closed = hull(lungs, 1.0)
    np.testing.assert_array_equal(closed, (lungs > 0) & (np.arange(SIZE)[:, None] < 50))


def test_hull_at_the_border_of_the_crop_and_without_lungs():
    lungs = np.zeros((SIZE, SIZE), np.uint8)
    lungs[:, :20] = 2
    np.testing.assert_array_equal(hull(lungs, 0.7), lungs > 0)
    assert not hull(np.zeros((SIZE, SIZE), np.uint8), 0.7).any()


@pytest.mark.parametrize("spacing", [0.4, 0.7, 1.0])
def test_a_nodule_on_the_pleura_lies_in_the_hull_at_any_pixel_size(spacing):
    size = round(200 / spacing)
    lung = disc(size // 2, size // 2, 60 / spacing, size)
    nodule = lung & disc(size // 2, size // 2 + round(56 / spacing), 5 / spacing, size)
    closed = hull((lung & ~nodule).astype(np.uint8), spacing)
    assert (closed & nodule).sum() > 0.85 * nodule.sum()
    assert (hull((lung & ~nodule).astype(np.uint8), spacing, closing=2.0) & nodule).sum() < 0.5 * nodule.sum()
    assert not (closed & ~lung).any()
