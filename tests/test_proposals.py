import numpy as np
import pytest
from bound_slices import OPTIONS, disc, slices

from wsns.errors import InputError
from wsns.segmentation.candidates import candidates
from wsns.segmentation.levels import level_candidates
from wsns.segmentation.pipeline import compute_labels
from wsns.segmentation.proposals import find_candidates


@pytest.fixture(scope="module")
def scene():
    one = slices().take([1])
    return one.hu[0], compute_labels(one.hu, one.lungs, OPTIONS)[0], disc(30, 30, 22), disc(32, 32, 30), 0.7


def test_phases_are_told_everything(scene):
    hu, labels, scope, hull, spacing = scene
    settings = {"openings": (0.0, 1.5), "min_area": 20.0, "limit": 1}
    found = find_candidates("phases", *scene, **settings)
    expected = candidates(labels, scope, hull, spacing, **settings)
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert found.cut == expected.cut > 0
    assert len(find_candidates("phases", hu * 0, *scene[1:]).masks)


def test_full_looks_at_the_hu_alone(scene):
    hu, labels, scope, hull, spacing = scene
    found = find_candidates("full", hu, labels * 0, scope, hull, spacing, min_area=20.0, limit=2)
    expected = level_candidates(hu, scope, hull, spacing, min_area=20.0, limit=2)
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert found.cut == expected.cut > 0


def test_another_kind_is_refused(scene):
    with pytest.raises(InputError, match="phases, full"):
        find_candidates("all", *scene)
