import dataclasses

import numpy as np
import pytest
import torch
from evaluation_cases import disc
from monai import metrics as monai

from wsns.evaluation.surface_distance import compare_surfaces


def square(low, high, size=12):
    mask = np.zeros((size, size), bool)
    mask[low:high, low:high] = True
    return mask


def test_a_square_in_a_square():
    """Outlines of 4 and 12 pixels, two pixels apart: the inner one's are 1 away, the outer corners more."""
    found = compare_surfaces(square(4, 6), square(3, 7), 2.0)
    corners, sides = 4 * np.sqrt(2), 8
    assert found.assd_mm == pytest.approx(2.0 * (4 * 1 + corners + sides) / 16)
    assert found.hd95_mm == pytest.approx(2 * np.sqrt(2))
    assert found.surface_dice == 0
    assert compare_surfaces(square(4, 6), square(3, 7), 1.0).surface_dice == 12 / 16


def test_single_pixels_are_as_far_apart_as_their_centres():
    a, b = np.zeros((2, 9, 9), bool)
    a[1, 1], b[4, 5] = True, True
    found = compare_surfaces(a, b, 0.5)
    assert (found.hd95_mm, found.assd_mm, found.surface_dice) == (2.5, 2.5, 0)
    assert compare_surfaces(a, b, 0.5, tolerance=2.5).surface_dice == 1


def test_equal_masks_are_0_apart_and_an_empty_one_has_no_outline():
    mask = disc(40, (0, 20), 7)
    same = compare_surfaces(mask, mask, 0.7)
    assert (same.hd95_mm, same.assd_mm, same.surface_dice) == (0, 0, 1)
    assert compare_surfaces(mask, np.zeros_like(mask), 0.7) is None
    assert compare_surfaces(np.zeros_like(mask), mask, 0.7) is None


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("seed", range(12))
def test_distances_equal_monai_s(seed):
    rng = np.random.default_rng(seed)
    spacing = float(rng.uniform(0.4, 1.0))
    masks = [
        disc(64, tuple(rng.integers(8, 56, 2)), rng.uniform(1, 9)) & (rng.random((64, 64)) < 0.9)
        for _ in range(2)
    ]
    if seed == 0:
        masks[0] |= disc(64, (0, 63), 6)
    found = compare_surfaces(*masks, spacing)
    a, b = (torch.from_numpy(mask[None, None]) for mask in masks)
    settings = {"include_background": True, "spacing": spacing}
    hausdorff = monai.compute_hausdorff_distance(a, b, percentile=95, **settings)
    average = monai.compute_average_surface_distance(a, b, symmetric=True, **settings)
    within = monai.compute_surface_dice(a, b, class_thresholds=[1.0], **settings)
    assert found.hd95_mm == pytest.approx(float(hausdorff), rel=1e-5)
    assert found.assd_mm == pytest.approx(float(average), rel=1e-5)
    assert found.surface_dice == pytest.approx(float(within), rel=1e-5)
    exchanged = compare_surfaces(masks[1], masks[0], spacing)
    assert dataclasses.astuple(exchanged) == pytest.approx(dataclasses.astuple(found))
