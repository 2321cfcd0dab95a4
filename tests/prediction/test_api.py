"""`wsns.predict` with the networks that come with the package, on a chest with one nodule."""

import inspect

import chest_images
import numpy as np
import pytest
import SimpleITK as sitk
from chest_series import export

import wsns
from wsns.data.images.files import read_image
from wsns.prediction import api, networks

NODULE = chest_images.chest() == chest_images.NODULE
CHOICE = {"detect": 0.0, "least": -100.0, "smallest": 3.0}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "chest.nii.gz"
    sitk.WriteImage(chest_images.image(), str(path))
    return path, wsns.predict(path, **CHOICE)


def test_the_nodule_is_the_first_and_nearly_where_it_is(found):
    _, made = found
    first = made.nodules[0]
    centre = np.array(chest_images.ORIGIN) + np.argwhere(NODULE)[:, ::-1].mean(axis=0) * chest_images.SPACING
    assert np.linalg.norm([first[f"{axis}_mm"] for axis in "xyz"] - centre) < 5
    mask = made.labels == 1
    assert 2 * (mask & NODULE).sum() / (mask.sum() + NODULE.sum()) > 0.5
    assert first["side"] == "left"
    assert "synthetic" in " ".join(made.warnings)
    assert "medical device" in " ".join(made.warnings)


def test_a_path_an_image_and_a_scan_are_the_same(found):
    path, made = found
    for other in (sitk.ReadImage(str(path)), read_image(path)):
        again = wsns.predict(other, **CHOICE)
        np.testing.assert_array_equal(again.labels, made.labels)
        assert again.nodules == made.nodules


def test_turned_round_it_has_the_same_nodules(found):
    _, made = found
    turned = wsns.predict(chest_images.image(axes=(1, 2, 0), flips=(True, False, True)), **CHOICE)
    assert turned.nodules == made.nodules


def test_a_folder_of_several_scans_and_unknown_words_are_refused(tmp_path):
    export(tmp_path / "a")
    export(tmp_path / "b", uid="1.2.840.66", StudyInstanceUID="1.2.10")
    with pytest.raises(wsns.InputError, match="holds 2 scans"):
        wsns.predict(tmp_path)
    with pytest.raises(TypeError, match="no argument 'smalest'"):
        wsns.predict(tmp_path, smalest=3)


def test_help_tells_shapes_and_units_and_defaults_are_the_configs():
    from configs import predict

    text = inspect.getdoc(wsns.predict)
    for word in ("(Z, Y, X)", "HU", "mm", "LPS", "uint16", "Raises"):
        assert word in text
    fields = predict.get_config().predict.to_dict()
    assert {name: fields[name] for name in api.DEFAULTS} == api.DEFAULTS


def test_the_packages_networks_are_small_and_say_what_they_are():
    held = networks.load()
    path = networks.pathlib.Path(networks.__file__).with_name(networks.PACKAGED)
    assert path.stat().st_size <= 4_000_000
    assert held.synthetic
    assert {"command", "seed", "version", "trained_on", "patients"} <= set(held.card)
    assert sorted(held.trained) == ["gap1", "gap2", "gap3"]
