import dataclasses
import types

import numpy as np
import pytest
from evaluation_cases import disc
from method_cases import segment, slices

from wsns.data.lungs.hull import hull
from wsns.evaluation.localisation import (
    best_choice,
    nodule_facts,
    peak,
    peak_chance,
    peak_distance_mm,
    scope_share,
    weak_measures,
)
from wsns.evaluation.metrics import dice
from wsns.segmentation.results import Region, SliceResult


def region(candidates, chosen, scope=None):
    masks = np.array(candidates, bool)
    nothing = np.zeros(len(masks))
    scope = masks.any(axis=0) if scope is None else scope
    return Region(scope, scope, masks, 0, nothing, nothing, nothing, chosen)


def test_peak_is_measured_to_the_nearest_pixel_of_a_nodule():
    nam, reference = np.zeros((20, 20)), np.zeros((20, 20), bool)
    reference[5, 5] = reference[10, 16] = True
    nam[10, 13] = 1.0
    hull = np.ones((20, 20), bool)
    assert peak_distance_mm(nam, hull, reference, 0.5) == 1.5
    assert peak_distance_mm(reference * 1.0, hull, reference, 0.5) == 0
    assert peak_distance_mm(nam, hull, reference & False, 0.5) is None


def test_a_peak_is_sought_in_the_hull_and_without_lungs_in_the_whole_crop():
    nam, hull = np.full((20, 20), -3.0), np.zeros((20, 20), bool)
    nam[2, 2], nam[10, 12] = 5.0, -1.0
    hull[8:14, 8:14] = True
    assert peak(nam, hull) == (10, 12)
    assert peak(nam, hull & False) == (2, 2)
    reference = np.zeros((20, 20), bool)
    reference[10, 9] = True
    assert peak_distance_mm(nam, hull, reference, 0.7) == pytest.approx(2.1)
    assert peak_distance_mm(nam, hull & False, reference, 1.0) == pytest.approx(np.hypot(8, 7))


def test_chance_is_the_share_of_the_hull_near_a_nodule():
    hull, reference = np.ones((40, 40), bool), np.zeros((40, 40), bool)
    reference[20, 20] = True
    assert peak_chance(hull, reference, 1.0) == disc(40, (20, 20), 5).sum() / 1600
    assert peak_chance(hull & False, reference, 1.0) == disc(40, (20, 20), 5).sum() / 1600
    hull[:, :20] = False
    assert peak_chance(hull, reference, 2.5) == (disc(40, (20, 20), 2) & hull).sum() / 800
    assert peak_chance(hull, reference & False, 1.0) is None


def test_scope_share_is_that_of_all_regions_together():
    a, b, reference = np.zeros((3, 10, 10), bool)
    a[:, :3], b[:, 6:], reference[4, 2:8] = True, True, True
    found = [region([part], 0) for part in (a, b)]
    result = SliceResult({1: 0.9}, {1: np.zeros((10, 10))}, True, regions={1: tuple(found)})
    assert scope_share(result, 1, reference) == 3 / 6
    assert scope_share(result, 2, reference) is None
    assert scope_share(result, 1, reference & False) is None


def test_the_best_candidate_and_whether_the_chosen_one_is_of_its_object():
    small, large, elsewhere = disc(40, (12, 12), 4), disc(40, (12, 12), 6), disc(40, (30, 30), 6)
    reference = disc(40, (12, 12), 5)
    best = max(dice(small, reference), dice(large, reference))
    for chosen, right in ((0, True), (1, True), (2, False)):
        assert best_choice(region([small, large, elsewhere], chosen), reference) == (best, right)
    assert best_choice(region([elsewhere], 0), reference) == (0, False)
    assert best_choice(region(np.zeros((0, 40, 40)), None, scope=small), reference) == (0, None)


def test_measures_of_a_searched_slice_and_of_one_that_is_not():
    hu, lungs, spacing, truth = slices([(25, 30, 4)])
    (found,) = segment(hu, lungs, spacing, np.ones(1, int))
    measures = weak_measures(found, 2, found.hull, truth[0], spacing[0])
    assert measures["peak_mm"] < 2
    assert 0 < measures["peak_chance"] < 0.3
    assert measures["in_scope"] == 1
    assert measures["best_dice"] >= dice(found.fine(2), truth[0]) > 0.7
    assert measures["same_object"] == 1
    missed = dataclasses.replace(found, detected=False, regions={})
    left = weak_measures(missed, 2, hull(lungs[0], spacing[0]), truth[0], spacing[0])
    assert left["peak_mm"] == measures["peak_mm"]
    assert left["in_scope"] is left["best_dice"] is left["same_object"] is None
    nothing = weak_measures(found, 2, found.hull, truth[0] & False, spacing[0])
    assert all(value is None for value in nothing.values())


def test_facts_are_the_largest_nodule_s():
    nodules = np.zeros((2, 10, 10), np.uint8)
    nodules[0, 0, :2], nodules[0, 5, :4] = 1, 2
    made = types.SimpleNamespace(
        nodules=nodules,
        reader_dice=np.array([[[0.9, -1, -1], [0.8, 0, 0.6]], [[-1] * 3] * 2], np.float32),
        texture=np.array([[5.0, 1.5], [0, 0]], np.float32),
        agreement=np.array([[1, 2], [0, 0]], np.uint8),
        cluster=np.array([[4, 7], [0, 0]]),
        outside_crop=np.array([0, 12]),
    )
    known = {"texture": 1.5, "readers": 2, "reader_dice": pytest.approx(0.7), "nodule": 7, "outside_crop": 0}
    assert nodule_facts(made, 0) == known
    assert nodule_facts(made, 1) == dict.fromkeys(known) | {"outside_crop": 12}
