import jax
import numpy as np
import pytest

from wsns.training.augment import augment


def moved(images, key=0, positions=None, **options):
    positions = np.arange(len(images), dtype=np.int32) if positions is None else np.asarray(positions)
    out = augment({"hu": images, "nodules": images > 0}, jax.random.key(key), positions, **options)
    return {name: np.asarray(values) for name, values in out.items()}


def everything(image, shift):
    """Returns all images that mirroring and shifting can make of one, written out with NumPy."""
    padded = [
        np.pad(one, shift, mode="edge") for one in (image, image[::-1], image[:, ::-1], image[::-1, ::-1])
    ]
    side = image.shape[0]
    return [
        one[dy : dy + side, dx : dx + side]
        for one in padded
        for dy in range(2 * shift + 1)
        for dx in range(2 * shift + 1)
    ]


@pytest.mark.parametrize("shift", [0, 1])
def test_each_image_is_one_of_those_that_can_be_and_all_of_them_occur(shift):
    image = np.arange(16, dtype=np.int16).reshape(4, 4)
    possible = [one.tobytes() for one in everything(image, shift)]
    out = moved(np.broadcast_to(image, (400, 4, 4)), flip=True, shift=shift)["hu"]
    assert out.dtype == np.int16
    assert {one.tobytes() for one in out} == set(possible)


def test_image_and_mask_move_together():
    images = np.random.default_rng(0).normal(size=(20, 6, 6)).astype(np.float32)
    out = moved(images, flip=True, shift=2)
    np.testing.assert_array_equal(out["hu"] > 0, out["nodules"])
    assert not np.array_equal(out["hu"], images)


def test_the_channels_of_an_image_move_together():
    images = np.random.default_rng(0).normal(size=(20, 3, 6, 6)).astype(np.float32)
    out = moved(images, flip=True, shift=2)["hu"]
    for channel in range(3):
        np.testing.assert_array_equal(out[:, channel], moved(images[:, channel], flip=True, shift=2)["hu"])


def test_without_options_nothing_moves():
    images = np.random.default_rng(0).normal(size=(5, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(moved(images, flip=False, shift=0)["hu"], images)


def test_what_happens_to_an_example_depends_on_key_and_position_alone():
    images = np.random.default_rng(0).normal(size=(8, 6, 6)).astype(np.float32)
    whole = moved(images, flip=True, shift=3)["hu"]
    half = moved(images[4:], positions=range(4, 8), flip=True, shift=3)["hu"]
    np.testing.assert_array_equal(half, whole[4:])
    assert not np.array_equal(moved(images, key=1, flip=True, shift=3)["hu"], whole)
