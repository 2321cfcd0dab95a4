"""What a mark is ranked by."""

import math

import numpy as np
import pytest

from wsns.evaluation.mark_scores import SCORES, candidate_scores, result_scores
from wsns.segmentation.results import Region, SliceResult


def region(mask, *, change=2.0, edge=30.0, chosen=0):
    nothing = np.zeros_like(mask)
    return Region(
        nothing, nothing, np.stack([mask, ~mask]), 0, np.zeros(2), np.array([edge, 99.0]),
        np.array([change, 99.0]), chosen,
    )  # fmt: skip


def test_scores_of_a_candidate_by_hand():
    found = candidate_scores(0.8, 2.0, 30.0, {1: 0.5, 3: 1.5})
    assert list(found) == list(SCORES)
    assert found["probability"] == 0.8
    assert found["change"] == pytest.approx(math.log(2) + math.log(4))
    assert found["maps"] == 2.0
    assert found["edge"] == 45.0


def test_scores_stay_finite_at_the_ends():
    for probability in (0.0, 1.0):
        found = candidate_scores(probability, 0.0, 0.0, {1: -3.0})
        assert all(math.isfinite(value) for value in found.values())


def test_a_result_is_scored_by_what_lies_in_it():
    mask = np.zeros((4, 4), bool)
    mask[1, 1:3] = True
    nams = {gaps: np.full((4, 4), 9.0 * gaps) for gaps in (1, 2)}
    nams[1][1, 1:3], nams[2][1, 1:3] = (0.1, 0.4), (0.7, 0.2)
    result = SliceResult({1: 0.9, 2: 0.3}, nams, True, regions={2: (region(mask),), 1: ()})
    assert result_scores(result, 2) == candidate_scores(0.9, 2.0, 30.0, {1: 0.4, 2: 0.7})
    assert result_scores(result, 1) == {}
    nobody = SliceResult({1: 0.9}, nams, True, regions={1: (region(mask, chosen=None),)})
    assert result_scores(nobody, 1) == {}


def test_of_two_nodules_each_score_is_the_higher():
    mask = np.eye(4, dtype=bool)
    pair = (region(mask, change=2.0, edge=1.0), region(mask, change=1.0, edge=5.0))
    found = result_scores(SliceResult({1: 0.5}, {1: np.ones((4, 4))}, True, regions={1: pair}), 1)
    assert found["change"] == pytest.approx(math.log(2))
    assert found["edge"] == 5.0
