import collections
import csv
import dataclasses
import io

import numpy as np
import pytest
from evaluation_cases import random_cases
from sklearn.metrics import accuracy_score, roc_auc_score

from wsns import paper
from wsns.errors import InputError
from wsns.evaluation import table1_text
from wsns.evaluation.bootstrap import TOO_FEW, Estimate, tails
from wsns.evaluation.cases import COLUMNS, METHODS, Case, case_row, read_cases, write_cases
from wsns.evaluation.metrics import FIGURES
from wsns.evaluation.table1 import Effort, check_identities, table1

IDS = {"patient": "P", "series": "1.2", "z": 1.5, "spacing": 0.5, "method": "1-GAP fine", "score": 0.9}


def row(result, instances, **other):
    values = IDS | {"nodules": int(np.max(instances)), "detected": True} | other
    return case_row(result, np.asarray(instances), **values)


def test_case_of_a_hit():
    instances = np.array([[1, 1, 0, 0], [0, 0, 0, 2]])
    case = row(np.array([[1, 1, 1, 0], [0, 0, 0, 0]], bool), instances)
    assert (case.label, case.nodules, case.tp, case.detected) == (1, 2, 1, 1)
    assert case.dice == pytest.approx(2 * 2 / (3 + 3))
    assert case.area_mm2 == case.area_ref_mm2 == 3 * 0.25
    assert case.diameter_mm == pytest.approx((4 * 0.75 / np.pi) ** 0.5)


def test_case_that_was_not_detected_has_no_result():
    instances = np.array([[1, 1]])
    case = row(np.ones((1, 2), bool), instances, detected=False)
    assert (case.tp, case.dice, case.area_mm2, case.area_ref_mm2) == (0, 0, 0, 0.5)
    assert row(None, instances).dice == 0


def test_case_without_a_nodule():
    case = row(np.array([[True, False]]), np.zeros((1, 2), int))
    assert (case.label, case.area_mm2) == (0, 0.25)
    assert case.tp is case.dice is case.area_ref_mm2 is case.diameter_mm is None


def test_nodule_that_the_crop_cuts_off_is_a_miss():
    case = row(None, np.zeros((1, 2), int), nodules=1)
    assert (case.label, case.tp, case.dice, case.area_ref_mm2) == (1, 0, 0, 0)


def test_cases_survive_the_file(tmp_path):
    cases = random_cases(0)
    write_cases(tmp_path / "cases.csv", cases)
    assert read_cases(tmp_path / "cases.csv") == cases
    assert (tmp_path / "cases.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("method", "4-GAP", "4-GAP"),
        ("score", "1.5", "no probability"),
        ("score", "nan", "no probability"),
        ("dice", "much", "column dice: 'much' is no number"),
        ("dice", "", "must be filled"),
        ("tp", "0", "0 together"),
        ("tp", "9", "outside 0..nodules"),
        ("label", "0", "contradicts label"),
        ("label", "2", "must be 0 or 1"),
        ("nodules", "-1", "contradicts label"),
        ("detected", "0", "where detected is 0"),
        ("area_mm2", "inf", "area_mm2"),
        ("area_ref_mm2", "-1", "sizes"),
        ("z", "nan", "finite"),
    ],
)
def test_bad_values_name_file_and_line(tmp_path, column, value, message):
    path = tmp_path / "cases.csv"
    write_cases(path, [row(np.array([[True]]), np.array([[1]]))])
    lines = list(csv.DictReader(io.StringIO(path.read_text())))
    lines[0][column] = value
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(lines[0].values()) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        read_cases(path)
    assert "cases.csv, line 2" in str(caught.value)


def test_bad_files(tmp_path):
    path = tmp_path / "cases.csv"
    with pytest.raises(InputError, match="does not exist"):
        read_cases(path)
    for text, message in (
        ("", "columns are missing"),
        ("patient,dice\n", "the columns are patient, dice"),
        (",".join(COLUMNS) + "\n", "no cases"),
        (",".join(COLUMNS) + "\nP,1.2\n", "2 values"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_cases(path)
    case = row(np.array([[True]]), np.array([[1]]))
    write_cases(path, [case, case])
    with pytest.raises(InputError, match="2 times"):
        read_cases(path)


def test_figures_equal_plain_numpy():
    cases = random_cases(1)
    table = table1(cases)
    assert [made.method for made in table.rows] == list(METHODS)
    for made in table.rows:
        own = [case for case in cases if case.method == made.method]
        one = [case for case in own if case.nodules == 1]
        hits = [case for case in one if case.tp]
        dice, doa = [c.dice for c in hits], [abs(c.area_mm2 - c.area_ref_mm2) for c in hits]
        assert made.n == len(one)
        assert made.tpr.value == pytest.approx(len(hits) / len(one))
        assert made.fpr.value == pytest.approx(np.mean([c.detected for c in own if c.label == 0]))
        assert made.fpr_nodule.value == pytest.approx(np.mean([c.detected and not c.tp for c in one]))
        assert made.dice.value == pytest.approx(np.mean([c.dice for c in one]))
        assert made.dice_sd.value == pytest.approx(np.std([c.dice for c in one]))
        assert made.tp_dice.value == pytest.approx(np.mean(dice))
        assert made.tp_dice_sd.value == pytest.approx(np.std(dice))
        assert made.tp_doa.value == pytest.approx(np.mean(doa))
        assert made.tp_doa_sd.value == pytest.approx(np.std(doa), abs=1e-6)
        assert made.tp_dice.low <= made.tp_dice.value <= made.tp_dice.high


def test_bootstrap_equals_resampling_the_rows():
    # Two slices to a nodule, the other slices alone.
    cases = [
        dataclasses.replace(case, nodule=n // 2 if case.label else None)
        for n, case in enumerate(c for c in random_cases(2, patients=5) if c.method == "2-GAP fine")
    ]
    units = collections.defaultdict(list)
    for n, case in enumerate(cases):
        units[case.patient, case.label, case.nodule if case.label else n].append(case)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1500):
        rows = []
        for p in rng.integers(0, 5, 5):
            own = [rows for (patient, label, _), rows in units.items() if patient == f"P{p}" and label]
            rows += [case for n in rng.integers(0, len(own), len(own)) for case in own[n]]
        drawn.append(np.mean([case.dice for case in rows if case.nodules == 1]))
    low, high = np.percentile(drawn, tails(5))
    made = table1(cases).rows[0].dice
    assert made.low == pytest.approx(low, abs=0.02)
    assert made.high == pytest.approx(high, abs=0.02)


def test_classifiers_equal_sklearn():
    cases = random_cases(3)
    for model in table1(cases).classifiers:
        rows = [case for case in cases if case.method == f"{model.model} coarse"]
        label, score = [case.label for case in rows], np.array([case.score for case in rows])
        assert model.accuracy.value == pytest.approx(accuracy_score(label, score >= 0.5))
        assert model.auc.value == pytest.approx(roc_auc_score(label, score))
        assert model.auc.low < model.auc.value < model.auc.high


def test_differences_are_paired():
    cases = [case for case in random_cases(4) if case.method == "1-GAP coarse"]
    better = [
        dataclasses.replace(case, method="1-GAP fine", dice=case.dice + 0.01 if case.tp else case.dice)
        for case in cases
        if not case.dice or case.dice < 0.99
    ]
    same = {(case.series, case.z) for case in better}
    (pair,) = table1(better + [case for case in cases if (case.series, case.z) in same]).differences
    gain = pair.figures["tp_dice"]
    assert (pair.one, pair.other) == ("1-GAP fine", "1-GAP coarse")
    assert gain.value == pytest.approx(0.01)
    assert gain.high - gain.low < 1e-9


def test_differences_are_those_of_the_columns():
    table = table1(random_cases(6))
    rows = {row.method: row for row in table.rows}
    assert len(table.differences) == 10
    for pair in table.differences:
        for name, found in pair.figures.items():
            expected = getattr(rows[pair.one], name).value - getattr(rows[pair.other], name).value
            assert found.value == pytest.approx(expected)
            assert found.low <= found.value <= found.high


def test_two_nodules_and_crowded_slices():
    cases = random_cases(5, patients=20)
    table = table1(cases)
    for line in table.two_nodules:
        found = [case.tp for case in cases if case.method == line.method and case.nodules == 2]
        assert (line.both, line.one, line.none) == (found.count(2), found.count(1), found.count(0))
        assert line.n == len(found)
    assert table.crowded == sum(case.nodules == 3 and case.method == "U-Net" for case in cases) > 0


def test_classifiers_judge_by_the_threshold_that_detects():
    cases = [
        row(np.ones((1, 2), bool), [[label, 0]], score=score, detected=score >= 0.6, z=float(n))
        for n, (score, label) in enumerate([(0.55, 1), (0.7, 1), (0.58, 0), (0.1, 0)])
    ]
    by_it = table1(cases, threshold=0.6, draws=10)
    assert by_it.classifiers[0].accuracy.value == 0.75
    assert by_it.threshold == 0.6
    with pytest.raises(InputError, match="identity 4"):
        table1(cases, threshold=0.5, draws=10)


@pytest.mark.parametrize("seed", range(8))
def test_identities_hold_on_any_cases(seed):
    table = table1(random_cases(seed, patients=3, slices=6))
    assert check_identities(table) is None
    assert len(table.rows) == len(METHODS)


@pytest.mark.parametrize(
    ("field", "identity"),
    [("dice", 1), ("dice_sd", 2), ("tp_dice_sd", 2), ("fpr_nodule", 3), ("fpr", 4), ("sensitivity", 3)],
)
def test_a_corrupted_row_is_caught(field, identity):
    table = table1(random_cases(0))
    first = dataclasses.replace(
        table.rows[0], **{field: Estimate(getattr(table.rows[0], field).value + 0.01)}
    )
    with pytest.raises(InputError, match=f"identity {identity} for"):
        check_identities(dataclasses.replace(table, rows=(first, *table.rows[1:])))


def test_a_corrupted_accuracy_is_caught():
    table = table1(random_cases(0))
    wrong = dataclasses.replace(table.classifiers[1], accuracy=Estimate(0.123))
    with pytest.raises(InputError, match="identity 4 for 2-GAP"):
        check_identities(dataclasses.replace(table, classifiers=(wrong,)))


def test_rows_of_two_runs_are_caught():
    cases = random_cases(0)
    number = next(
        n for n, c in enumerate(cases) if c.method == "2-GAP fine" and c.nodules == 1 and not c.detected
    )
    cases[number] = dataclasses.replace(cases[number], detected=1)
    with pytest.raises(InputError, match="identity 5 for 2-GAP fine"):
        table1(cases)
    with pytest.raises(InputError, match="different slices"):
        table1(cases[1:])
    with pytest.raises(InputError, match="at least one case"):
        table1([])


def test_the_papers_own_columns_obey_identities_1_and_2():
    for figures in paper.TABLE1.values():
        mean = figures["tpr"] * figures["tp_dice"]
        assert mean == pytest.approx(figures["dice"], abs=0.012)
        square = figures["tpr"] * (figures["tp_dice_sd"] ** 2 + figures["tp_dice"] ** 2) - mean**2
        assert square**0.5 == pytest.approx(figures["dice_sd"], abs=0.021)


def only(*, nodules=None, patient=None):
    return [
        case
        for case in random_cases(6)
        if (nodules is None or case.nodules in nodules) and (patient is None or case.patient == patient)
    ]


@pytest.mark.parametrize(
    "cases",
    [only(nodules=(0,)), only(nodules=(1,)), only(nodules=(2,)), only(patient="P0"), only(nodules=(0, 3))],
    ids=["no nodule", "no negative", "two nodules only", "one patient", "no single nodule"],
)
def test_thin_data_gives_dashes_and_no_error(cases):
    table = table1(cases, effort=Effort(0, 0))
    text = table1_text.as_text(table, source="made up")
    assert "nan" not in text + table1_text.as_markdown(table, source="made up") + table1_text.as_csv(table)


def test_no_true_positive():
    cases = [
        dataclasses.replace(case, tp=0, dice=0.0) if case.label else case for case in only(nodules=(0, 1))
    ]
    made = table1(cases).rows[0]
    assert made.dice.value == made.dice.high == 0
    assert np.isnan(made.tp_dice.value)
    assert "–" in table1_text.value_cells(made)


def test_too_few_patients_have_no_interval_and_the_table_says_so():
    table = table1([case for case in random_cases(6) if case.patient in ("P0", "P1", "P2")])
    assert np.isnan([table.rows[0].tpr.low, table.classifiers[0].auc.low]).all()
    assert TOO_FEW in table1_text.as_text(table, source="made up")
    assert all(row["tpr_low"] == "" for row in csv.DictReader(io.StringIO(table1_text.as_csv(table))))
    enough = table1([case for case in random_cases(6) if case.patient in ("P0", "P1", "P2", "P3")])
    assert np.isfinite(enough.rows[0].tpr.low)


def test_a_figure_stands_on_the_patients_that_have_a_part_in_it():
    cases = [
        dataclasses.replace(case, tp=0, dice=0.0) if case.label and case.patient > "P2" else case
        for case in random_cases(6)
    ]
    made = table1(cases).rows[0]
    assert made.tp_dice.value > 0
    assert np.isnan(made.tp_dice.low)
    assert np.isfinite(made.tpr.low)


def test_slices_whose_nodule_lies_outside_the_crop_are_counted_and_left_out():
    cases = random_cases(7)
    gone = {(c.series, c.z) for c in [c for c in cases if c.nodules == 1 and c.method == "U-Net"][:3]}
    cut = [
        dataclasses.replace(case, area_ref_mm2=0.0, diameter_mm=0.0, tp=0, dice=0.0, outside_crop=40)
        if (case.series, case.z) in gone
        else case
        for case in cases
    ]
    found = table1(cut)
    expected = table1([case for case in cases if (case.series, case.z) not in gone])
    assert found.unreachable == 3
    assert dataclasses.replace(found, unreachable=0) == expected
    assert "3 slices whose nodules lie wholly outside the crop" in table1_text.as_text(
        found, source="made up"
    )
    assert "outside the crop" not in table1_text.as_text(expected, source="made up")
    with pytest.raises(InputError, match="crop"):
        table1([dataclasses.replace(c, area_ref_mm2=0.0, tp=0, dice=0.0) for c in cases if c.nodules == 1])


def test_text_fits_a_terminal_and_says_whose_figures_they_are():
    text = table1_text.as_text(
        table1(random_cases(0), effort=Effort(5000, 50)), source="LIDC twin (synthetic)"
    )
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("Table 1 · LIDC twin (synthetic)")
    assert text.count("the paper's ") >= len(METHODS)
    assert "100 voxels of the consensus per slice label" in text


def test_fpr_stands_in_every_row_beside_tpr():
    rows = table1(random_cases(0)).rows
    assert len({table1_text.value_cells(made)[1] for made in rows}) == 2
    for made in rows:
        assert table1_text.value_cells(made)[1] == f"{made.fpr.value:.2f}"
        assert table1_text.interval_cells(made)[1] == f"{made.fpr.low:.2f}–{made.fpr.high:.2f}"
        assert table1_text.paper_cells(made.method)[1] == ("0.29" if made.method == "U-Net" else "0.11")


def test_csv_holds_every_figure_with_its_interval():
    table = table1(random_cases(0))
    lines = list(csv.DictReader(io.StringIO(table1_text.as_csv(table))))
    expected = ["method", "n", *FIGURES]
    expected += [f"{name}_{end}" for name in FIGURES for end in ("low", "high")]
    assert list(lines[0]) == expected
    for line, made in zip(lines, table.rows, strict=True):
        for name in FIGURES:
            figure = getattr(made, name)
            ends = [float(line[key]) for key in (name, f"{name}_low", f"{name}_high")]
            assert ends == [figure.value, figure.low, figure.high]


def test_write_table_leaves_three_files(tmp_path):
    table1_text.write_table(tmp_path, table1(random_cases(0)), source="made up")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table1.csv", "table1.md", "table1.txt"]


def test_case_refuses_contradictions():
    good = row(np.array([[True]]), np.array([[1]]))
    with pytest.raises(ValueError, match="dice 1"):
        dataclasses.replace(good, dice=1.5)
    assert isinstance(good, Case)
