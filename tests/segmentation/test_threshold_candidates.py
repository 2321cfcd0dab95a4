import functools

import discs
import numpy as np
import pytest
from discs import footprint
from scipy import ndimage
from skimage import filters, measure, morphology

from wsns.segmentation.threshold_candidates import level_candidates, overlap, smooth_inside

SIZE = 72
EVERYWHERE = np.ones((SIZE, SIZE), bool)
NOWHERE = ~EVERYWHERE
disc = functools.partial(discs.disc, size=SIZE)


def textured(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), 2.5)
    return np.clip(-700 + 400 * noise / noise.std(), -1100, 300).astype(np.int16)


def by_definition(hu, scope, hull, spacing):
    """The option "full" of the design, on the whole slice and without the limit."""
    clipped = np.where(hull, np.clip(hu, -1000, 200) + 1000.0, 0)
    blur = {"sigma": 1, "truncate": 4, "mode": "constant", "preserve_range": True}
    weight = filters.gaussian(hull.astype(float), **blur)
    smoothed = np.where(weight > 0, filters.gaussian(clipped, **blur) / np.maximum(weight, 1e-300), 0) - 1000
    both = scope & hull
    rules = [((smoothed >= -800) & both, 2), ((smoothed >= -700) & both, 1.5), ((smoothed >= -700) & both, 3)]
    rules += [((hu >= level) & both, radius) for level in (-700, -550, -350) for radius in (1.5, 3)]
    rules += [((hu >= -550) & scope, 5)]
    smallest, found = max(3, 4 / spacing**2), []
    for mask, radius in rules:
        padded = np.pad(mask, 8)
        parts = measure.label(morphology.opening(padded, footprint(radius))[8:-8, 8:-8], connectivity=2)
        for part in range(1, parts.max() + 1):
            grown = morphology.dilation(parts == part, morphology.diamond(1))
            alike = [(grown & other).sum() / (grown | other).sum() for other in found]
            if (parts == part).sum() >= smallest and max(alike, default=0) <= 0.9:
                found.append(grown)
    return sorted(found, key=lambda piece: -piece.sum())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing", [0.5, 0.8, 2.0])
def test_candidates_equal_the_definition(seed, spacing):
    hu, scope, hull = textured(seed), disc(30, 40, 26), disc(36, 30, 30)
    found = level_candidates(hu, scope, hull, spacing, limit=1000)
    expected = by_definition(hu, scope, hull, spacing)
    assert len(expected) > 10
    np.testing.assert_array_equal(found.masks, expected)
    assert found.cut == 0


def test_the_largest_stay_and_the_cut_is_counted():
    every = level_candidates(textured(0), disc(30, 40, 26), EVERYWHERE, 0.7, limit=1000)
    few = level_candidates(textured(0), disc(30, 40, 26), EVERYWHERE, 0.7)
    assert len(every.masks) > 16
    np.testing.assert_array_equal(few.masks, every.masks[:16])
    assert few.cut == len(every.masks) - 16
    assert (np.diff(every.masks.sum(axis=(1, 2))) <= 0).all()


def test_no_two_candidates_are_alike():
    masks = level_candidates(textured(1), EVERYWHERE, EVERYWHERE, 0.7, limit=1000).masks
    alike = [overlap(a, b) for n, a in enumerate(masks) for b in masks[:n]]
    assert 0 < max(alike) <= 0.9


def test_a_faint_nodule_in_noise_has_an_outline_that_is_close():
    nodule = disc(30, 30, 8)
    noise = np.random.default_rng(0).normal(0, 60, (SIZE, SIZE))
    hu = np.where(nodule, -680, -870) + noise
    masks = level_candidates(hu, disc(30, 30, 24), EVERYWHERE, 0.7).masks
    assert max(overlap(mask, nodule) for mask in masks) > 0.75


def test_a_nodule_that_the_hull_cuts_is_a_candidate_whole():
    nodule = disc(36, 36, 9)
    hu = np.where(nodule, 0, -900)
    masks = level_candidates(hu, EVERYWHERE, disc(36, 10, 24), 0.7).masks
    assert max(overlap(mask, nodule) for mask in masks) > 0.75


def test_a_candidate_at_the_border_stays_in_the_slice():
    found = level_candidates(np.where(disc(0, 30, 7), 0, -900), EVERYWHERE, EVERYWHERE, 0.7)
    assert found.masks[0][0, 30]


def test_air_an_empty_scope_and_specks_give_no_candidate():
    speck = np.full((SIZE, SIZE), -900)
    speck[20, 20:22] = 0
    for hu, scope in ((speck * 0 - 900, EVERYWHERE), (speck, EVERYWHERE), (speck * 0, NOWHERE)):
        found = level_candidates(hu, scope, EVERYWHERE, 0.7)
        assert found.masks.shape == (0, SIZE, SIZE)
        assert found.cut == 0


def test_without_a_hull_only_the_dense_cores_are_left():
    found = level_candidates(np.where(disc(30, 30, 8), -400, -900), EVERYWHERE, NOWHERE, 0.7)
    assert len(found.masks) == 1
    assert not (found.masks[0] & ~disc(30, 30, 9)).any()


def test_smoothing_keeps_a_constant_up_to_the_hulls_edge_and_its_mean_inside():
    hull = disc(36, 36, 20)
    flat = smooth_inside(np.where(hull, -650, 3000), hull)
    np.testing.assert_allclose(flat[hull], -650, atol=1e-9)
    assert flat[0, 0] == -1000
    rng = np.random.default_rng(0)
    hu = rng.integers(-900, 100, (SIZE, SIZE))
    middle = disc(36, 36, 12)
    expected = ndimage.gaussian_filter(hu.astype(float), 1)
    np.testing.assert_allclose(smooth_inside(hu, hull)[middle], expected[middle], atol=1e-9)


def test_smoothing_clips_bone_and_air():
    wide = smooth_inside(np.full((8, 8), 3000), np.ones((8, 8), bool))
    np.testing.assert_allclose(wide, 200)
    np.testing.assert_allclose(smooth_inside(np.full((8, 8), -1024), np.ones((8, 8), bool)), -1000)
