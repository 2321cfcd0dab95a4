"""Sizes of bodies whose sizes are known."""

import dataclasses

import numpy as np
import pytest

from wsns.evaluation.nodule_size import measure


def test_a_brick():
    labels = np.zeros((5, 20, 20), np.uint16)
    labels[1:4, 5:9, 3:6] = 1
    hu = np.full(labels.shape, -850)
    hu[labels > 0] = 40
    (found,) = measure(labels, hu, step=2.0, pixel=0.5)
    assert found.centre == (4.0, 6.5, 2.0)
    assert found.slices == (1, 3)
    assert found.volume_mm3 == 3 * 4 * 3 * 2.0 * 0.25
    assert found.long_axis_mm == pytest.approx(2.5)  # the diagonal of 2 by 1.5 mm
    assert found.short_axis_mm == pytest.approx(2.4)  # twice the triangle's height on it
    assert (found.mean_hu, found.cut, found.mean_axis_mm) == (40, False, 2)


@pytest.mark.parametrize("angle", [0, 30, 77])
def test_an_ellipsoid_at_any_angle(angle):
    z, y, x = np.indices((40, 120, 120)) - np.array([20, 60, 60])[:, None, None, None]
    turn = np.radians(angle)
    a, b = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    labels = ((a / 40) ** 2 + (b / 20) ** 2 + (z / 12) ** 2 <= 1).astype(np.uint16)
    (found,) = measure(labels, labels, step=1.25, pixel=0.7)
    assert found.long_axis_mm == pytest.approx(80 * 0.7, rel=0.03)
    assert found.short_axis_mm == pytest.approx(40 * 0.7, rel=0.05)
    assert found.volume_mm3 == pytest.approx(4 / 3 * np.pi * 40 * 20 * 12 * 0.49 * 1.25, rel=0.01)
    assert found.centre == pytest.approx((60, 60, 20))


def test_several_keep_their_numbers_and_one_at_the_edge_says_so():
    labels = np.zeros((4, 9, 9), np.uint16)
    labels[3, 4, 4], labels[1, 2, 2] = 1, 2
    first, second = measure(labels, labels, step=1.0, pixel=1.0)
    assert (first.cut, second.cut) == (True, False)
    assert (first.centre, second.centre) == ((4, 4, 3), (2, 2, 1))
    assert first.long_axis_mm == pytest.approx(2**0.5)
    assert measure(np.zeros((2, 3, 3), int), labels, step=1.0, pixel=1.0) == []


@pytest.mark.parametrize(("long", "short", "mean"), [(6.0, 5.0, 6), (6.0, 4.9, 5), (3.0, 3.0, 3)])
def test_the_mean_axis_is_rounded_half_up(long, short, mean):
    labels = np.zeros((3, 9, 9), np.uint16)
    labels[1, 4, 4] = 1
    (found,) = measure(labels, labels, step=1.0, pixel=1.0)
    assert dataclasses.replace(found, long_axis_mm=long, short_axis_mm=short).mean_axis_mm == mean
