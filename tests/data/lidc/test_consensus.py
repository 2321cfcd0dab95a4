import itertools

import numpy as np
import pytest

from wsns.data.lidc.consensus import RULES, consensus


def _masks(seed=0, readers=3):
    rng = np.random.default_rng(seed)
    grid = np.indices((4, 12, 12))
    centres = rng.normal([[1.5], [5.5], [5.5]], 0.7, (3, readers))
    return np.stack([sum((g - c) ** 2 for g, c in zip(grid, centre)) < 12 for centre in centres.T])


def _expectation_maximisation(masks):
    """STAPLE by hand (Warfield et al. 2004, Eqs. 14-19), with the mean of all votes as prior."""
    votes = masks.reshape(len(masks), -1).astype(float)
    prior, hit, reject = votes.mean(), np.full(len(masks), 0.99999), np.full(len(masks), 0.99999)
    for _ in range(200):
        yes = prior * np.prod(np.where(votes, hit[:, None], 1 - hit[:, None]), axis=0)
        no = (1 - prior) * np.prod(np.where(votes, 1 - reject[:, None], reject[:, None]), axis=0)
        weight = yes / (yes + no)
        hit = (votes * weight).sum(axis=1) / weight.sum()
        reject = ((1 - votes) * (1 - weight)).sum(axis=1) / (1 - weight).sum()
    return (weight >= 0.5).reshape(masks.shape[1:])


@pytest.mark.parametrize("readers", [2, 3, 4, 6])
def test_staple_equals_expectation_maximisation_by_hand(readers):
    masks = _masks(readers, readers)
    np.testing.assert_array_equal(consensus(masks, "staple"), _expectation_maximisation(masks))


def test_votes_by_hand():
    masks = np.array(list(itertools.product([False, True], repeat=2))).T[
        :, None, None
    ]  # two readers, four pixels
    assert consensus(masks, "union").ravel().tolist() == [False, True, True, True]
    assert consensus(masks, "majority").ravel().tolist() == [False, True, True, True]  # half is a majority
    assert consensus(masks, "intersection").ravel().tolist() == [False, False, False, True]
    three = np.array(list(itertools.product([False, True], repeat=3))).T[:, None, None]
    assert consensus(three, "majority").sum() == 4


@pytest.mark.parametrize("rule", RULES)
def test_readers_who_agree_are_taken_at_their_word(rule):
    mask = _masks()[0]
    np.testing.assert_array_equal(consensus(np.stack([mask] * 3), rule), mask)
    np.testing.assert_array_equal(consensus(mask[None], rule), mask)


@pytest.mark.parametrize("rule", RULES)
def test_lies_between_intersection_and_union_and_ignores_order(rule):
    masks = _masks(5, 4)
    agreed = consensus(masks, rule)
    assert not (agreed & ~masks.any(axis=0)).any()
    assert not (masks.all(axis=0) & ~agreed).any()
    np.testing.assert_array_equal(agreed, consensus(masks[::-1], rule))


@pytest.mark.parametrize("rule", RULES)
def test_no_reader_drew_anything(rule):
    assert not consensus(np.zeros((3, 2, 4, 4), bool), rule).any()


def test_one_reader_with_an_empty_mask_does_not_break_staple():
    masks = _masks()
    masks[0] = False
    assert consensus(masks, "staple").any()


def test_unknown_rule():
    with pytest.raises(ValueError, match="unknown consensus rule 'vote'"):
        consensus(_masks(), "vote")
