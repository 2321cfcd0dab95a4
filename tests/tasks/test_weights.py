"""The task 'weights': what is fetched, what is taken from a file, and what is said of it."""

import hashlib
import importlib.util
import pathlib
import re

import pytest
import vgg_files

from configs import table1
from configs import weights as weights_config
from wsns.errors import InputError
from wsns.models.weights import identify, start
from wsns.tasks import weights as task


@pytest.fixture
def config():
    return weights_config.get_config()


@pytest.fixture
def default_place(tmp_path, monkeypatch):
    path = tmp_path / "weights" / start.KERAS_FILE
    monkeypatch.setattr(start, "IMAGENET_FILE", path)
    return path


def test_keras_itself_has_the_same_address_and_hash():
    keras = pathlib.Path(importlib.util.find_spec("keras").origin).parent
    source = (keras / "src" / "applications" / "vgg16.py").read_text()
    address = "".join(re.findall(r'"([^"]*)"', source.split("WEIGHTS_PATH_NO_TOP = (")[1].split(")")[0]))
    assert address == task.URL
    named = source[source.rindex(f'"{start.KERAS_FILE}"') :]
    assert re.search(r'file_hash="(\w+)"', named)[1] == task.MD5


def test_the_fetched_file_must_hold_the_original(tmp_path, imagenet_kernels, monkeypatch):
    """With the digests of the 9 arrays that are at hand in the place of all 26."""
    layers, exact = vgg_files.real_layers(imagenet_kernels)
    source, path = tmp_path / "source.h5", tmp_path / "weights" / "w.h5"
    vgg_files.write_keras(source, layers)
    published = {"size": source.stat().st_size, "md5": hashlib.md5(source.read_bytes()).hexdigest()}
    with pytest.raises(InputError, match=r"is not Keras's file \(the original VGG16, 9 of 26"):
        task.fetch_missing(path, source.as_uri(), **published)
    assert list(path.parent.iterdir()) == []
    known = identify._known()
    some = {name: known["sha256"][name] for name in exact}
    monkeypatch.setattr(identify, "_known", lambda: known | {"sha256": some})
    task.fetch_missing(path, source.as_uri(), **published)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == source.read_bytes()
    task.fetch_missing(path, "http://not.asked.invalid", **published)


def test_behind_a_firewall_it_says_which_file_to_put_where(config, default_place, tmp_path, monkeypatch):
    closed = (tmp_path / start.KERAS_FILE).as_uri()
    monkeypatch.setattr(task.fetch_missing, "__defaults__", (closed, task.BYTES, task.MD5))
    wanted = (
        closed,
        "58,889,256 bytes",
        f"MD5 {task.MD5}",
        f"as {default_place}",
        "--config.model.weights=PATH",
    )
    for step in (lambda: task.weights(config, tmp_path), lambda: task.ensure(table1.get_config())):
        with pytest.raises(InputError) as caught:
            step()
        text = str(caught.value)
        assert [word for word in wanted if word not in text] == []
        assert "\n" not in text


def test_a_given_file_is_reported_and_nothing_is_fetched(
    config, default_place, tmp_path, imagenet_kernels, capsys
):
    layers, _ = vgg_files.real_layers(imagenet_kernels)
    vgg_files.write_keras(tmp_path / "mine.h5", layers)
    config.model.weights = str(tmp_path / "mine.h5")
    task.weights(config, tmp_path)
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["file"].startswith(config.model.weights)
    assert rows["format"] == "Keras"
    assert rows["numbers"] == "the original VGG16"
    assert rows["verified"] == "9 of 26 arrays to the bit, the others changed"
    assert rows["preprocessing"].startswith("BGR in 0…255 minus (103.939")
    assert rows["layers"] == "13 convolutions, 14,714,688 parameters"
    assert rows["use"] == f"--config.model.weights={config.model.weights}"
    assert not default_place.exists()


def test_a_damaged_file_in_the_default_place_is_refused(config, default_place, tmp_path):
    default_place.parent.mkdir()
    vgg_files.write_keras(default_place, vgg_files.random_layers())
    with pytest.raises(InputError, match=r"is not Keras's file .*delete it"):
        task.weights(config, tmp_path)


def test_the_hash_in_the_name_of_a_torch_file_is_checked(config, tmp_path, capsys):
    path = tmp_path / "vgg16-00000000.pth"
    vgg_files.write_torch(path, vgg_files.random_layers())
    config.model.weights = str(path)
    with pytest.raises(InputError, match=r"SHA-256 begins with .*, not as its name says"):
        task.weights(config, tmp_path)
    begins = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    config.model.weights = str(path.rename(tmp_path / f"vgg16_features-someone-{begins}.pth"))
    task.weights(config, tmp_path)
    assert f"SHA-256 begins with {begins}, as the name says" in capsys.readouterr().out


def test_only_runs_that_need_the_weights_fetch_them(default_place, monkeypatch):
    fetched = []
    monkeypatch.setattr(task, "fetch_missing", fetched.append)
    for fields in (
        {"model.start": "shapes"},
        {"model.start": "random", "model.width": 0.125},
        {"model.weights": "mine.h5"},
        {"models": ("unet",)},
    ):
        config = table1.get_config()
        config.update_from_flattened_dict(fields)
        task.ensure(config)
    assert fetched == []
    task.ensure(table1.get_config())
    assert fetched == [default_place]
    config = table1.get_config()
    config.models, config.unet.encoder = ("unet",), "vgg"
    task.ensure(config)
    assert fetched == 2 * [default_place]


def test_a_width_that_the_weights_do_not_have_is_refused_before_anything_is_fetched(default_place):
    config = table1.get_config()
    config.model.width = 0.125
    with pytest.raises(InputError, match=r"model\.width=0\.125: ImageNet's weights have VGG16's own width"):
        task.ensure(config)
