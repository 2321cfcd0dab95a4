import json
import statistics
import subprocess
import sys

import conftest
import pytest


@pytest.mark.slow
def test_records_ends_with_a_line_of_json_whose_shares_are_a_whole():
    command = [
        sys.executable,
        conftest.ROOT / "benchmarks" / "records.py",
        "--quick",
        "--json",
        "--workers=1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["scans"] == 2
    assert found["files"] > 200
    assert found["time_vs_decode"] > 1
    assert sum(found["shares"].values()) == pytest.approx(1, abs=0.01)
    assert all(share > 0 for share in found["shares"].values())
    assert found["peak_mib_largest_process"] > 100
    assert found["streamed_slices_per_second"] > 10
    assert "LIDC twin as DICOM: 2 scans" in done.stdout


@pytest.mark.slow
def test_networks_ends_with_a_line_of_json_whose_ratios_are_those_of_its_speeds():
    small = ["--size=48", "--width=0.125", "--batch=3", "--rounds=2", "--models=gap1,gap2"]
    command = [sys.executable, conftest.ROOT / "benchmarks" / "networks.py", "--json", *small]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["models"]) == ["gap1", "gap2"]
    for key in ("train", "forward"):
        ratios = []
        for model in found["models"].values():
            speed = model["slices_per_second"]
            ratios.append(speed["wsns"][key] / speed["torch"][key])
            assert model[f"{key}_vs_torch"] == pytest.approx(ratios[-1])
        assert found[f"{key}_vs_torch"] == pytest.approx((ratios[0] * ratios[1]) ** 0.5, abs=1e-3)
    assert 0 < found["share_of_matmul_rate"] < 1.2
    assert "48 × 48 pixels, width 0.125, batch 3, float32" in done.stdout


def test_networks_refuses_bad_options_in_one_line():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "networks.py", "--models=gap4"]
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode == 2
    assert "error: --models are of gap1,gap2,gap3" in failed.stderr


@pytest.mark.slow
def test_phases_ends_with_a_line_of_json_in_which_no_cut_is_beaten():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "phases.py", "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    settings = {(s["phases"], s["beta"], s["reestimate"]): s for s in found["settings"]}
    assert len(settings) == 12
    for setting in settings.values():
        assert -1e-9 <= setting["gap_percent"] <= setting["gap_percent_largest"]
        assert setting["differ_percent"] < 10
        assert 1 < setting["sweeps_mean"] <= setting["sweeps_most"]
    assert settings[2, 0.3, False]["gap_percent_largest"] < 0.5
    assert settings[4, 0.3, False]["means"] == [-900, -700, -600, -200]
    assert settings[4, 0.3, True]["means"] != [-900, -700, -600, -200]
    assert found["gap_percent"] == settings[4, 0.3, False]["gap_percent"]
    assert "LIDC twin: 7 slices with a nodule" in done.stdout


@pytest.mark.slow
def test_screening_ends_with_a_line_of_json_in_which_all_scores_agree():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "screening.py", "--size=128", "--width=0.0625"]
    done = subprocess.run([*command, "--quick", "--json"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["max_difference"] == 0
    assert [row["candidates"] for row in found["rows"]] == [4, 16]
    assert all(row["largest_score"] > 0 for row in found["rows"])
    for other in ("full", "loop"):
        ratios = [row["seconds"][other] / row["seconds"]["incremental"] for row in found["rows"]]
        assert found[f"incremental_vs_{other}"] == pytest.approx(statistics.geometric_mean(ratios), abs=0.01)


@pytest.mark.slow
def test_method_ends_with_a_line_of_json_in_which_shares_add_up():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "method.py", "--size=128", "--width=0.0625"]
    done = subprocess.run([*command, "--quick", "--json"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    speed = found["slices_per_second"]
    assert found["time_vs_network"] == pytest.approx(speed["networks"] / speed["method"], rel=0.02)
    assert sum(found["shares"].values()) == pytest.approx(1, abs=0.01)
    assert found["copies_per_slice"] > 0
    assert "LIDC twin, untrained networks: 4 slices with a nodule" in done.stdout


def test_what_is_no_run_or_no_number_is_refused_in_one_line(tmp_path):
    for name, argument, status, words in (
        ("method", f"--workdir={tmp_path}", 1, "is no workdir of a finished run"),
        ("phases", f"--manual_dir={tmp_path / 'nowhere'}", 1, "is not a folder"),
        ("screening", "--counts=four", 2, "invalid numbers value: 'four'"),
    ):
        command = [sys.executable, conftest.ROOT / "benchmarks" / f"{name}.py", argument]
        failed = subprocess.run(command, capture_output=True, text=True)
        assert failed.returncode == status
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr


def test_screening_and_method_refuse_bad_options_in_one_line():
    for name, argument in (
        ("screening", "--size=100"),
        ("screening", "--counts=0"),
        ("method", "--slices=0"),
    ):
        command = [sys.executable, conftest.ROOT / "benchmarks" / f"{name}.py", argument]
        failed = subprocess.run(command, capture_output=True, text=True)
        assert failed.returncode == 2
        assert "error: --size is a multiple of 16 and divides 384" in failed.stderr


@pytest.mark.slow
def test_twin_says_what_a_slice_costs():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "twin.py", "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["ms_per_slice"]) == 1
    assert found["ms_per_slice"][0] > 0


@pytest.mark.slow
def test_intervals_of_two_stages_cover_where_those_of_patients_alone_do_not():
    command = [sys.executable, conftest.ROOT / "benchmarks" / "coverage.py", "--samples=150", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])["patients"]
    for patients, least in (("4", 0.87), ("11", 0.9)):
        for own in found[patients]["two stages, wider tails"].values():
            assert own["covers"] >= least
    alone = [own["covers"] for own in found["4"]["patients alone"].values()]
    assert max(alone) < 0.87
    # Too few for an interval.
    assert statistics.mean(own["covers"] for own in found["3"]["two stages"].values()) < 0.9


def test_crop_coverage_and_mark_scores_refuse_what_they_can_not_use(tmp_path):
    for name, argument, words in (
        ("crop", f"--manual_dir={tmp_path / 'nowhere'}", "is not a folder"),
        ("coverage", "--patients=one", "--patients are numbers of at least 2"),
        ("mark_scores", f"--workdir={tmp_path}", "is no workdir of a finished run"),
    ):
        command = [sys.executable, conftest.ROOT / "benchmarks" / f"{name}.py", argument]
        failed = subprocess.run(command, capture_output=True, text=True)
        assert failed.returncode > 0
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr
