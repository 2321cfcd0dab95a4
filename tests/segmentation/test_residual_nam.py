import functools

import discs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from wsns.errors import InputError
from wsns.segmentation.nam import Reading
from wsns.segmentation.residual_nam import FLOOR, Masking, capacity, fill_values, masked_copy, screen

SIZE = 32
disc = functools.partial(discs.disc, size=SIZE)
PARAMS = {"kernel": jnp.asarray(np.random.default_rng(0).normal(size=(5, 5, 1, 1)), jnp.float32)}


def read(params, hu):
    """A linear network: one 5x5 convolution of the slice in units of 1000 HU."""
    images = hu[..., None] / 1000
    convolved = jax.lax.conv_general_dilated(
        images, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return Reading(jnp.ones(len(hu)), convolved[..., 0])


def example(count, seed=0):
    """A slice with noise, and `count` discs to mask with their values."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-800, 100, (SIZE, SIZE)).astype(np.float32)
    masks = np.stack([disc(*rng.integers(0, SIZE, 2), rng.integers(1, 6)) for _ in range(count)])
    return hu, masks, rng.normal(-850, 30, count).astype(np.float32)


def screened(examples, scope, params=PARAMS, **settings):
    """Scores of all the examples' maskings, in one call."""
    hu = np.stack([hu for hu, _, _ in examples])
    maskings = [
        Masking(n, mask, float(value), scope)
        for n, (_, masks, values) in enumerate(examples)
        for mask, value in zip(masks, values, strict=True)
    ]
    return screen(read, params, hu, read(params, hu), maskings, **settings)


def scores_by_loop(hu, masks, values, scope):
    """Eq. 4, one forward pass after another, in NumPy and SciPy."""
    kernel = np.asarray(PARAMS["kernel"], float)[..., 0, 0]

    def forward(image):
        return ndimage.correlate(image.astype(float) / 1000, kernel, mode="constant")

    original = forward(hu)
    scores = []
    for mask, value in zip(masks, values, strict=True):
        copy = np.where(ndimage.binary_dilation(mask), value, hu)
        scores.append((((forward(copy) - original) ** 2)[scope]).sum())
    return np.array(scores)


@pytest.mark.parametrize("count", [1, 4, 7, 40])
def test_screening_equals_a_loop_of_single_forwards(count):
    example_ = example(count)
    scope = disc(15, 14, 11)
    np.testing.assert_allclose(
        screened([example_], scope), scores_by_loop(*example_, scope), rtol=1e-4, atol=1e-6
    )


def test_nothing_to_mask_has_no_score():
    hu, masks, values = example(2)
    assert screened([(hu, masks[:0], values[:0])], disc(9, 9, 5)).shape == (0,)


def test_many_slices_in_one_call_equal_each_alone():
    examples = [example(count, seed) for seed, count in enumerate((2, 5, 3))]
    scope = disc(16, 16, 12)
    alone = np.concatenate([scores_by_loop(*each, scope) for each in examples])
    for chunk in (3, 32):
        np.testing.assert_allclose(screened(examples, scope, chunk=chunk), alone, rtol=1e-4, atol=1e-6)


def test_padding_behind_the_slices_changes_nothing():
    hu, masks, values = example(3)
    scope = disc(15, 14, 11)
    longer = read(PARAMS, np.stack([hu, hu * 0, hu * 0]))
    maskings = [Masking(0, mask, float(value), scope) for mask, value in zip(masks, values, strict=True)]
    np.testing.assert_allclose(
        screen(read, PARAMS, hu[None], longer, maskings), screened([(hu, masks, values)], scope), rtol=1e-6
    )


def test_a_call_takes_whole_chunks():
    assert [capacity(chunk) for chunk in (1, 8, 24, 64, 100)] == [32, 32, 48, 64, 100]


def test_a_change_outside_the_scope_does_not_count():
    hu, _, _ = example(1)
    assert screened([(hu, disc(4, 4, 2)[None], np.zeros(1))], disc(24, 24, 5))[0] < 1e-9


def test_parameters_are_an_argument():
    example_, scope = example(2), disc(15, 14, 11)
    other = {"kernel": 2 * PARAMS["kernel"]}
    np.testing.assert_allclose(screened([example_], scope, other), 4 * screened([example_], scope), rtol=1e-4)


def test_the_masked_copy_fills_the_candidate_and_its_neighbours():
    hu, _, _ = example(1)
    for mask in (disc(10, 12, 3), disc(0, 31, 2), np.ones((SIZE, SIZE), bool)):
        expected = np.where(ndimage.binary_dilation(mask), -900, hu)
        np.testing.assert_array_equal(masked_copy(hu, mask, -900.0), expected)


def test_the_masked_copy_of_a_slice_and_its_neighbours_is_filled_in_all_three():
    hu = np.stack([example(1, seed)[0] for seed in range(3)])
    mask = disc(10, 12, 3)
    copy = masked_copy(hu, mask, -900.0)
    for before, after in zip(hu, copy, strict=True):
        np.testing.assert_array_equal(after, masked_copy(before, mask, -900.0))


def test_fill_is_the_median_of_the_lung_around():
    lungs = np.where(disc(16, 16, 14), 1, 0)
    hu = np.full((SIZE, SIZE), 40, np.int16)
    hu[lungs > 0] = -860
    nodule = disc(16, 10, 3)
    hu[ndimage.binary_dilation(nodule)] = 0
    everything = np.ones((SIZE, SIZE), bool)
    values = fill_values(hu, lungs, np.stack([nodule, everything]), "parenchyma")
    np.testing.assert_array_equal(values, [-860, np.median(hu[lungs > 0])])
    assert fill_values(hu, lungs * 0, nodule[None], "parenchyma")[0] == FLOOR
    assert fill_values(hu, lungs, nodule[None], "floor")[0] == FLOOR
    assert fill_values(hu, lungs, nodule[None], "mean")[0] == round(float(hu.mean()))
    with pytest.raises(InputError, match="fill"):
        fill_values(hu, lungs, nodule[None], "black")
