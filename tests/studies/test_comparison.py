import dataclasses
import math

import numpy as np
import pytest
from evaluation_cases import random_cases
from sklearn.metrics import accuracy_score, roc_auc_score

from wsns.errors import InputError
from wsns.evaluation import table1_text, tables
from wsns.evaluation.paired_differences import COMPARED
from wsns.evaluation.table1 import table1
from wsns.studies.comparison import text as comparison_text
from wsns.studies.comparison.measure import CLASSIFIERS, Run, compare

FIELDS = {"segment.detect": 0.5, "segment.beta": 0.3, "segment.means": [-900.0, -500.0]}


def run(name, cases, fields=FIELDS, fingerprints=None):
    return Run(name, cases, fields, fingerprints or {"data_fingerprint": "d", "split_fingerprint": "s"})


def line(found, name, row):
    (only,) = (each for each in found.lines if (each.run, each.row) == (name, row))
    return only


def renamed(cases, method, new):
    return [dataclasses.replace(case, method=new) for case in cases if case.method == method]


def test_runs_that_differ_as_two_methods_do_differ_by_those_methods_paired_difference():
    cases = random_cases(0)
    runs = [
        run("coarse", renamed(cases, "1-GAP coarse", "1-GAP fine")),
        run("fine", renamed(cases, "1-GAP fine", "1-GAP fine")),
    ]
    found = line(compare(runs, draws=300, seed=7), "fine", "1-GAP fine")
    expected = table1(cases, draws=300, seed=7).differences[0]
    assert (expected.one, expected.other) == ("1-GAP fine", "1-GAP coarse")
    assert tuple(found.less_first) == COMPARED
    for name in COMPARED:
        assert dataclasses.astuple(found.less_first[name]) == pytest.approx(
            dataclasses.astuple(expected.figures[name])
        )


def test_every_figure_is_that_of_the_runs_own_table():
    cases = {"a": random_cases(0), "b": [c for c in random_cases(0, slices=10) if c.method != "U-Net"]}
    found = compare([run(name, own) for name, own in cases.items()], draws=50)
    for name, own in cases.items():
        for row in table1(own, draws=50).rows:
            for figure, value in line(found, name, row.method).figures.items():
                assert dataclasses.astuple(value) == pytest.approx(
                    dataclasses.astuple(getattr(row, figure)), nan_ok=True
                )
    assert [each.run for each in found.lines if each.row == "U-Net"] == ["a"]


def test_classifiers_differ_by_what_scikit_learn_says():
    cases, other = random_cases(1), random_cases(1)
    other = [
        dataclasses.replace(case, score=1 - case.score) if case.method[0] == "2" else case for case in other
    ]
    found = compare([run("a", cases), run("b", other)], draws=20)
    label, score = (
        np.array([getattr(case, name) for case in cases if case.method == "2-GAP fine"])
        for name in ("label", "score")
    )
    less = line(found, "b", "2-GAP classifier").less_first
    assert less["auc"].value == pytest.approx(roc_auc_score(label, 1 - score) - roc_auc_score(label, score))
    right = [accuracy_score(label, each >= 0.5) for each in (1 - score, score)]
    assert less["accuracy"].value == pytest.approx(right[0] - right[1])
    assert line(found, "b", "1-GAP classifier").same
    assert not line(found, "b", "2-GAP classifier").same


def test_each_run_is_judged_by_its_own_threshold():
    cases = random_cases(2)
    strict = run("strict", cases, FIELDS | {"segment.detect": 0.9})
    found = compare([run("a", cases), strict], draws=20)
    score = np.array([case.score for case in cases if case.method == "3-GAP fine"])
    label = [case.label for case in cases if case.method == "3-GAP fine"]
    less = line(found, "strict", "3-GAP classifier").less_first
    assert less["accuracy"].value == pytest.approx(
        accuracy_score(label, score >= 0.9) - accuracy_score(label, score >= 0.5)
    )
    assert less["auc"].value == less["auc"].low == less["auc"].high == 0


def test_a_run_is_the_same_as_itself_and_nothing_is_paired_with_the_first():
    cases = random_cases(3)
    found = compare([run("a", cases), run("again", cases[::-1])], draws=50)
    assert all(each.same == (each.run == "again") for each in found.lines)
    assert all(not each.less_first for each in found.lines if each.run == "a")
    for each in found.lines[1::2]:
        assert all((value.value, value.low, value.high) == (0, 0, 0) for value in each.less_first.values())
    text = tables.text(comparison_text.parts(found, source="made up"))
    assert text.count("\nas a: again\n") == len(found.lines) / 2
    assert "again: the same config" in text


def test_only_shared_slices_count_and_what_differs_is_named():
    cases = random_cases(4, patients=6)
    fewer = [case for case in cases if case.patient != "P0" and case.z > -98]
    other = {"data_fingerprint": "e", "split_fingerprint": "s", "source": "elsewhere"}
    found = compare([run("a", cases), run("b", fewer, fingerprints=other)], draws=50)
    alone = table1(fewer, draws=50)
    assert (found.patients, found.positives, found.negatives) == (5, alone.positives, alone.negatives)
    assert dataclasses.astuple(line(found, "a", "U-Net").figures["dice"]) == dataclasses.astuple(
        alone.rows[-1].dice
    )
    assert line(found, "b", "U-Net").same
    assert found.data == (
        "b: not the data_fingerprint and source of a",
        "a: 15 of 60 test slices left out, which not all runs have",
    )
    assert "Not the same data" in tables.text(comparison_text.parts(found, source="made up"))


def test_a_slice_with_another_number_of_nodules_is_not_the_same_slice():
    cases = [case for case in random_cases(5) if case.label == 0]
    changed = [
        dataclasses.replace(case, label=1, nodules=1, tp=0, dice=0.0, area_ref_mm2=9.0, diameter_mm=3.4)
        for case in cases[: len(cases) // 7 * 7]
    ]
    with pytest.raises(InputError, match="a, b share no test slice") as caught:
        compare([run("a", cases), run("b", changed)])
    assert "\n" not in str(caught.value)


def test_config_differences_are_named_with_the_firsts_in_brackets():
    cases = random_cases(6, patients=2)
    fields = {"segment.detect": 0.5, "segment.means": [-900.0], "model.weights": "", "seed": 1}
    found = compare([run("a", cases), run("b", cases, fields)], draws=5)
    assert found.configs == (
        "b: model.weights '' (no such field), seed 1 (no such field), segment.beta no such field (0.3), "
        "segment.means [-900.0] ([-900.0, -500.0])",
    )


def test_one_patient_gives_differences_without_intervals():
    found = compare([run(name, random_cases(seed, patients=1)) for name, seed in (("a", 7), ("b", 7))])
    less = line(found, "b", "1-GAP fine").less_first["dice"]
    assert less.value == 0
    assert math.isnan(less.low)
    assert "too few for an interval" in tables.text(comparison_text.parts(found, source="made up"))


def three():
    cases = random_cases(8)
    shifted = [
        dataclasses.replace(case, dice=case.dice / 2) if case.tp and "fine" in case.method else case
        for case in cases
    ]
    long = "a run with a name that is far longer than its column"
    return compare([run("a", cases), run("half|dice", shifted), run(long, shifted)], draws=50), long


def test_the_text_is_a_hundred_columns_wide_and_holds_every_run_and_row():
    found, long = three()
    text = tables.text(comparison_text.parts(found, source="made up"))
    assert max(map(len, text.splitlines())) <= 100
    for row in {each.row for each in found.lines}:
        assert f"\n{row} " in text
    block = text.split("\n1-GAP fine ")[1].split("\n\n")[0]
    assert f"\n{long}\n" in block
    half = line(found, "half|dice", "1-GAP fine")
    less = half.less_first["dice"]
    assert f"{half.figures['dice'].value:.2f} {table1_text.with_sign(less.value, 2)}" in block
    assert table1_text.interval(less, 2, signed=True) in block
    assert f"{half.figures['tpr'].value:.2f} =" in block
    assert f"\nas a: half|dice, {long}" in text.split("\n1-GAP coarse ")[1].split("\n\n")[0]


def test_markdown_has_a_table_per_row_and_escapes_names():
    found, _ = three()
    text = tables.markdown(comparison_text.parts(found, source="made up"))
    made = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(made) == len({each.row for each in found.lines})
    for table in made:
        widths = {len(row.replace("\\|", "").split("|")) for row in table.splitlines()}
        assert len(widths) == 1
        assert ("half\\|dice" in table) == ("fine" in table.split("|")[1])


def test_the_csv_has_all_digits_and_empty_cells_where_nothing_is_defined():
    found, long = three()
    rows = list(comparison_text.rows(found))
    assert len(rows) == sum(len(each.figures) for each in found.lines)
    assert {row["row"] for row in rows} >= set(CLASSIFIERS)
    first, half = (
        next(r for r in rows if (r["run"], r["row"], r["figure"]) == (name, "2-GAP fine", "dice"))
        for name in ("a", long)
    )
    assert first["difference"] == first["difference_low"] == ""
    assert half["difference"] == pytest.approx(half["value"] - first["value"])
    assert half["value"] == line(found, long, "2-GAP fine").figures["dice"].value


def test_a_run_without_a_true_positive_has_no_tp_difference():
    cases = random_cases(9)
    missed = [dataclasses.replace(case, tp=0, dice=0.0) if case.tp else case for case in cases]
    found = compare([run("a", cases), run("missed", missed)], draws=50)
    less = line(found, "missed", "1-GAP fine").less_first
    assert less["tpr"].value < 0
    assert math.isnan(less["tp_dice"].value)
    block = (
        tables.text(comparison_text.parts(found, source="made up")).split("\n1-GAP fine ")[1].split("\n\n")[0]
    )
    assert block.split("\nmissed")[1].splitlines()[0].split()[-2:] == ["–", "–"]
