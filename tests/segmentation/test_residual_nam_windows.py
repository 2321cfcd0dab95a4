"""Windows against the whole network: the same scores, to the last bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolution_sums import assert_same_scores
from scipy import ndimage

from wsns.models import windows
from wsns.models.conv import FACTOR
from wsns.models.preprocess import KERAS, LUNG, TORCHVISION, prepare
from wsns.models.vgg_gap import VGG
from wsns.segmentation import residual_nam, residual_nam_windows
from wsns.segmentation.nam import read_function
from wsns.segmentation.residual_nam import Masking

SIZE = 192
PREPARE = functools.partial(prepare, window=(-1000.0, 400.0))


def network(size, dtype="float32", seed=0):
    """A 1-GAP network of full depth whose every feature matters, and its parameters."""
    vgg = VGG(gaps=1, width=1 / 16, head_filters=64, dtype=jnp.dtype(dtype))
    shapes = jax.eval_shape(vgg.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))["params"]
    rng = np.random.default_rng(seed)

    def values(shape):
        scale = np.sqrt(2 / np.prod(shape.shape[:-1])) if len(shape.shape) > 1 else 0.1
        return (scale * rng.normal(size=shape.shape)).astype(np.float32)

    return vgg, jax.tree.map(values, shapes)


class Both:
    """The two ways of screening with one network, on slices of `SIZE` pixels reduced by `factor`."""

    def __init__(self, factor=1, dtype="float32", contrast="difference", preprocessing=LUNG):
        vgg, self.params = network(SIZE // factor, dtype)
        self.prepare = functools.partial(PREPARE, size=SIZE // factor, preprocessing=preprocessing)
        self.apply = lambda params, images: vgg.apply({"params": params}, images)
        self.read = read_function(self.apply, self.prepare, SIZE, contrast, residual_nam_windows.keep)
        self.plain = read_function(self.apply, self.prepare, SIZE, contrast)
        self.contrast = contrast

    def scores(self, hu, maskings):
        reading = jax.jit(self.read)(self.params, hu.astype(np.float32))
        fast = residual_nam_windows.screen(
            self.read, self.prepare, self.params, hu, reading, maskings, contrast=self.contrast
        )
        return fast, residual_nam.screen(self.plain, self.params, hu, reading, maskings)


@pytest.fixture(scope="module")
def both():
    return Both()


def slices(count=2, seed=0, channels=()):
    return np.random.default_rng(seed).normal(-700, 250, (count, *channels, SIZE, SIZE)).astype(np.int16)


def box(top, left, bottom, right):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[top:bottom, left:right] = True
    return mask


def maskings(masks, value=-870.0):
    everywhere = np.ones((SIZE, SIZE), bool)
    return [Masking(n % 2, mask, value, everywhere) for n, mask in enumerate(masks)]


EDGE = SIZE - 1
BOXES = {
    "a pixel": (90, 101, 91, 102),
    "a pixel in each corner": (0, 0, 1, 1),
    "top right": (0, EDGE, 1, SIZE),
    "bottom left": (EDGE, 0, SIZE, 1),
    "bottom right": (EDGE - 20, EDGE - 11, SIZE, SIZE),
    "left border": (60, 0, 90, 12),
    "upper border": (0, 77, 9, 117),
    "across cells": (15, 31, 33, 65),
    "largest of the first size": (27, 43, 53, 69),
    "largest of the third size": (59, 59, 133, 133),
    "too large for a window": (20, 30, 140, 150),
    "the whole slice": (0, 0, SIZE, SIZE),
}


@pytest.mark.parametrize(
    ("factor", "dtype", "contrast"),
    [(1, "float32", "difference"), (2, "float32", "nodule"), (1, "bfloat16", "difference")],
)
def test_windows_score_as_the_whole_network_to_the_bit(factor, dtype, contrast):
    fast, full = Both(factor, dtype, contrast).scores(
        slices(), maskings([box(*edges) for edges in BOXES.values()])
    )
    assert (full > 0).all()
    assert_same_scores(fast, full)


@pytest.mark.parametrize(("factor", "preprocessing"), [(1, KERAS), (1, TORCHVISION), (3, LUNG)])
def test_windows_of_a_slice_and_its_neighbours_score_as_the_whole_network_to_the_bit(factor, preprocessing):
    fast, full = Both(factor, preprocessing=preprocessing).scores(
        slices(channels=(3,)), maskings([box(*edges) for edges in BOXES.values()])
    )
    assert (full > 0).all()
    assert_same_scores(fast, full)


def test_windows_of_a_head_at_unit_scale_score_as_the_whole_network_to_the_bit():
    both = Both(preprocessing=KERAS)
    both.params["gap5"] = both.params["gap5"] | {FACTOR: np.float32(1 / 5.66)}
    fast, full = both.scores(slices(), maskings([box(*edges) for edges in BOXES.values()]))
    assert (full > 0).all()
    assert_same_scores(fast, full)


def test_a_slice_and_its_neighbours_all_count_and_three_equal_ones_are_the_slice_alone(both):
    masks, hu = maskings([box(*BOXES["across cells"])]), slices(channels=(3,))
    found, _ = both.scores(hu, masks)
    for channel in range(3):
        other = hu.copy()
        other[:, channel] = hu[:, channel, ::-1]
        assert both.scores(other, masks)[0] != found
    equal = np.repeat(hu[:, 1:2], 3, axis=1)
    np.testing.assert_allclose(both.scores(equal, masks)[0], both.scores(hu[:, 1], masks)[0], rtol=1e-3)


def test_random_shapes_scopes_and_fills_score_as_the_whole_network(both):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIZE, :SIZE]
    chosen = []
    for _ in range(24):
        (row, column), radius = rng.integers(0, SIZE, 2), rng.integers(1, 30)
        distance = (y - row) ** 2 + (x - column) ** 2
        value = float(rng.choice([-870.5, residual_nam.FLOOR, 40.0]))
        scope = distance <= (radius + rng.integers(0, 40)) ** 2
        chosen.append(Masking(int(rng.integers(3)), distance <= radius**2, value, scope))
    fast, full = both.scores(slices(3, seed=1), chosen)
    assert len(np.unique(full)) == len(full)
    assert_same_scores(fast, full)


def test_a_window_holds_all_that_the_full_pass_changes(both):
    """By the network itself: which cells of the last convolution's output differ is what `reach` says at most."""
    hu = slices(1).astype(np.float32)
    before = both.apply(both.params, both.prepare(hu)).activations["conv5_1"]
    for edges in BOXES.values():
        copy = residual_nam.masked_copy(hu[0], box(*edges), 400.0)[None]
        after = both.apply(both.params, both.prepare(copy)).activations["conv5_1"]
        rows, columns = np.nonzero(np.asarray(before != after)[0].any(axis=-1))
        low, high = np.maximum(np.array(edges[:2]) - 1, 0), np.minimum(np.array(edges[2:]) + 1, SIZE)
        first, cells = windows.reach(low, high)
        # conv5_1 itself adds a cell on each side.
        assert rows.min() >= first[0] - 1
        assert columns.min() >= first[1] - 1
        assert max(rows.max() - first[0], columns.max() - first[1]) <= cells


def test_places_take_the_smallest_window_and_stay_near_the_image():
    masks = [box(*edges) for edges in BOXES.values()]
    first, cells = residual_nam_windows.place(maskings(masks), SIZE, 1)
    by_name = dict(zip(BOXES, cells.tolist(), strict=True))
    assert by_name["a pixel"] == by_name["largest of the first size"] == 7
    assert by_name["largest of the third size"] == 10
    assert by_name["too large for a window"] == by_name["the whole slice"] == 0
    whole = SIZE // windows.CELL
    assert (first[cells > 0] >= -3).all()
    assert ((first + cells[:, None])[cells > 0] <= whole + 3).all()
    for mask, start, count in zip(masks, first, cells, strict=True):
        if count:
            rows, columns = np.nonzero(ndimage.binary_dilation(mask))
            corner, side = windows.corner(start), windows.side(count)
            assert (corner <= [rows.min(), columns.min()]).all()
            assert (corner + side > [rows.max(), columns.max()]).all()


def test_every_box_up_to_the_size_fits_wherever_it_lies():
    for cells in residual_nam_windows.CELLS:
        side = windows.side(cells) - windows.CELL
        for start in range(-3, 40):
            low = np.array([start, 0])
            assert windows.reach(low, low + side)[1] <= cells
    assert [windows.side(cells) - windows.CELL for cells in residual_nam_windows.CELLS] == [12, 28, 60, 124]


def test_the_number_of_copies_compiles_nothing_anew(both):
    hu = slices()
    masks = [box(80, 80, 80 + n, 90) for n in range(1, 6)]
    both.scores(hu, maskings(masks))
    compiled = residual_nam_windows.changes._cache_size(), residual_nam.changes._cache_size()
    for count in (1, 2, 4):
        both.scores(hu, maskings(masks[:count]))
    assert (residual_nam_windows.changes._cache_size(), residual_nam.changes._cache_size()) == compiled


def test_nothing_to_mask_has_no_score(both):
    fast, full = both.scores(slices(), [])
    assert fast.shape == full.shape == (0,)
