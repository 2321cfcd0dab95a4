"""Crops hold both lungs, and what is found in them lies where it lies in the scan."""

import itertools

import chest_images
import numpy as np
import pytest

from wsns.data.lungs.masks import segment
from wsns.data.volume import Volume
from wsns.segmentation.nodules import join
from wsns.segmentation.results import Region, SliceResult
from wsns.segmentation.whole_scan import choose_crops, search, starts


@pytest.mark.parametrize("length", [10, 100, 101, 150, 163, 400])
@pytest.mark.parametrize("first", [0, 7])
def test_crops_cover_a_span_and_reach_into_each_other(length, first):
    span = range(first, first + length)
    found = starts(span, 100, 30)
    assert len(found) == (1 if length <= 100 else -(-(length - 30) // 70))
    assert found[0] <= span.start
    assert found[-1] + 100 >= span.stop
    assert all(b - a <= 70 for a, b in itertools.pairwise(found))
    if length > 100:
        assert (found[0], found[-1] + 100) == (span.start, span.stop)


@pytest.fixture(scope="module")
def scan():
    hu = chest_images.chest()
    volume = Volume(hu, 100 + 5.0 * np.arange(len(hu)), 1.4)
    return volume, segment(volume)


def fake(slices):
    """Finds what has the nodule's value; the map is the slice's HU, so that its place can be checked."""
    for hu in slices.hu:
        mask = hu == chest_images.NODULE
        region = Region(mask, mask, mask[None], 0, np.zeros(1), np.ones(1), np.ones(1), 0)
        found = bool(mask.any())
        yield SliceResult(
            {1: 0.9 if found else 0.1},
            {3: hu.astype(np.float32)},
            found,
            regions={3: (region,)} if found else {},
        )


@pytest.mark.parametrize("size", [384, 128, 64])
def test_whatever_the_size_of_the_crops_the_nodule_is_one_and_in_its_place(scan, size):
    volume, lungs = scan
    crops = choose_crops(lungs, volume.hu.shape, size, volume.spacing)
    assert (len(crops.corners) == 1) == (size == 384)
    told = []
    found = search(
        volume, lungs, crops, fake, lambda result: {"p": 0.9} if result.detected else {},
        gaps=3, neighbours=0.0, done=told.append,
    )  # fmt: skip
    nodules = join(found.pieces, volume.hu.shape, ranks="p", step=5.0, pixel=volume.spacing)
    np.testing.assert_array_equal(nodules.labels, volume.hu == chest_images.NODULE)
    where = found.nam != 0
    np.testing.assert_array_equal(found.nam[where], volume.hu[where])
    assert where[found.lungs > 0].all(), "all of the lungs was searched"
    assert np.nanmax(found.probabilities) == 0.9
    searched = np.flatnonzero(np.isfinite(found.probabilities))
    assert set(searched) == set(np.flatnonzero(found.lungs.any(axis=(1, 2))))
    assert sum(told) >= len(searched)


def test_the_slices_beside_go_with_each(scan):
    volume, lungs = scan
    crops = choose_crops(lungs, volume.hu.shape, 384, volume.spacing)
    seen = []

    def method(slices):
        seen.append(slices)
        return fake(slices)

    search(volume, lungs, crops, method, lambda result: {}, gaps=3, neighbours=5.0)
    (slices,) = seen
    assert slices.beside.shape == (len(slices.hu), 2, 384, 384)
    np.testing.assert_array_equal(slices.beside[1, 0], slices.hu[0])
    np.testing.assert_array_equal(slices.beside[0, 1], slices.hu[1])
    assert (slices.counts == 1).all()
