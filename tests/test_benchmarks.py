import json
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
    assert "LIDC twin as DICOM: 2 scans" in done.stdout
