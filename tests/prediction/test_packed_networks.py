"""Networks of a run, packed into a file and read again, are the same; what is none is one line."""

import pathlib
import shutil

import jax
import numpy as np
import pytest

from wsns.errors import InputError
from wsns.prediction import networks


@pytest.fixture(scope="module")
def of_run(testing_run):
    return networks.of_run(testing_run.workdir)


def test_a_packed_file_holds_the_same_networks_and_how_they_were_made(of_run, tmp_path):
    path = tmp_path / "networks.npz"
    path.write_bytes(networks.pack(of_run, {"command": "make it"}))
    found = networks.load(str(path))
    assert list(found.trained) == ["gap1", "gap2", "gap3"]
    assert found.card["command"] == "make it"
    assert found.card["seed"] == of_run.config.seed
    assert (found.synthetic, found.patients) == (True, of_run.patients)
    images = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype(np.float32)
    for name, (network, params) in found.trained.items():
        own, theirs = jax.tree.leaves(params), jax.tree.leaves(of_run.trained[name][1])
        assert len(own) == len(theirs)
        for a, b in zip(own, theirs):
            np.testing.assert_array_equal(a, np.asarray(b, np.float16).astype(np.float32))
        first, params_of_run = of_run.trained[name]
        np.testing.assert_allclose(
            network.apply(params, images).logits, first.apply(params_of_run, images).logits, atol=5e-3
        )
        hu = np.random.default_rng(1).integers(-1000, 400, (1, 3, 384, 384)).astype(np.int16)
        np.testing.assert_array_equal(network.prepare(hu), first.prepare(hu))


def test_a_patient_of_the_training_is_known_without_being_named(of_run):
    import json

    parts = json.loads((pathlib.Path(of_run.name) / "records" / "split.json").read_text())["patients"]
    for patient, part in parts.items():
        assert of_run.saw(patient) == (part != "test")
        assert patient not in of_run.patients
    assert not of_run.saw("")
    assert not of_run.saw("somebody else")


def test_other_parameters_are_another_fingerprint(of_run, tmp_path):
    (tmp_path / "a.npz").write_bytes(networks.pack(of_run, {}))
    (tmp_path / "b.npz").write_bytes(networks.pack(of_run, {"seed": 5}))
    prints = [networks.load(str(tmp_path / name)).fingerprint for name in ("a.npz", "a.npz", "b.npz")]
    assert prints[0] == prints[1] != prints[2]


def no_run(folder, run):
    return folder


def not_there(folder, run):
    return folder / "gone"


def no_networks(folder, run):
    (folder / "x.npz").write_bytes(b"PK\3\4 cut")
    return folder / "x.npz"


def other_arrays(folder, run):
    np.savez(folder / "x.npz", a=np.zeros(3))
    return folder / "x.npz"


def untrained(folder, run):
    shutil.copytree(run, folder / "run", ignore=shutil.ignore_patterns("gap2"))
    return folder / "run"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_run, "is no run's folder"),
        (not_there, "there is no such run or file of networks"),
        (no_networks, "is no file of networks, or damaged"),
        (other_arrays, "is no file of networks, or damaged"),
        (untrained, "gap2 isn't trained yet"),
    ],
)
def test_what_holds_no_networks_is_one_line(make, words, tmp_path, testing_run):
    with pytest.raises(InputError) as caught:
        networks.load(str(make(tmp_path, testing_run.workdir)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
