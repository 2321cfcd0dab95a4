import dataclasses

import numpy as np
import pytest
from evaluation_cases import random_cases

from wsns.evaluation.cases import Case
from wsns.evaluation.failure_modes import CAUSES, cause
from wsns.evaluation.resampled import draw
from wsns.evaluation.subgroups import GROUPS, MEASURES, group_rows
from wsns.evaluation.table1 import table1

CASE = Case(
    "P", "1.2", 0.0, "1-GAP fine", 1, 1, 0.9, 1, 1, 0.8, 50.0, 55.0, 8.4, 1.4, 0.5, 0.9, 3.0, 0.02, 1.0, 0.85, 1,
    5.0, 4, 0.88,
)  # fmt: skip


def case(**changes):
    return dataclasses.replace(CASE, **changes)


MISS = {"tp": 0, "dice": 0.0, "hd95_mm": None, "assd_mm": None, "surface_dice": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "good"),
        ({"detected": 0, "area_mm2": 0.0, **MISS}, "not detected"),
        ({"in_scope": 0.1, **MISS}, "wrong blob"),
        ({"best_dice": 0.0, "same_object": None, **MISS}, "no candidate"),
        ({"same_object": 0, **MISS}, "wrong candidate"),
        ({"dice": 0.3}, "bad outline"),
        ({"method": "1-GAP coarse", "dice": 0.3, "same_object": 0}, "bad outline"),
        ({"method": "U-Net", "in_scope": None, "best_dice": None, "same_object": None, **MISS}, "wrong blob"),
        ({"method": "U-Net", "in_scope": None, "best_dice": None, "dice": 0.2}, "bad outline"),
    ],
)
def test_each_slice_has_the_first_cause_that_applies(changes, expected):
    assert cause(case(**changes)) == expected
    assert expected in CAUSES


def test_a_slice_with_several_nodules_has_no_cause():
    with pytest.raises(ValueError, match="2"):
        cause(case(nodules=2))


def test_figures_of_a_few_slices_by_hand():
    cases = [
        case(),
        case(patient="Q", z=1.0, texture=2.0, readers=2, diameter_mm=4.0, peak_mm=9.0, best_dice=0.3, **MISS),
        case(patient="Q", z=2.0, texture=None, readers=3, diameter_mm=12.0, hd95_mm=3.0, dice=0.6),
        case(patient="Q", z=3.0, nodules=2, tp=2, dice=0.1),
    ]
    rows = {row.group: row for row in group_rows(draw(cases, draws=20))}
    assert {name: row.n for name, row in rows.items()} == {
        "all": 3, "solid": 1, "subsolid": 1, "under 6 mm": 1, "6 to 10 mm": 1, "10 mm and more": 1,
        "drawn by 1 or 2 readers": 1, "drawn by 3": 1, "drawn by 4 or more": 1,
    }  # fmt: skip
    every = {name: figure.value for name, figure in rows["all"].figures.items()}
    assert every["tpr"] == pytest.approx(2 / 3)
    assert every["dice"] == pytest.approx(1.4 / 3)
    assert every["tp_dice"] == pytest.approx(0.7)
    assert every["hd95_mm"] == pytest.approx(2.2)
    assert every["peak_hit"] == pytest.approx(2 / 3)
    assert every["existed"] == pytest.approx(2 / 3)
    assert np.isnan(rows["subsolid"].figures["tp_dice"].value)
    assert rows["solid"].figures["reader_dice"].value == 0.88


def test_all_slices_together_are_table_1_s_and_groups_are_shares_of_them():
    cases = random_cases(3)
    rows = group_rows(draw(cases, draws=200, seed=4))
    table = {row.method: row for row in table1(cases, draws=200, seed=4).rows}
    for row in rows:
        if row.group == "all":
            for name in ("tpr", "dice", "tp_dice"):
                assert row.figures[name].value == pytest.approx(getattr(table[row.method], name).value)
                assert row.figures[name].low == pytest.approx(getattr(table[row.method], name).low)
            sizes = [
                other.n
                for other in rows
                if other.method == row.method
                and other.group in ("under 6 mm", "6 to 10 mm", "10 mm and more")
            ]
            assert sum(sizes) == row.n
    assert set(MEASURES) == set(rows[0].figures)
    assert {row.group for row in rows} <= set(GROUPS)
