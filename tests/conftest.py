"""What all tests share: the folder of real scans, where there is one, and a finished run of the testing config."""

import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import filelock
import pytest

pytest_plugins = ["record_cases"]
ROOT = pathlib.Path(__file__).resolve().parents[1]


class Finished(NamedTuple):
    """A run's folder and what it said."""

    workdir: pathlib.Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def testing_run(tmp_path_factory) -> Finished:
    """A finished run of configs/testing.py, made once for all of pytest's processes: copy it before you change it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    workdir, said = shared / "testing", shared / "testing.json"
    with filelock.FileLock(shared / "testing.lock"):
        if not said.exists():
            command = [sys.executable, "main.py", "--config=configs/testing.py", f"--workdir={workdir}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
            said.write_text(json.dumps([done.stdout, done.stderr]))
    return Finished(workdir, *json.loads(said.read_text()))


def beside_the_checkout(name: str, what: str) -> pathlib.Path:
    """A folder of what lies beside the checkout; a test that needs it is skipped where it is absent."""
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"no {what}: ../shared/{name} is not there")
    return folder


@pytest.fixture(scope="session")
def real_scans() -> pathlib.Path:
    """The folder with four scans of LIDC-IDRI."""
    return beside_the_checkout("lidc", "real scans")


@pytest.fixture(scope="session")
def other_scans() -> pathlib.Path:
    """The folder with four chest CTs of other makers."""
    return beside_the_checkout("ct", "scans of other makers")


@pytest.fixture(scope="session")
def imagenet_kernels() -> pathlib.Path:
    """The folder with real kernels of VGG16."""
    return beside_the_checkout("imagenet", "ImageNet kernels")


@pytest.fixture(scope="session")
def vgg16(tmp_path_factory) -> pathlib.Path:
    """ImageNet's VGG16, whole: fetched once for all of pytest's processes by the script beside the checkout."""
    script = ROOT.parent / "shared" / "get_vgg16"
    if not script.is_file():
        pytest.skip("no ImageNet weights: ../shared/get_vgg16 is not there")
    own = tmp_path_factory.getbasetemp()
    path = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "vgg16.npz"
    with filelock.FileLock(path.with_suffix(".lock")):
        done = subprocess.run([sys.executable, script, path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no ImageNet weights: {done.stderr[-300:]}")
    return path
