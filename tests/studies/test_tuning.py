import dataclasses

import numpy as np
import pytest
from method_cases import NETWORKS, OPTIONS, screener, segment, slices

from wsns.evaluation.metrics import dice
from wsns.segmentation.pipeline import Slices
from wsns.studies.threshold_search.search import compare, search

FIELDS = {"tau": (0.3, 0.5, 0.7), "beta": (0.1, 1.0)}
PATIENTS = ["a", "b", "c", "d"]
NODULES = ["1", "2", "3", "4"]


def score(options):
    """Best at tau 0.7 and beta 0.3; a patient's slices differ."""
    return np.array(
        [[0.9 - abs(o.tau - 0.7) - abs(o.beta - 0.3) * o.tau + 0.01 * n for n in range(4)] for o in options]
    )


def test_search_keeps_the_best_of_each_field_and_goes_on_from_there():
    trials = list(search(OPTIONS, FIELDS, score, PATIENTS, NODULES))
    assert [(t.field, t.value, t.chosen) for t in trials] == [
        ("tau", 0.5, False), ("tau", 0.3, False), ("tau", 0.7, True),
        ("beta", 0.3, True), ("beta", 0.1, False), ("beta", 1.0, False),
    ]  # fmt: skip
    assert trials[2].dice.value == pytest.approx(0.915)
    assert trials[3].dice == trials[2].dice
    assert trials[4].gain.value == pytest.approx(-0.14)
    assert [t.gain.value for t in trials if t.value == getattr(OPTIONS, t.field)] == [0, 0]


def test_a_gain_is_paired_and_its_interval_is_over_patients():
    (_, other) = search(OPTIONS, {"tau": (0.6,)}, score, PATIENTS, NODULES)
    # Every slice gains the same, so that no draw of patients differs.
    assert other.gain.low == pytest.approx(other.gain.value) == pytest.approx(other.gain.high)
    assert other.dice.low < other.dice.value < other.dice.high
    (_, alone) = search(OPTIONS, {"tau": (0.6,)}, score, ["a"] * 4, NODULES)
    assert np.isnan(alone.dice.low)


def test_a_value_that_gains_too_little_does_not_replace_the_one_before():
    trials = list(search(OPTIONS, {"tau": (0.6,)}, score, PATIENTS, NODULES, least=0.2))
    assert [t.chosen for t in trials] == [True, False]
    flat = search(OPTIONS, FIELDS, lambda options: np.ones((len(options), 4)), PATIENTS, NODULES)
    assert [t.value for t in flat if t.chosen] == [OPTIONS.tau, OPTIONS.beta]


def test_options_compared_together_are_each_segmented_as_alone():
    hu, lungs, spacing, truth = slices(
        [(25, 30, 4)], [(40, 20, 5), (20, 40, 4)], [(30, 45, 3)], [], [(30, 30, 6)]
    )
    counts = np.array([1, 2, 1, 1, 1])
    options = [
        dataclasses.replace(OPTIONS, batch=2, **change)
        for change in (
            {},
            {"tau": 0.8},
            {"outline": "eq4"},
            {"fill": "floor"},
            {"beta": 3.0},
        )
    ]
    inside = np.where(lungs > 0, hu, -870)
    parts = list(compare(Slices(inside, lungs, spacing, counts), truth, NETWORKS, screener(), options))
    assert [part.shape for part in parts] == [(5, 2), (5, 2), (5, 1)]
    together = np.concatenate(parts, axis=1)
    for own, values in zip(options, together, strict=True):
        alone = segment(hu, lungs, spacing, counts, options=own)
        expected = [
            np.mean([dice(result.fine(gaps), outline) for gaps in (1, 2, 3)])
            for result, outline in zip(alone, truth, strict=True)
        ]
        np.testing.assert_array_equal(values, expected)
    assert len(np.unique(together, axis=0)) == 3
