import dataclasses

import numpy as np
import pytest
from bound_slices import OPTIONS, SIZE, slices
from discs import disc

from wsns.evaluation.metrics import dice
from wsns.studies.candidate_bound.measure import (
    FIGURES,
    Nodule,
    measure,
    measure_slices,
    nodules,
    reader_dice,
)
from wsns.studies.candidate_bound.schemes import Scheme


def test_nodules_come_with_their_number_and_outline():
    found = list(nodules(slices(), 0))
    assert [nodule.number for nodule, _ in found] == [3, 1]
    np.testing.assert_array_equal(found[1][1], disc(40, 44, 4))
    assert found[0][0] == Nodule("P1", "1.1", -10.0, 4, 3, pytest.approx(disc(20, 20, 5).sum() * 0.49))


def test_a_nodule_that_the_crop_leaves_out_is_none():
    one = slices()
    one.nodules[0][one.nodules[0] == 2] = 0
    assert [nodule.number for nodule, _ in nodules(one, 0)] == [3]


def test_figures_are_those_of_the_best_ones_object():
    hu = np.where(disc(30, 30, 8), 0, -900)
    masks = np.stack([disc(30, 30, 14), disc(30, 30, 8), disc(30, 30, 5), disc(52, 52, 4)])
    own = [dice(mask, disc(30, 30, 8)) for mask in masks[:3]]
    found = measure(masks, disc(30, 30, 8), hu)
    assert found["best"] == 1
    assert found["random"] == pytest.approx(np.mean(own))
    assert found["largest"] == own[0] < 0.6
    assert found["edge"] == 1
    assert set(found) == set(FIGURES)


def test_nothing_is_found_without_candidates():
    assert measure(np.zeros((0, SIZE, SIZE), bool), disc(9, 9, 3), np.zeros((SIZE, SIZE))) == dict.fromkeys(
        FIGURES, 0
    )


def test_readers_are_held_against_the_majority_of_the_others():
    a, b, c = disc(30, 30, 6), disc(30, 32, 6), disc(30, 30, 9)
    assert reader_dice(np.stack([a, b])) == pytest.approx(dice(a, b))
    # Of three, the others are two, and half of two is their union.
    three = np.mean([dice(a, b | c), dice(b, a | c), dice(c, a | b)])
    assert reader_dice(np.stack([a, b, c])) == pytest.approx(three)
    four = [a, b, c, disc(34, 30, 6)]
    # Of four, two of the three others.
    votes = np.sum(four, axis=0)
    assert reader_dice(np.stack(four)) == pytest.approx(
        np.mean([dice(own, votes - own >= 2) for own in four])
    )


def test_who_drew_elsewhere_does_not_count_and_one_reader_alone_has_no_figure():
    a, b, none = disc(30, 30, 6), disc(30, 32, 6), np.zeros((SIZE, SIZE), bool)
    assert reader_dice(np.stack([a, none, b])) == pytest.approx(dice(a, b))
    assert np.isnan(reader_dice(np.stack([a, none])))
    assert np.isnan(reader_dice(np.zeros((0, SIZE, SIZE), bool)))


def test_the_opening_detaches_the_vessel_and_raises_the_bound():
    bare = dataclasses.replace(OPTIONS, openings=(0.0,))
    both = [Scheme("open", OPTIONS), Scheme("bare", bare)]
    rows = list(measure_slices(slices(), both, 20))
    assert [row.scheme for row in rows] == ["open", "bare"] * 3
    crossed = {row.scheme: row.dice["best"] for row in rows if row.nodule.patient == "P2"}
    assert crossed["open"] > 0.85 > crossed["bare"]
    assert all(row.dice["best"] >= max(row.dice.values()) for row in rows)


def test_options_reach_the_candidates():
    several = [
        Scheme("all", dataclasses.replace(OPTIONS, openings=(0.0, 1.5, 3.0))),
        Scheme("two", dataclasses.replace(OPTIONS, openings=(0.0, 1.5, 3.0), max_candidates=2)),
        Scheme("large", dataclasses.replace(OPTIONS, min_area=500.0)),
        Scheme("full", dataclasses.replace(OPTIONS, candidates="full")),
    ]
    found = {row.scheme: row for row in measure_slices(slices().take([1]), several, 20)}
    assert found["two"].candidates == 2
    assert found["two"].cut == found["all"].candidates - 2 > 0
    assert found["large"].candidates == 0
    assert found["full"].dice["best"] > 0.85
