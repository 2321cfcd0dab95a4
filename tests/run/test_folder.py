"""A finished run, opened again."""

import dataclasses

import numpy as np
import pytest
from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.evaluation.cases import Case
from wsns.run import folder
from wsns.segmentation.options import Options


def case(z, method, dice, detected=1, nodules=1):
    hit = int(dice > 0)
    return Case(
        "P1", "S1", z, method, int(nodules > 0), nodules, 0.7, detected, hit, dice, 30.0 * detected, 28.0, 6.0
    )


def test_what_is_no_finished_run_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"has no config\.json: run `make demo` first"):
        folder.open_run(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"has no cases\.csv"):
        folder.open_run(tmp_path)


def test_showcase_is_where_screening_gained_most():
    cases = [
        *(case(1.0, "2-GAP coarse", 0.8), case(1.0, "2-GAP fine", 0.9)),
        *(case(2.0, "2-GAP coarse", 0.3), case(2.0, "2-GAP fine", 0.7)),
        *(case(3.0, "2-GAP coarse", 0.1, nodules=2), case(3.0, "2-GAP fine", 0.9, nodules=2)),
        *(case(2.0, "3-GAP coarse", 0.6), case(2.0, "3-GAP fine", 0.5)),
        *(case(1.0, "3-GAP coarse", 0.6), case(1.0, "3-GAP fine", 0.6)),
    ]
    assert folder.showcase(cases, 2) == cases[3]
    assert folder.showcase(cases, 3).z == 1.0
    chosen = [case(z, f"1-GAP {kind}", 0.0) for z in (1.0, 2.0) for kind in ("coarse", "fine")]
    chosen[3] = dataclasses.replace(chosen[3], same_object=0)
    assert folder.showcase(chosen, 1).z == 2.0
    missed = [case(1.0, f"1-GAP {kind}", 0.0, detected=0) for kind in ("coarse", "fine")]
    with pytest.raises(InputError, match="no slice with one nodule was detected"):
        folder.showcase(missed, 1)


def test_the_patient_s_right_is_left_open_where_records_don_t_say(tmp_path):
    (tmp_path / "scans.csv").write_text("series,right\n1.2,right\n")
    assert folder.right_side(tmp_path, "1.2") == "right"
    assert folder.right_side(tmp_path, "1.3") == ""
    (tmp_path / "scans.csv").write_text("series\n1.2\n")
    assert folder.right_side(tmp_path, "1.2") == ""


def test_a_run_comes_back_as_it_was_written(testing_run):
    run = folder.open_run(testing_run.workdir)
    assert isinstance(run.config, ConfigDict)
    assert Options(**run.config.segment.to_dict()).detect == 0
    chosen = next(case for case in run.cases if case.method == "3-GAP fine" and case.nodules == 1)
    view = folder.view(run, chosen)
    n = folder.row_of(run.slices, chosen)
    np.testing.assert_array_equal(view.hu, run.slices.hu[n])
    area = np.count_nonzero(view.results["3-GAP fine"]) * view.spacing**2
    assert area == pytest.approx(chosen.area_mm2)
    assert view.right == "left"
    with pytest.raises(InputError, match="no record: segment the run again"):
        folder.row_of(run.slices, case(1e6, "3-GAP fine", 0.5))
