import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from conftest import ROOT
from training_cases import OPTIONS, fit, rows

from wsns.errors import InputError
from wsns.runtime import multihost
from wsns.training import checkpoints

ONE_OF_TWO = """
import dataclasses, pathlib, sys
import wsns
from wsns.runtime import multihost
directory, address, index, epochs = sys.argv[1:]
multihost.join(address, 2, int(index))
from training_cases import OPTIONS, subject, toy
from wsns.training import batching, loop
import jax
assert jax.process_count() == 2 and jax.device_count() == 2
options = dataclasses.replace(OPTIONS, epochs=int(epochs), resident=index == "1", shift=1)
loop.fit(subject(), batching.InMemory(toy()), batching.InMemory(toy()), options, pathlib.Path(directory) / index)
print(multihost.from_first({"index": jax.numpy.array(int(index))})["index"])
"""


def two_processes(directory, epochs):
    """Trains in two processes, each with a folder of its own: only the first may write."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    env = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'helpers'}",
        "JAX_PLATFORMS": "cpu",
    }
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_OF_TWO, str(directory), address, str(index), str(epochs)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(2)
    ]  # fmt: skip
    try:
        outputs = [run.communicate(timeout=120) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [run.returncode for run in runs] == [0, 0], [err[-1500:] for _, err in outputs]
    assert [out.splitlines()[-1] for out, _ in outputs] == ["0", "0"]
    assert "train toy" in outputs[0][1]
    assert "train toy" not in outputs[1][1]


def test_two_processes_equal_one_and_only_the_first_writes(tmp_path):
    """The second run goes on from the first process's checkpoint, which the other doesn't have."""
    two_processes(tmp_path, 1)
    two_processes(tmp_path, 3)
    fit(tmp_path / "alone", OPTIONS.__class__(epochs=3, batch=4, seed=1, flip=True, shift=1))
    together, alone = (checkpoints.best_params(tmp_path / d / "checkpoints") for d in ("0", "alone"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), together, alone)
    for a, b in zip(rows(tmp_path / "0"), rows(tmp_path / "alone"), strict=True):
        assert a.pop("split") == b.pop("split")
        assert a == pytest.approx(b, rel=1e-5)
    assert not (tmp_path / "1").exists()


def test_alone_a_process_is_the_first():
    assert multihost.is_first()
    tree = {"a": np.ones(2)}
    assert multihost.from_first(tree) is tree


@pytest.mark.parametrize(
    ("address", "processes", "index"),
    [("nowhere", None, None), ("no-port", 2, 1), ("localhost:one", 2, 1), ("localhost:1", 2, 1)],
)
def test_what_does_not_join_is_one_line(address, processes, index):
    """Nobody listens at port 1 of this machine."""
    with pytest.raises(
        InputError, match=rf"--coordinator={address} .*--process={index}: can't join the others"
    ):
        multihost.join(address, processes, index, patience=0)
