import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from wsns.errors import InputError
from wsns.segmentation.screening import (
    Masking,
    choose,
    compactness,
    fill_values,
    masked_copy,
    same_object,
    screen,
    screen_many,
)

SIZE = 32
PARAMS = {"kernel": jnp.asarray(np.random.default_rng(0).normal(size=(5, 5, 1, 1)), jnp.float32)}


def nam_fn(params, hu):
    """A linear network: one 5x5 convolution of the slice in units of 1000 HU."""
    images = hu[..., None] / 1000
    convolved = jax.lax.conv_general_dilated(
        images, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return convolved[..., 0]


def disc(row, column, radius):
    y, x = np.mgrid[:SIZE, :SIZE]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def example(count, seed=0):
    """A slice with noise, its NAM and `count` discs to mask."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-800, 100, (SIZE, SIZE)).astype(np.float32)
    masks = np.stack([disc(*rng.integers(0, SIZE, 2), rng.integers(1, 6)) for _ in range(count)])
    values = rng.normal(-850, 30, count).astype(np.float32)
    return hu, np.asarray(nam_fn(PARAMS, hu[None])[0]), masks, values


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
    hu, nam, masks, values = example(count)
    scope = disc(15, 14, 11)
    result = screen(nam_fn, PARAMS, hu, nam, masks, np.ones(count, bool), values, scope)
    np.testing.assert_allclose(result, scores_by_loop(hu, masks, values, scope), rtol=1e-4, atol=1e-6)


def test_padding_scores_minus_infinity_and_changes_nothing():
    hu, nam, masks, values = example(3)
    scope = disc(15, 14, 11)
    alone = screen(nam_fn, PARAMS, hu, nam, masks, np.ones(3, bool), values, scope)
    stack = np.concatenate([masks, np.zeros((5, SIZE, SIZE), bool)])
    padded = screen(nam_fn, PARAMS, hu, nam, stack, np.arange(8) < 3, np.pad(values, (0, 5)), scope)
    np.testing.assert_allclose(padded[:3], alone, rtol=1e-6)
    assert (padded[3:] == -np.inf).all()


def test_no_candidate_has_no_score():
    hu, nam, masks, values = example(2)
    nothing = screen(nam_fn, PARAMS, hu, nam, masks[:0], np.ones(0, bool), values[:0], disc(9, 9, 5))
    assert nothing.shape == (0,)
    assert choose(nothing, masks[:0]) is None


def test_many_slices_in_one_batch_equal_each_alone():
    slices = [example(count, seed) for seed, count in enumerate((2, 5, 3))]
    scope = disc(16, 16, 12)
    maskings = [
        Masking(n, mask, float(value), scope)
        for n, (_, _, masks, values) in enumerate(slices)
        for mask, value in zip(masks, values, strict=True)
    ]
    hu, nams = np.stack([s[0] for s in slices]), np.stack([s[1] for s in slices])
    alone = [scores_by_loop(hu, masks, values, scope) for hu, _, masks, values in slices]
    for batch in (3, 32):
        together = screen_many(nam_fn, PARAMS, hu, nams, maskings, batch)
        np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-6)


def test_a_change_outside_the_scope_does_not_count():
    hu, nam, _, _ = example(1)
    far = disc(4, 4, 2)[None]
    values = np.zeros(1, np.float32)
    assert screen(nam_fn, PARAMS, hu, nam, far, np.ones(1, bool), values, disc(24, 24, 5))[0] < 1e-9


def test_parameters_are_an_argument():
    hu, _, masks, values = example(2)
    scope = disc(15, 14, 11)
    other = {"kernel": 2 * PARAMS["kernel"]}
    first, second = (
        screen(nam_fn, p, hu, np.asarray(nam_fn(p, hu[None])[0]), masks, np.ones(2, bool), values, scope)
        for p in (PARAMS, other)
    )
    np.testing.assert_allclose(second, 4 * first, rtol=1e-4)


def test_the_masked_copy_fills_the_candidate_and_its_neighbours():
    hu, _, _, _ = example(1)
    for mask in (disc(10, 12, 3), disc(0, 31, 2), np.ones((SIZE, SIZE), bool)):
        expected = np.where(ndimage.binary_dilation(mask), -900, hu)
        np.testing.assert_array_equal(masked_copy(hu, mask, -900.0), expected)


def test_fill_is_the_median_of_the_lung_around():
    lungs = np.where(disc(16, 16, 14), 1, 0)
    hu = np.full((SIZE, SIZE), 40, np.int16)
    hu[lungs > 0] = -860
    nodule = disc(16, 10, 3)
    hu[ndimage.binary_dilation(nodule)] = 0
    everything = np.ones((SIZE, SIZE), bool)
    values = fill_values(hu, lungs, np.stack([nodule, everything]), "parenchyma")
    np.testing.assert_array_equal(values, [-860, np.median(hu[lungs > 0])])
    assert fill_values(hu, lungs * 0, nodule[None], "parenchyma")[0] == -1000
    assert fill_values(hu, lungs, nodule[None], "floor")[0] == -1000
    assert fill_values(hu, lungs, nodule[None], "mean")[0] == pytest.approx(hu.mean())
    with pytest.raises(InputError, match="fill"):
        fill_values(hu, lungs, nodule[None], "black")


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
    assert choose(np.array([3.0, -np.inf, 1.0]), masks) == 0
    with pytest.raises(InputError, match="outline"):
        choose(scores, masks, "largest")


def test_equally_compact_outlines_go_to_the_larger():
    y, x = np.mgrid[:SIZE, :SIZE]
    small, large = ((abs(y - 15.5) < r) & (abs(x - 15.5) < r) for r in (3, 6))
    assert compactness(small) == pytest.approx(compactness(large), rel=1e-12)
    assert choose(np.array([2.0, 1.0]), np.stack([small, large])) == 1
