import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from wsns.evaluation.bootstrap import nested_weights, tails
from wsns.evaluation.roc import GRID, curves


def example(seed, count=120, patients=9):
    rng = np.random.default_rng(seed)
    label = rng.random(count) < 0.4
    score = np.clip(rng.normal(0.35 + 0.25 * label, 0.2), 0, 1).round(2 if seed % 2 else 12)
    rows = rng.integers(0, patients, count)
    units = np.arange(count)
    return score, label.astype(int), rows, nested_weights(rows, label, units, draws=20, seed=seed)


def test_four_slices_by_hand():
    found = curves([0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0], [0, 1, 2, 3], np.ones((1, 4)))
    # Recall 1/2 at precision 1, recall 1 at precision 2/3.
    assert found.average_precision.value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found.brier.value == pytest.approx((0.01 + 0.64 + 0.49 + 0.04) / 4)
    assert found.calibration_error.value == pytest.approx((0.1 + 0.8 + 0.7 + 0.2) / 4)
    assert {s: e.value for s, e in found.sensitivity.items()} == {0.8: 0.5, 0.9: 0.5, 0.95: 0.5}
    np.testing.assert_allclose(found.roc[1, [0, 50, 100]], [0.5, 1, 1])
    assert found.reliability[0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 1, 1]
    np.testing.assert_allclose(found.reliability[2, [2, 3, 8, 9]], [0, 1, 0, 1])
    assert np.isnan(found.average_precision.low)


@pytest.mark.parametrize("seed", range(4))
def test_figures_and_draws_equal_sklearn_with_weights(seed):
    score, label, patient, weights = example(seed)
    alone = [curves(score, label, patient, np.stack([row, row])) for row in weights]
    for row, found in zip(weights, alone, strict=True):
        expected = average_precision_score(label, score, sample_weight=row)
        assert found.average_precision.value == pytest.approx(expected, abs=1e-12)
        assert found.brier.value == pytest.approx(brier_score_loss(label, score, sample_weight=row))
        false, true, _ = roc_curve(label, score, sample_weight=row, drop_intermediate=False)
        for specificity, at in found.sensitivity.items():
            assert at.value == pytest.approx(true[false <= 1 - specificity + 1e-12].max())
        last = np.append(np.diff(false) > 0, True)
        np.testing.assert_allclose(found.roc[1], np.interp(GRID, false[last], true[last]), atol=1e-12)
    together = curves(score, label, patient, weights)
    values = [found.average_precision.value for found in alone]
    assert together.average_precision.value == pytest.approx(values[0])
    assert together.average_precision.low == pytest.approx(np.percentile(values[1:], tails(9)[0]))
    assert (together.roc[2] <= together.roc[3] + 1e-12).all()


def test_reliability_equals_sklearn():
    score, label, patient, weights = example(2)
    share, mean = calibration_curve(label, score, n_bins=10)
    count, own_mean, own_share = curves(score, label, patient, weights).reliability
    np.testing.assert_allclose(own_mean[count > 0], mean)
    np.testing.assert_allclose(own_share[count > 0], share)
    assert np.isnan(own_share[count == 0]).all()


def test_equal_scores_and_one_class_alone():
    label = np.array([0, 1, 0, 1])
    same = curves(np.full(4, 0.5), label, np.zeros(4), np.ones((3, 4)))
    assert same.average_precision.value == 0.5
    assert all(at.value == 0 for at in same.sensitivity.values())
    np.testing.assert_allclose(same.roc[1], GRID)
    for only in (0, 1):
        found = curves(np.array([0.2, 0.4]), np.full(2, only), np.zeros(2), np.ones((3, 2)))
        assert np.isnan(found.roc[1]).all()
        assert all(np.isnan(at.value) for at in found.sensitivity.values())
        assert np.isnan(found.average_precision.value) == (only == 0)
        assert np.isfinite(found.brier.value)


def test_no_figure_of_too_few_patients_has_an_interval():
    score, label, patient, weights = example(0)
    few = np.where(label == 1, patient % 3, patient)
    found = curves(score, label, few, weights)
    assert np.isnan(found.average_precision.low)
    assert np.isnan(found.sensitivity[0.9].low)
    assert np.isnan(found.roc[2]).all()
    assert np.isfinite(found.brier.low)
