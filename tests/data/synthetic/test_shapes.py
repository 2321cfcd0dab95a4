import numpy as np
import pytest
from scipy import ndimage

from wsns.data.synthetic import shapes


def test_half_the_patches_have_blobs_and_images_are_hounsfield_units():
    images, blobs = shapes.patches(0, 101, size=32)
    assert images.shape == blobs.shape == (101, 32, 32)
    assert images.dtype == np.float32
    assert np.isfinite(images).all()
    assert set(np.unique(blobs)) == {0, 1}
    assert abs(blobs.any(axis=(1, 2)).mean() - 0.5) < 0.01
    assert images.min() > -1600
    assert images.max() < 1000
    assert -950 < np.median(images) < -780


def test_the_seed_alone_decides():
    images, blobs = shapes.patches(3, 20)
    again, blobs_again = shapes.patches(3, 20)
    other, _ = shapes.patches(4, 20)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(blobs, blobs_again)
    assert not np.array_equal(images, other)


def test_a_blob_is_denser_than_what_lies_around_it():
    images, blobs = shapes.patches(5, 60)
    contrast = []
    for image, blob in zip(images, blobs):
        if blob.any():
            ring = ndimage.binary_dilation(blob, iterations=4) & (blob == 0)
            contrast.append(image[blob > 0].mean() - np.median(image[ring]))
    assert np.mean(np.array(contrast) > 50) > 0.9


def test_noise_varies_from_patch_to_patch():
    images, _ = shapes.patches(1, 400, size=48)
    differences = np.diff(images, axis=1)
    noise = np.median(np.abs(differences), axis=(1, 2))
    low, high = np.percentile(noise, [5, 95])
    assert high > 4 * low


@pytest.mark.parametrize("radius", [3.0, 6.0])
def test_a_blob_has_the_wanted_radius_and_lies_inside(radius: float):
    rng = np.random.default_rng(0)
    empty = np.full((60, 48, 48), shapes.LUNG, np.float32)
    cover = shapes._blob(rng, empty, (radius, radius * 1.001), np.ones((60, 1, 1), np.float32))
    mask = cover > 0.5 * cover.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(np.sqrt(mask.sum(axis=(1, 2)) / np.pi), radius, rtol=0.15)
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()


def test_a_tube_is_longer_than_wide_and_a_blob_is_not():
    rng = np.random.default_rng(1)
    edge = np.ones((80, 1, 1), np.float32)
    tubes = shapes._tube(rng, 80, 96, edge) > 0.3
    blobs = shapes._blob(rng, np.full((80, 96, 96), shapes.LUNG, np.float32), (2.5, 8), edge) > 0.3
    assert np.median([_elongation(tube) for tube in tubes if tube.sum() > 20]) > 3
    assert max(_elongation(blob) for blob in blobs) < 2.5


def test_a_blob_is_what_the_labels_mean():
    """A matched filter that knows the shapes but not the labels separates clean patches."""
    rng = np.random.default_rng(2)
    empty = np.full((40, 48, 48), shapes.LUNG, np.float32)
    edge = np.ones((40, 1, 1), np.float32)
    blob, tube = shapes._blob(rng, empty, (3, 8), edge), shapes._tube(rng, 40, 48, edge)
    thickness = [[ndimage.distance_transform_edt(m > 0.3).max() for m in kind] for kind in (blob, tube)]
    assert np.mean(thickness[0]) > 1.5 * np.mean(thickness[1])


def test_a_blob_avoids_dense_tissue():
    image = np.full((200, 48, 48), shapes.LUNG, np.float32)
    image[:, :, 24:] = shapes.TISSUE
    x, _ = shapes._place(np.random.default_rng(3), image, np.full(200, 4.0))
    assert (x < 24).mean() > 0.85


def _elongation(mask: np.ndarray) -> float:
    eigenvalues = np.linalg.eigvalsh(np.cov(np.argwhere(mask).T) + np.eye(2) / 12)
    return float(np.sqrt(eigenvalues[1] / eigenvalues[0]))
