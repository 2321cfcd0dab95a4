"""What all tests share: the folder of real scans, where there is one, and a finished run of the testing config."""

import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import filelock
import pytest

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


@pytest.fixture(scope="session")
def real_scans() -> pathlib.Path:
    """The folder with four scans of LIDC-IDRI beside the checkout."""
    folder = ROOT.parent / "shared" / "lidc"
    if not folder.is_dir():
        pytest.skip("no real scans: ../shared/lidc is not there")
    return folder


@pytest.fixture(scope="session")
def imagenet_kernels() -> pathlib.Path:
    """The folder with real kernels of VGG16 beside the checkout."""
    folder = ROOT.parent / "shared" / "imagenet"
    if not folder.is_dir():
        pytest.skip("no ImageNet kernels: ../shared/imagenet is not there")
    return folder
