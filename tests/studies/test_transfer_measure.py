"""Networks on slices they never saw: figures over seeds, intervals of two stages, and their tables."""

import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wsns.evaluation import tables
from wsns.evaluation.bootstrap import nested_weights, tails
from wsns.evaluation.scan_names import scan_names
from wsns.studies.synthetic_to_real import export
from wsns.studies.synthetic_to_real import text as transfer_text
from wsns.studies.synthetic_to_real.measure import LUNG_AREA, REAL, TWIN, Reading, largest_slices, measure
from wsns.studies.synthetic_to_real.section import notice, section

WORDS = {"source": "LIDC-IDRI (real scans)", "start": "a start <of> numbers"}


def reading(z, label, probability, *, patient="A", peak_mm=None, nodule=1, radius=2.0, area=100.0, **own):
    found = label and peak_mm is not None
    made = Reading(
        where=REAL, seed=0, method="1-GAP", patient=patient, series=f"1.{patient}", z=float(z), label=label,
        probability=probability, peak_row=3, peak_column=4, peak_mm=peak_mm if found else None,
        chance=0.1 if found else None, nodule=nodule if found else None, radius_mm=radius if found else None,
        nodule_radius_mm=radius if found else None, lung_area_mm2=area,
    )  # fmt: skip
    return dataclasses.replace(made, **own)


def some(seed=0, patients="ABCD", method="1-GAP", where=REAL, training=0):
    """Random readings: per patient five negatives, a nodule of three slices and one of two."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in patients:
        for z in range(10):
            nodule = 1 if z < 3 else 2
            rows.append(
                reading(z, int(z < 5), round(rng.random(), 1), patient=patient, nodule=nodule, radius=2.0 + 2 * nodule,
                        peak_mm=10 * rng.random(), area=rng.random(), method=method, where=where, seed=training)
            )  # fmt: skip
    return rows


def only(lines, method="1-GAP", group="all", where=REAL):
    (line,) = [line for line in lines if (line.method, line.group, line.where) == (method, group, where)]
    return line


def values(line):
    return {name: figure.mean.value for name, figure in line.figures.items()}


def test_figures_of_a_hand_made_case():
    rows = [
        reading(0, 1, 0.9, peak_mm=5.0, radius=2.0, nodule_radius_mm=4.0),
        reading(1, 1, 0.4, peak_mm=5.1, radius=4.0, nodule_radius_mm=4.0),
        reading(2, 1, 0.8, peak_mm=0.0, nodule=2, radius=9.0, area=300.0),
        reading(3, 0, 0.6, area=200.0),
        reading(4, 0, 0.1),
    ]
    lines = measure(rows, draws=10, seed=0)
    whole = only(lines)
    assert (whole.positives, whole.negatives, whole.nodules, whole.patients) == (3, 2, 2, 1)
    assert values(whole) == pytest.approx(
        {"auc": 5 / 6, "accuracy": 3 / 5, "fpr": 1 / 2, "hit": 2 / 3, "chance": 0.1, "nodule_hit": 1 / 2}
    )
    # One patient has no spread.
    assert all(math.isnan(figure.mean.low) for figure in whole.figures.values())
    assert values(only(lines, LUNG_AREA)) == pytest.approx({"auc": (1 + 0.25 + 0.25) / 3})
    small, large = only(lines, group="3 to 5 mm"), only(lines, group="8 mm and more")
    assert (small.positives, small.negatives, large.positives, large.negatives) == (2, 2, 1, 2)
    assert values(small) == pytest.approx(
        {"auc": 3 / 4, "accuracy": 2 / 4, "fpr": 1 / 2, "hit": 1 / 2, "chance": 0.1, "nodule_hit": 0}
    )
    assert values(large)["nodule_hit"] == 1
    assert not [line for line in lines if line.group == "under 3 mm"]


def test_auc_is_scikit_learns_in_every_seed_and_the_mean_over_seeds_is_shown():
    rows = some(1, training=0) + some(2, training=5) + some(3, training=7)
    line = only(measure(rows, draws=50, seed=0))
    by_seed = [[row for row in rows if row.seed == seed] for seed in (0, 5, 7)]
    expected = [roc_auc_score([r.label for r in own], [r.probability for r in own]) for own in by_seed]
    auc = line.figures["auc"]
    assert line.seeds == (0, 5, 7)
    assert auc.seeds == pytest.approx(expected)
    assert auc.mean.value == pytest.approx(np.mean(expected))
    assert auc.deviation == pytest.approx(np.std(expected, ddof=1))
    assert auc.mean.low < auc.mean.value < auc.mean.high


def test_intervals_are_those_of_slices_drawn_again():
    rows = sorted(some(4), key=lambda row: (row.series, row.z))
    line = only(measure(rows, draws=300, seed=9))
    weights = nested_weights(
        np.array([row.patient for row in rows]),
        np.array([row.label for row in rows]),
        np.array([f"{row.series} {row.nodule or row.z}" for row in rows]),
        draws=300,
        seed=9,
    )
    label, score = np.array([row.label for row in rows]), np.array([row.probability for row in rows])
    aucs = [roc_auc_score(label, score, sample_weight=drawn) for drawn in weights[1:]]
    assert (line.figures["auc"].mean.low, line.figures["auc"].mean.high) == pytest.approx(
        tuple(np.percentile(aucs, tails(4)))
    )


def test_methods_share_their_draws_whatever_the_order_of_rows():
    rows = some(5)
    twice = [*rows, *(dataclasses.replace(row, method="2-GAP") for row in reversed(rows))]
    lines = measure(twice, draws=40, seed=1)
    assert only(lines, "2-GAP").figures == only(lines).figures
    assert only(lines).figures == only(measure(rows[::-1], draws=40, seed=1)).figures


def test_units_of_a_patient_are_drawn_together_and_as_often_as_the_patient():
    patient = np.repeat(["A", "B", "C", "D"], 6)
    stratum = np.tile([1, 1, 1, 0, 0, 0], 4)
    unit = np.concatenate([np.array([0, 0, 1, 2, 3, 4]) + 5 * n for n in range(4)])
    drawn = nested_weights(patient, stratum, unit, draws=4000, seed=2)
    assert drawn.shape == (4001, 24)
    np.testing.assert_array_equal(drawn[0], 1)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    a_nodules, a_slices = drawn[:, [0, 2]].sum(axis=1), drawn[:, 3:6].sum(axis=1)
    # Two nodules and three slices each time the patient is drawn.
    np.testing.assert_array_equal(a_nodules * 3, a_slices * 2)
    np.testing.assert_array_equal(drawn[:, [0, 2, 6, 8, 12, 14, 18, 20]].sum(axis=1), 8)
    np.testing.assert_allclose(drawn[1:].mean(axis=0), 1, atol=0.1)
    # A stage more, so more spread than patients alone: Var = 3/4 of the patient's draws, and E[times] · ½ · ½ · 2.
    assert drawn[1:, 0].var() == pytest.approx(3 / 4 + 1 / 2, rel=0.1)
    np.testing.assert_array_equal(nested_weights(patient, stratum, unit, draws=9, seed=4),
                                  nested_weights(patient, stratum, unit, draws=9, seed=4))  # fmt: skip
    assert nested_weights(patient[:6], stratum[:6], unit[:6], draws=9).shape == (1, 6)


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        (lambda row: row.label, {"auc", "auc_low", "auc_high", "auc_lung_area"}),
        (lambda row: not row.label, {"auc", "auc_low", "auc_high", "auc_lung_area", "hit", "hit_low", "hit_high",
                                     "hit_chance"}),
        (lambda row: row.patient == "A", {"auc_low", "auc_high", "hit_low", "hit_high"}),
    ],
)  # fmt: skip
def test_what_is_not_defined_is_none_and_a_dash(kept, missing):
    rows = [row for row in some(6) + some(7, where=TWIN) if kept(row)]
    lines = measure(rows, draws=30, seed=0)
    found = json.loads(json.dumps(export.as_json(lines)), parse_constant=pytest.fail)
    top = {name for name, value in found.items() if value is None}
    assert top == missing
    text = tables.text(transfer_text.parts(lines, **WORDS))
    assert "nan" not in text + tables.markdown(transfer_text.parts(lines, **WORDS)) + str(
        [*export.rows(lines)]
    )


def test_the_figures_on_top_are_those_of_the_method_that_the_twin_prefers():
    def two(best: str) -> dict:
        rows = []
        for method in ("1-GAP", "2-GAP"):
            rows += some(1, method=method)
            rows += [
                dataclasses.replace(row, peak_mm=1.0 if method == best else 9.0)
                if row.hit is not None
                else row
                for row in some(2, where=TWIN, method=method)
            ]
        return export.as_json(measure(rows, draws=5, seed=0))

    for best in ("1-GAP", "2-GAP"):
        found = two(best)
        assert found["method"] == best
        assert found["hit"] == found["methods"][best]["all"]["hit"]["value"]


def test_a_nodule_outside_the_crop_counts_for_detection_alone():
    lost = reading(11, 1, 0.9, patient="B")
    assert lost.hit is None
    line, without = (only(measure(rows, draws=5, seed=0)) for rows in ([*some(8), lost], some(8)))
    assert (line.positives, line.nodules) == (without.positives + 1, without.nodules)
    for name in ("hit", "chance", "nodule_hit"):
        assert line.figures[name].mean.value == without.figures[name].mean.value
    assert line.figures["auc"].mean.value != without.figures["auc"].mean.value


def test_largest_slices_and_the_names_of_scans():
    rows = [
        reading(2, 1, 0.1, peak_mm=1.0, radius=3.0),
        reading(1, 1, 0.2, peak_mm=1.0, radius=3.0),
        reading(0, 1, 0.3, peak_mm=1.0, radius=2.0),
        reading(5, 0, 0.3),
        reading(6, 1, 0.4, peak_mm=1.0, radius=1.0, series="1.A.123456789"),
    ]
    assert {key: row.z for key, row in largest_slices(rows).items()} == {
        ("1.A", 1): 1.0, ("1.A.123456789", 1): 6.0,
    }  # fmt: skip
    assert scan_names([("A", "1.A"), ("A", "1.A.123456789"), ("B", "1.B"), ("A", "1.A")]) == {
        "1.A": "A 1.A", "1.A.123456789": "A 456789", "1.B": "B",
    }  # fmt: skip


def test_tables_hold_every_method_and_say_what_they_stand_on():
    rows = [
        *some(1), *some(2, where=TWIN), *some(3, method="1-GAP start"), *some(4, method="1-GAP start", where=TWIN),
        *some(5, training=1), *some(6, where=TWIN, training=1), *some(7, method="1-GAP start", training=1),
        *some(8, method="1-GAP start", where=TWIN, training=1),
    ]  # fmt: skip
    lines = measure(rows, draws=30, seed=0)
    found = export.as_json(lines)
    assert (found["slices"], found["nodules"], found["seeds"]) == (40, 8, 2)
    assert (set(found["methods"]), set(found["baselines"])) == ({"1-GAP"}, {"1-GAP start", LUNG_AREA})
    assert set(found["twin"]) == {"1-GAP", "1-GAP start", LUNG_AREA}
    assert found["auc"] == found["methods"]["1-GAP"]["all"]["auc"]["value"]
    assert found["methods"]["1-GAP"]["all"]["seeds"] == [0, 1]
    assert {"A", "B", "C", "3 to 5 mm", "5 to 8 mm"} < set(found["methods"]["1-GAP"])
    text = tables.text(transfer_text.parts(lines, **WORDS))
    for words in ("LIDC-IDRI (real scans)", "synthetic scans only", WORDS["start"], "Means over 2 trainings",
                  "4 real patients with 8 nodules are few", "lung area"):  # fmt: skip
        assert words in text.replace("\n", " ")
    assert [
        len({len(row) for row in [table.heads, *table.rows]}) for table in transfer_text.tables(lines)
    ] == [1] * 4
    csv_rows = list(export.rows(lines))
    assert all(tuple(row) == export.COLUMNS for row in csv_rows)
    assert len(csv_rows) == sum(len(line.figures) for line in lines)


def test_the_page_puts_intervals_below_their_figures():
    lines = measure(some(1) + some(2, where=TWIN), draws=30, seed=0)
    auc = only(lines).figures["auc"].mean
    made = section(lines, WORDS["start"], [], "1-GAP")
    assert f'<td>{auc.value:.2f}<span class="span">{auc.low:.2f}–{auc.high:.2f}</span></td>' in made


def test_the_report_s_opening_escapes_words_and_holds_the_pictures():
    lines = measure(some(1) + some(2, where=TWIN), draws=30, seed=0)
    made = section(lines, WORDS["start"], [b"one", b"two"], "2-GAP")
    assert made.count("<img") == 2
    assert "seed&#x27;s 2-GAP network" in made
    assert made.count("<table") == 4
    assert "One training" in made
    for text in (made, notice(WORDS["start"])):
        assert "a start &lt;of&gt; numbers" in text
        assert "synthetic scans only" in text
