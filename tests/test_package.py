"""The package alone, as `pip install .` leaves it: what a notebook or somebody's script imports."""

import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRY = """
import pathlib, sys
import wsns
from wsns.models.weights import start
from wsns.report import page
import wsns.segmentation.pipeline, wsns.evaluation.table1, wsns.data.records.loading
assert pathlib.Path(wsns.__file__).is_relative_to(sys.argv[1]), wsns.__file__
print(start.load_trunk("patches").name)
print(start.IMAGENET_FILE.is_relative_to(sys.argv[1]))
"""


@pytest.mark.slow
def test_the_installed_package_works_outside_a_checkout(tmp_path):
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        tmp_path,
    ]
    copy = tmp_path / "source"
    shutil.copytree(ROOT / "wsns", copy / "wsns", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run([*install, copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    environment = {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    name, weights_beside = run.stdout.splitlines()
    assert name.startswith("patches start")
    assert weights_beside == "True"


def test_the_citation_is_whole():
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version"} <= found.keys()
    assert found["preferred-citation"]["year"] == 2017
