import dataclasses

import numpy as np
import pytest
from bound_slices import OPTIONS, slices
from discs import disc

from wsns.segmentation.candidates import candidates
from wsns.segmentation.pipeline import compute_labels
from wsns.segmentation.regions import find_candidates
from wsns.segmentation.threshold_candidates import level_candidates


@pytest.fixture(scope="module")
def scene():
    one = slices().take([1])
    return one.hu[0], compute_labels(one.hu, one.lungs, OPTIONS)[0], disc(30, 30, 22), disc(32, 32, 30), 0.7


def test_candidates_by_phases_are_told_every_threshold(scene):
    hu, labels, scope, hull, spacing = scene
    options = dataclasses.replace(OPTIONS, openings=(0.0, 1.5), min_area=20.0, max_candidates=1)
    found = find_candidates(*scene, options)
    expected = candidates(labels, scope, hull, spacing, openings=(0.0, 1.5), min_area=20.0, limit=1)
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert found.cut == expected.cut > 0
    assert len(find_candidates(hu * 0, *scene[1:], options).masks)


def test_candidates_without_phases_look_at_the_hu_alone(scene):
    hu, labels, scope, hull, spacing = scene
    options = dataclasses.replace(OPTIONS, candidates="full", min_area=20.0, max_candidates=2)
    found = find_candidates(hu, labels * 0, scope, hull, spacing, options)
    expected = level_candidates(hu, scope, hull, spacing, min_area=20.0, limit=2)
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert found.cut == expected.cut > 0
