import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from wsns.evaluation import metrics
from wsns.evaluation.bootstrap import FEWEST, Resampled, estimate, means, patient_weights


def mask(*pixels, size=8):
    made = np.zeros((size, size), bool)
    for pixel in pixels:
        made[pixel] = True
    return made


def test_dice_by_hand():
    assert metrics.dice(mask((0, 0), (0, 1), (0, 2)), mask((0, 1), (0, 2), (5, 5))) == pytest.approx(4 / 6)
    assert metrics.dice(mask((0, 0)), mask((0, 0))) == 1
    assert metrics.dice(mask((0, 0)), mask((1, 1))) == 0


def test_dice_of_empty_masks():
    assert metrics.dice(mask(), mask()) == 1
    assert metrics.dice(mask(), mask((0, 0))) == 0
    assert metrics.dice(mask((0, 0)), mask()) == 0


def test_dice_is_the_f1_score():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.random((2, 12, 12)) < rng.uniform(0.1, 0.9)
        assert metrics.dice(a, b) == pytest.approx(f1_score(b.ravel(), a.ravel()))
        assert metrics.dice(a, b) == metrics.dice(b, a)


def test_dice_refuses_other_shapes():
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.dice(np.zeros((2, 2), bool), np.zeros((1, 2), bool))


def test_area_and_diameter():
    square = np.ones((10, 10), np.uint8)
    assert metrics.area_mm2(square, 0.5) == 25
    assert metrics.equivalent_diameter_mm(np.pi * 3**2) == pytest.approx(6)
    assert metrics.equivalent_diameter_mm(0) == 0


def test_overlapped_nodules():
    instances = np.zeros((8, 8), np.uint8)
    instances[1, 1], instances[5, 5:7] = 1, 2
    assert metrics.overlapped_nodules(mask((1, 1), (5, 6)), instances) == 2
    assert metrics.overlapped_nodules(mask((5, 5), (5, 6)), instances) == 1
    assert metrics.overlapped_nodules(mask((0, 0)), instances) == 0
    assert metrics.overlapped_nodules(mask(), instances) == 0


def figures(label, detected, hit, dice, doa):
    arrays = [np.array(values, float) for values in (label, detected, hit, dice, doa)]
    terms = metrics.slice_terms(*arrays)
    return {
        name: float(v) for name, v in metrics.table_figures({k: v.sum() for k, v in terms.items()}).items()
    }


def test_table_figures_by_hand():
    # Four slices with a nodule: two hits, a result elsewhere, an undetected one; two without, one alarm.
    made = figures(
        label=[1, 1, 1, 1, 0, 0],
        detected=[1, 1, 1, 0, 1, 0],
        hit=[1, 1, 0, 0, 0, 0],
        dice=[0.8, 0.6, 0, 0, 0, 0],
        doa=[10, 30, 99, 99, 99, 99],
    )
    assert made["tpr"] == 0.5
    assert made["fpr"] == 0.5
    assert made["fpr_nodule"] == 0.25
    assert made["sensitivity"] == 0.75
    assert made["dice"] == pytest.approx(0.35)
    assert made["dice_sd"] == pytest.approx(np.std([0.8, 0.6, 0, 0]))
    assert made["tp_dice"] == pytest.approx(0.7)
    assert made["tp_dice_sd"] == pytest.approx(0.1)
    assert made["tp_doa"] == pytest.approx(20)
    assert made["tp_doa_sd"] == pytest.approx(10)


def test_table_figures_without_true_positives_or_negatives():
    made = figures([1, 1], [1, 0], [0, 0], [0, 0], [5, 5])
    assert made["tpr"] == made["dice"] == made["dice_sd"] == 0
    assert made["fpr_nodule"] == 0.5
    assert all(np.isnan(made[name]) for name in ("fpr", "tp_dice", "tp_dice_sd", "tp_doa", "tp_doa_sd"))
    assert np.isnan(figures([0], [0], [0], [0], [0])["tpr"])


def test_pair_wins_give_the_auc_of_every_resample():
    rng = np.random.default_rng(1)
    label, group = rng.integers(0, 2, 200), rng.integers(0, 9, 200)
    score = np.round(np.clip(rng.normal(0.4 + 0.2 * label, 0.3), 0, 1), 1)  # many ties
    wins = metrics.pair_wins(score, label, group, 9)
    for weights in (np.ones(9), np.array([2, 0, 1, 3, 0, 1, 1, 1, 0])):
        positives = weights @ np.bincount(group[label == 1], minlength=9)
        negatives = weights @ np.bincount(group[label == 0], minlength=9)
        expected = roc_auc_score(label, score, sample_weight=weights[group])
        assert weights @ wins @ weights / (positives * negatives) == pytest.approx(expected)


def test_pair_wins_without_one_class():
    one = np.ones(3, int)
    assert metrics.pair_wins(np.array([0.1, 0.2, 0.3]), one, np.array([0, 0, 1]), 2).sum() == 0


def test_weights_draw_as_many_patients_as_there_are():
    weights = patient_weights(7, draws=50, seed=3)
    assert weights.shape == (51, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(1) == 7).all()
    np.testing.assert_array_equal(weights, patient_weights(7, draws=50, seed=3))


def test_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    weights = patient_weights(400, draws=4000)
    made = estimate(weights @ values / weights.sum(1), 400)
    error = values.std() / np.sqrt(400)
    assert made.value == pytest.approx(values.mean())
    assert made.low == pytest.approx(values.mean() - 1.96 * error, abs=0.01)
    assert made.high == pytest.approx(values.mean() + 1.96 * error, abs=0.01)


def test_draws_without_a_figure_are_left_out():
    made = estimate(np.array([0.5, np.nan, 0.4, 0.6]), 9)
    assert 0.4 <= made.low < made.high <= 0.6
    assert np.isnan(estimate(np.array([0.5, np.nan]), 9).low)
    nothing = estimate(np.array([np.nan, 0.1, 0.2]), 9)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_too_few_patients_have_no_interval_and_few_a_wider_one():
    assert patient_weights(1).shape == (1, 1)
    draws = np.append(0.0, np.random.default_rng(0).normal(size=40_000))
    assert np.isnan(estimate(draws, FEWEST - 1).high)
    # A bootstrap of n spreads by sqrt((n - 1) / n) too little.
    assert estimate(draws, 4).high == pytest.approx(1.96 * (4 / 3) ** 0.5, rel=0.02)
    assert estimate(draws, 400).high == pytest.approx(1.96, rel=0.02)


def test_a_difference_stands_on_the_fewer_patients():
    one, other = (
        Resampled(values, patients) for values, patients in ((np.array([3.0, 4, 6]), 9), (np.ones(3), 3))
    )
    assert (one - other).values.tolist() == [2, 3, 5]
    assert np.isnan((one - other).estimate.low)
    assert one.estimate.low < 6


def test_means_leave_out_what_is_unknown_and_count_the_patients_behind():
    weights = np.array([[1.0, 1, 1], [2, 0, 1]])
    found = means(np.array([1.0, np.nan, 4]), np.array(["a", "b", "a"]), weights)
    assert found.values.tolist() == [2.5, 2.0]
    assert found.patients == 1
