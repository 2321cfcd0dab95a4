import csv
import dataclasses
import io

import numpy as np
import pytest
from evaluation_cases import random_cases
from sklearn.metrics import average_precision_score

from wsns.evaluation import secondary_table
from wsns.evaluation.failure_modes import CAUSES
from wsns.evaluation.froc import Scan
from wsns.evaluation.scan_marks import Mark
from wsns.evaluation.secondary import secondary, whole_scans
from wsns.evaluation.table1 import table1
from wsns.runtime import workdir

CASES = random_cases(0)
FINE = [case for case in CASES if case.method.endswith("fine")]
SCANS = [Scan(f"P{n}", (1,), [Mark(0.9, 0.0, 2, 30.0, (1,)), Mark(0.4, 5.0, 1, 9.0, ())]) for n in range(8)]


def whole(cases=FINE, **settings):
    return whole_scans(
        cases, {case.method: SCANS for case in cases}, 12, **{"threshold": 0.5, "draws": 20} | settings
    )


def test_every_slice_with_one_nodule_has_one_cause():
    found = secondary(CASES, threshold=0.5, draws=20)
    ones = sum(case.nodules == 1 for case in CASES if case.method == "U-Net")
    assert set(found.causes) == {case.method for case in CASES}
    for counts in found.causes.values():
        assert list(counts) == list(CAUSES)
        assert sum(counts.values()) == ones
    missed = sum(not case.detected for case in CASES if case.method == "1-GAP fine" and case.nodules == 1)
    assert found.causes["1-GAP fine"]["not detected"] == missed


def test_classifiers_are_those_of_all_slices():
    found = secondary(CASES, threshold=0.5, draws=20)
    own = [case for case in CASES if case.method == "2-GAP fine"]
    expected = average_precision_score([case.label for case in own], [case.score for case in own])
    assert found.classifiers["2-GAP"].average_precision.value == pytest.approx(expected)


def test_whole_scans_count_slices_and_nodules():
    found = whole()
    assert found.slices == len(FINE) // 3
    assert found.left_out == 12
    assert found.frocs["3-GAP fine"].nodules == found.frocs["3-GAP fine"].scans == 8
    assert found.frocs["1-GAP fine"].sensitivity[0].value == 1
    assert found.table.rows == table1(FINE, draws=20).rows


def test_measures_stand_in_one_table_with_their_intervals(tmp_path):
    table = table1(CASES, draws=20)
    found = secondary(CASES, whole(), threshold=0.5, draws=20)
    workdir.write_rows(tmp_path / "measures.csv", secondary_table.COLUMNS, secondary_table.rows(table, found))
    rows = workdir.read_rows(tmp_path / "measures.csv")
    keys = [tuple(row[name] for name in secondary_table.COLUMNS[:4]) for row in rows]
    assert len(set(keys)) == len(keys)
    at = dict(zip(keys, rows, strict=True))
    auc = at["test split", "1-GAP", "all", "auc"]
    model = table.classifiers[0].auc
    assert [float(auc[name]) for name in ("value", "low", "high")] == [model.value, model.low, model.high]
    assert at["whole scans", "1-GAP", "all", "auc"]
    dice = at["test split", "U-Net", "all", "dice"]
    assert float(dice["value"]) == pytest.approx(table.rows[-1].dice.value)
    # Nobody's texture is known here, so there is no such group, and no measure of it.
    assert not any(row["group"] == "solid" for row in rows)
    hits = at["test split", "1-GAP fine", "all", "peak_hit"]
    assert hits["value"] == hits["low"] == ""
    assert "nan" not in (tmp_path / "measures.csv").read_text()


def test_thin_data_gives_empty_fields():
    for cases in ([c for c in CASES if c.label == 0], [c for c in CASES if c.patient == "P0"]):
        table = table1(cases, draws=20)
        rows = list(secondary_table.rows(table, secondary(cases, threshold=0.5, draws=20)))
        text = io.StringIO()
        csv.DictWriter(text, secondary_table.COLUMNS).writerows(rows)
        assert "nan" not in text.getvalue()


def test_a_method_less_on_some_slice_is_refused():
    with pytest.raises(Exception, match="different slices"):
        secondary(CASES[1:], threshold=0.5)


def test_groups_follow_the_columns():
    known = [
        dataclasses.replace(case, texture=5.0 if case.patient < "P4" else 2.0, peak_mm=4.0, peak_chance=0.1)
        if case.label
        else case
        for case in FINE
    ]
    rows = {(row.method, row.group): row for row in secondary(known, threshold=0.5, draws=20).groups}
    solid, subsolid = rows["1-GAP fine", "solid"], rows["1-GAP fine", "subsolid"]
    assert solid.n + subsolid.n == rows["1-GAP fine", "all"].n
    assert solid.figures["peak_hit"].value == 1
    np.testing.assert_allclose(solid.figures["peak_chance"].value, 0.1)
