"""What TensorBoard is told: read back from its file, record by record."""

import dataclasses
import io
import struct

import jax
import numpy as np
import optax
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2
from training_cases import OPTIONS, fit, subject, toy

from wsns.segmentation.nam import Reading
from wsns.training import batching, checkpoints, loop, losses, nam_preview
from wsns.training.log import Shown


def values(directory):
    """Returns every value of a TensorBoard folder, each with its step."""
    found = []
    for path in sorted((directory / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = event_pb2.Event.FromString(data[12 : 12 + length])
            found += [(event.step, value) for value in event.summary.value]
            data = data[16 + length :]
    return found


def read(params, hu):
    return Reading(hu.mean(axis=(1, 2)), hu[:, ::2, ::2] * params["classifier"])


def run(directory, **shown):
    watched = dataclasses.replace(subject(), shown=Shown(**shown))
    loop.fit(watched, batching.InMemory(toy()), batching.InMemory(toy()), OPTIONS, directory)
    return checkpoints.best_params(directory / "checkpoints")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    look = nam_preview.look(read, batching.InMemory(toy()), (-1.0, 1.0))
    rate = losses.falling(1.0, 0.5, 3)
    return folder, run(folder, rate=rate, settings={"batch": 4, "window": (-1, 1), "flip": True}, look=look)


def test_looking_on_changes_no_bit_of_the_training(watched, tmp_path):
    jax.tree.map(np.testing.assert_array_equal, watched[1], fit(tmp_path))


def test_the_learning_rate_of_each_step_is_told(watched):
    rates = {
        step: value.simple_value for step, value in values(watched[0]) if value.tag == "step/learning_rate"
    }
    assert rates == {step: 0.5 ** ((step - 1) // 3) for step in range(1, 10)}


def test_the_told_rate_is_the_optimiser_s():
    schedule = optax.exponential_decay(3e-3, 7, 0.99, staircase=True)
    told = losses.falling(3e-3, 0.99, 7)
    np.testing.assert_allclose([told(n) for n in range(40)], [schedule(n) for n in range(40)], rtol=1e-6)


def test_hyperparameters_are_told_once_for_their_tab_and_as_text(watched):
    found = [value for _, value in values(watched[0])]
    tabs = [value for value in found if value.metadata.plugin_data.plugin_name == "hparams"]
    assert len(tabs) == 3
    assert any(b"batch" in value.metadata.plugin_data.content for value in tabs)
    (text,) = [value for value in found if value.tag.startswith("hyperparameters")]
    assert "| window | (-1, 1) |" in text.tensor.string_val[0].decode()


def test_an_epoch_has_one_picture_of_the_validation_slices(watched):
    pictures = {step: value.image for step, value in values(watched[0]) if value.tag == "validation/NAM"}
    assert list(pictures) == [3, 6, 9]
    for picture in pictures.values():
        seen = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
        assert seen.shape == (4, 4 * 4, 3)


def test_few_slices_of_both_kinds_are_picked_those_with_a_nodule_first():
    rows = nam_preview.pick(batching.InMemory(toy(100)))
    assert rows["label"].tolist() == [1, 1, 0, 0]
    assert nam_preview.pick(batching.InMemory({name: array[:1] for name, array in toy().items()}))[
        "label"
    ].tolist() == [0]


def test_the_overlay_is_orange_where_the_map_is_highest_and_grey_where_it_is_not_positive():
    hu = np.zeros((1, 4, 4))
    hu[0, :2, :2] = 1.0
    nam = np.array([[[-5.0, 0.0], [1.0, 2.0]]])
    picture = nam_preview.overlay(hu, nam, (0.0, 2.0))
    assert picture.shape == (2, 2, 3)
    assert picture[0, 0].tolist() == [128] * 3
    assert picture[0, 1].tolist() == [0] * 3
    np.testing.assert_allclose(picture[1, 1], 0.7 * nam_preview.HOT, atol=1)
    np.testing.assert_allclose(picture[1, 0], 0.35 * nam_preview.HOT, atol=1)
    assert not nam_preview.overlay(hu * 0, -nam * 0 - 100, (0.0, 2.0)).any()
