"""What a newcomer meets first: no argument, --help, --version, a config without a source of scans."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

from configs import records, testing, weights
from wsns import dispatch
from wsns.errors import InputError
from wsns.runtime import usage
from wsns.tasks import preparation


def main(*arguments):
    return subprocess.run([sys.executable, "main.py", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_without_arguments_every_config_and_task_is_listed():
    done = main()
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    for path in (ROOT / "configs").glob("[a-z]*.py"):
        assert re.search(rf"^  {path.stem} +\w", done.stdout, re.MULTILINE), path.stem
    for task in dispatch.TASKS:
        assert task in done.stdout
    assert done.stdout.count("    python main.py --config=configs/") >= 3


def test_every_config_says_in_its_first_line_what_it_is():
    for path in (ROOT / "configs").glob("[a-z]*.py"):
        assert len(usage.first_line(path)) > 20, path


def test_help_begins_with_usage_and_version_is_one_line():
    assert main("--help").stdout.startswith("usage: python main.py")
    version = main("--version")
    assert version.returncode == 0
    assert re.fullmatch(r"wsns \d+\.\d+\.\d+ \(.+\)\n", version.stdout)


def test_no_source_of_scans_is_refused_before_anything_is_done(tmp_path):
    config = records.get_config()
    with pytest.raises(InputError, match=r"config\.data\.manual_dir is empty.*'twin'.*max_scans"):
        dispatch.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    config.data.manual_dir = "twin"
    assert preparation.with_source(config, tmp_path).data.manual_dir == ""
    assert preparation.with_source(testing.get_config(), tmp_path).data.manual_dir == ""
    assert preparation.with_source(weights.get_config(), tmp_path, builds=False).data.manual_dir == ""
