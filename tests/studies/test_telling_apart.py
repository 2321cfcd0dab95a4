import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from wsns.errors import InputError
from wsns.studies.twin_realism import classification
from wsns.studies.twin_realism.classification import Crops, tell_apart
from wsns.studies.twin_realism.classifier import PENALTY, design, fit

NAMES = ("a", "b", "c")


def scans(number, seed, *, shift=0.0, own=0.0, crops=60):
    """Crops of scans: normal features, the first of them shifted, all of them by an amount of each scan's own."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        features = rng.normal(size=(crops, 3)) + own * rng.normal(size=3)
        features[:, 0] += shift
        made.append(Crops(features, np.arange(crops) % 2 > 0))
    return made


def told(real, synthetic, **options):
    return tell_apart(real, synthetic, NAMES, **({"draws": 200, "seed": 0} | options))


def test_the_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(5):
        one, other = rng.integers(0, 6, 30) + 1.0, rng.integers(0, 6, 41)
        labels, scores = np.repeat([1, 0], [30, 41]), np.concatenate([one, other])
        assert classification._pairs([one], [other]) == pytest.approx(roc_auc_score(labels, scores))


def test_every_real_scan_meets_every_synthetic_one():
    found = classification._pairs([np.array([1.0, 3.0]), np.array([2.0])], [np.array([2.0, 0.0, 9.0])])
    np.testing.assert_allclose(found, [[3 / 6], [1.5 / 3]])


def test_the_classifier_is_scikit_learns():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(80, 3)) * [1, 2, 3] + [1, 0, 5], rng.normal(size=(50, 3)) * [1, 1, 3]
    made = fit(one, other)
    columns = design(np.concatenate([one, other]), made.centre, made.scale)
    share = np.repeat([0.5 / 80, 0.5 / 50], [80, 50])
    reference = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000)
    reference.fit(columns[:, 1:], np.repeat([1, 0], [80, 50]), sample_weight=share)
    expected = [*reference.intercept_, *reference.coef_[0]]
    assert made.weights == pytest.approx(expected, abs=1e-3)
    scores = reference.decision_function(columns[:, 1:])
    assert made.score(np.concatenate([one, other])) == pytest.approx(scores, abs=5e-3)


def test_squares_tell_what_only_spreads_and_a_constant_feature_does_no_harm():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(300, 2)) * [3, 0], rng.normal(size=(300, 2)) * [1, 0]
    made = fit(one, other)
    told, alone = (
        classification._pairs([a], [b])[0, 0]
        for a, b in ((made.score(one), made.score(other)), (one[:, 0], other[:, 0]))
    )
    assert told > 0.75 > 0.6 > alone


def test_equal_kinds_cannot_be_told_apart():
    found = told(scans(6, 0, crops=200), scans(8, 1, crops=200))
    assert found.auc.value == pytest.approx(0.5, abs=0.04)
    assert found.auc.low < 0.5 < found.auc.high
    assert found.known.value == pytest.approx(0.5, abs=0.05)
    assert found.itself == pytest.approx(0.5, abs=0.05)


def test_different_kinds_are_told_apart_and_the_feature_is_named():
    found = told(scans(4, 0, shift=4.0), scans(5, 1))
    assert found.auc.value > 0.99
    assert min(found.scans) > 0.99
    assert [found.features[0].name, len(found.features)] == ["a", 3]
    assert found.features[0].auc.value > 0.99
    assert found.features[0].real - found.features[0].synthetic == pytest.approx(4, abs=0.3)
    assert found.itself < 0.6


def test_scans_that_each_are_their_own_are_told_apart_only_where_they_are_known():
    real, synthetic = scans(4, 0, own=6.0), scans(4, 7, own=6.0)
    found = told(real, synthetic)
    assert found.known.value > 0.75
    assert found.itself > 0.75
    assert abs(found.auc.value - 0.5) < 0.35
    # Telling the twin from itself shows that the kinds themselves do not differ.
    assert abs(found.known.value - found.itself) < 0.2


def test_no_classifier_has_seen_a_scan_that_it_tells(monkeypatch):
    real, synthetic = scans(10, 0), scans(9, 1)
    for n, scan in enumerate([*real, *synthetic]):
        scan.features[:, 2] = n
    seen = []

    def fitted(one, other):
        seen.append((set(one[:, 2]), set(other[:, 2])))
        return fit(one, other)

    monkeypatch.setattr(classification, "fit", fitted)
    by_scan = classification._of_unknown([s.features for s in real], [s.features for s in synthetic])
    assert by_scan.shape == (10, 9)
    assert np.isfinite(by_scan).all()
    assert len(seen) == 64
    for one, other in seen:
        assert one < set(range(10))
        assert other < set(range(10, 19))
    left_out = [
        (r, s) for one, other in seen for r in set(range(10)) - one for s in set(range(10, 19)) - other
    ]
    assert sorted(left_out) == [(r, s) for r in range(10) for s in range(10, 19)]


@pytest.mark.parametrize(("real", "synthetic"), [(1, 3), (3, 1)])
def test_one_scan_is_too_few(real, synthetic):
    with pytest.raises(InputError, match="two of each"):
        told(scans(real, 0), scans(synthetic, 1))


def test_two_of_each_are_enough_and_draws_are_repeatable():
    assert np.isfinite(told(scans(2, 0), scans(2, 1)).auc.value)
    real, synthetic = scans(4, 0), scans(4, 1)
    found = told(real, synthetic)
    assert found == told(real, synthetic)
    assert 0 <= found.auc.low <= found.auc.value <= found.auc.high <= 1
    assert np.isnan(told(real, synthetic, draws=0).auc.low)
