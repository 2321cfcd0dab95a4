"""What befalls a run's folder: odd names, links, a second command, a power cut, another project's settings."""

import os
import signal
import subprocess
import sys

import matplotlib
import numpy as np
import optax
import pytest
from conftest import ROOT
from training_cases import start

from wsns.errors import InputError
from wsns.report.plots import training_curves
from wsns.report.slice_view import to_png
from wsns.runtime import environment, lock, plain_paths, workdir
from wsns.runtime.steps import Stamps
from wsns.training import checkpoints
from wsns.training import step as steps
from wsns.training.checkpoints import Position

HOLD = """
import pathlib, sys, time
from wsns.runtime import lock
with lock.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["run [1]", "a\\b", "*?", "gs:", "ü #%", os.fsdecode(b"m\xfcller")])
def test_checkpoints_come_back_from_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name / "checkpoints"
    state = steps.init_state(start(), optax.sgd(0.1, momentum=0.9), 3)
    with checkpoints.open_manager(folder) as manager:
        for epoch in (1, 2):
            checkpoints.save(manager, state._replace(step=np.int32(epoch)), Position(epoch), 1 / epoch)
    with checkpoints.open_manager(folder) as manager:
        warned = []
        found = checkpoints.restore_latest(manager, state, warned.append)
    assert found is not None
    assert (int(found[0].step), found[1].epoch, warned) == (2, 2, [])
    assert (folder / "1").is_dir()
    assert checkpoints.best_params(folder).keys() == state.params.keys()
    assert plain_paths.plain(tmp_path) == tmp_path


def test_a_link_to_another_disk_stays_and_what_it_points_to_is_made_anew(tmp_path):
    other, link = tmp_path / "disk" / "records", tmp_path / "run" / "records"
    other.mkdir(parents=True)
    link.parent.mkdir()
    link.symlink_to(other)
    stamps = Stamps(tmp_path / "run")
    for seed in (0, 1):
        stamps.begin("records", {"seed": seed}, link)
        assert not (other / "x").exists()
        workdir.write_text(link / "x", str(seed))
    assert link.is_symlink()
    assert (other / "x").read_text() == "1"


def test_a_second_command_is_told_who_is_at_work_and_a_killed_one_lets_go(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(InputError, match=rf"is in use by process {holder.pid} on .+ since \d{{4}}"),
        lock.held(tmp_path),
    ):
        pytest.fail("two at once")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with lock.held(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def test_a_finished_run_that_is_read_only_needs_no_lock_and_an_empty_one_is_refused(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("done")

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with lock.held(tmp_path):
        pass
    empty = tmp_path / "empty"
    empty.mkdir()
    with (
        pytest.raises(InputError, match=r"--workdir=.*empty: can't be written \(Read-only"),
        lock.held(empty),
    ):
        pytest.fail("it can't be written")


def test_a_workdir_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--workdir=.*file: can't be written"), lock.held(tmp_path / "file"):
        pytest.fail("it is no folder")


def test_a_file_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), sync(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    workdir.write_text(tmp_path / "a.txt", "new")
    assert done[:2] == ["fsync", "replace"]
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        workdir.write_text(tmp_path / "a.txt", "newer")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_what_a_power_cut_left_empty_is_made_again_or_named(tmp_path):
    stamps = Stamps(tmp_path)
    stamps.mark_done("segment", {"a": 1})
    assert stamps.is_done("segment", {"a": 1})
    (tmp_path / "stamps" / "segment.json").write_bytes(b"")
    assert not stamps.is_done("segment", {"a": 1})
    for name, read in (
        ("accounting.json", workdir.read_json),
        ("metrics.jsonl", workdir.read_lines),
        ("slices.csv", workdir.read_rows),
    ):
        path = tmp_path / name
        path.write_bytes(b"")
        with pytest.raises(InputError, match=rf"{name}.* is empty.*remove it") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    scan = tmp_path / "scan"
    scan.mkdir()
    (scan / "marks.csv").write_bytes(b"")
    assert not workdir.is_done(scan)
    assert not scan.exists()


def test_a_table_that_a_spreadsheet_has_saved_is_read(tmp_path):
    (tmp_path / "cases.csv").write_bytes("\ufeffpatient,z\r\nMüller,1\r\n".encode())
    assert workdir.read_rows(tmp_path / "cases.csv") == [{"patient": "Müller", "z": "1"}]
    (tmp_path / "cases.csv").write_text("patient,z\nA\n")
    with pytest.raises(InputError, match=r"cases\.csv, line 2: not 2 values"):
        workdir.read_rows(tmp_path / "cases.csv")


def test_the_users_matplotlib_changes_no_picture():
    rows = [
        {"model": "1-GAP", "epoch": epoch, "split": split, "loss": 1 / epoch, "accuracy": 0.5}
        for epoch in (1, 2)
        for split in ("train", "validation")
    ]
    own = to_png(training_curves(rows))
    with matplotlib.rc_context(
        {"image.origin": "lower", "lines.linewidth": 9, "font.size": 30, "savefig.dpi": 20}
    ):
        assert to_png(training_curves(rows)) == own


@pytest.mark.parametrize("variable", ["JAX_ENABLE_X64", "JAX_DISABLE_JIT"])
def test_another_projects_settings_of_jax_change_nothing(variable):
    ask = "import wsns, jax, jax.numpy as jnp; print(jnp.ones(1) .dtype, jax.config.jax_disable_jit)"
    run = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=ROOT,
        env=os.environ | {variable: "1"},
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["float32", "False"], run.stderr


def test_a_copy_inside_another_repository_has_no_commit_of_its_own(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    inside = tmp_path / "wsns" / "environment.py"
    inside.parent.mkdir()
    inside.write_text("")
    monkeypatch.setattr(environment, "__file__", str(inside))
    assert environment.commit() == "unknown"


def test_a_terminal_that_is_not_utf8_shows_what_it_can():
    environment_ = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "main.py", "--help"], cwd=ROOT, env=environment_, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


def test_a_device_that_is_not_there_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "main.py", "--config=configs/testing.py", f"--workdir={tmp_path / 'x'}"],
        cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cuda"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "JAX_PLATFORMS" in done.stderr
