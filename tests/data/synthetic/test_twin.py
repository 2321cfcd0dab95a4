import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from wsns.data.lidc.annotations import Annotation, Contour, Scan, cluster, load_scans
from wsns.data.source import TwinSource
from wsns.data.synthetic import lidc_nodules as twin_nodules
from wsns.data.synthetic import placement as twin_fit
from wsns.data.synthetic import scanner, twin
from wsns.data.synthetic import vessels as twin_vessels
from wsns.data.synthetic.anatomy import lung_distance

Z = np.arange(-150.0, 150.0, 12.0)
MIDDLE = 14  # slice with the nodule's largest section


def _ball(texture: int, centre: tuple[int, int, int], radius: float, identity: int = 1) -> Annotation:
    """A reader's drawing of a ball: circles just outside it, over three slices."""
    angle = np.linspace(0, 2 * np.pi, 60)
    contours = []
    for step, share in ((-1, 0.7), (0, 1.0), (1, 0.7)):
        i = centre[1] + (share * radius + 1) * np.sin(angle)
        j = centre[2] + (share * radius + 1) * np.cos(angle)
        points = np.rint(np.stack([i, j], axis=1)).astype(np.int32)
        contours.append(Contour(centre[0] + step, True, points))
    return Annotation(identity, texture, 5, 3, tuple(contours))


def _scan(*annotations: Annotation, series: str = "1.2.3") -> Scan:
    return Scan(series, "1.2", "TEST-1", 0.7, 5.0, Z, annotations)


SOLID = _ball(5, (MIDDLE, 260, 380), 9.0)
GLASS = _ball(1, (MIDDLE, 260, 380), 9.0)


@pytest.fixture(scope="module")
def solid():
    return twin.render(_scan(SOLID))


@pytest.fixture(scope="module")
def glass():
    return twin.render(_scan(GLASS))


def test_geometry_is_the_scans(solid):
    assert solid.hu.shape == (len(Z), 512, 512)
    assert solid.hu.dtype == np.int16
    np.testing.assert_array_equal(solid.z, Z)
    assert solid.spacing == 0.7


def test_same_series_same_volume_whatever_else_was_rendered(solid):
    other = twin.render(_scan(_ball(3, (MIDDLE, 250, 130), 5.0), series="9.9"))
    again = twin.render(_scan(SOLID))
    np.testing.assert_array_equal(again.hu, solid.hu)
    assert not np.array_equal(other.hu, solid.hu)


def test_another_seed_is_another_chest_around_the_same_nodule(solid):
    other = twin.render(_scan(SOLID), seed=1)
    assert not np.array_equal(other.hu, solid.hu)
    assert other.hu[MIDDLE, 255:266, 375:386].mean() > -250


def test_two_lungs_of_plausible_size_and_density(solid):
    areas, medians = [], []
    for hu in solid.hu[12:19:2]:
        air, count = ndimage.label(hu < -600)
        inside = np.setdiff1d(np.arange(1, count + 1), np.unique([air[0], air[-1], air[:, 0], air[:, -1]]))
        lungs = np.isin(air, inside[np.bincount(air.ravel())[inside] > 3000])
        areas.append(lungs.sum() * solid.spacing**2 / 100)
        medians.append(np.median(hu[lungs]))
    assert 120 < min(areas) < max(areas) < 480
    assert -910 < min(medians) < max(medians) < -830


def test_body_is_soft_tissue_with_bone_in_air(solid):
    assert -1100 < np.median(solid.hu[:, 30:50, 200:300]) < -950
    lowest = solid.hu[1]
    assert 0 < np.median(lowest[lowest > -300]) < 250
    assert (solid.hu > 300).mean() > 0.002


def test_solid_nodule_is_denser_than_ground_glass_and_both_than_lung(solid, glass):
    (group,) = cluster(_scan(SOLID))
    k, i, j = group.origin
    box = np.s_[MIDDLE, i : i + group.masks.shape[2], j : j + group.masks.shape[3]]
    mask = group.masks[0, MIDDLE - k]
    assert solid.hu[box][mask].mean() > glass.hu[box][mask].mean() + 250
    assert glass.hu[box][mask].mean() > -800
    assert -150 < np.median(solid.hu[box][ndimage.binary_erosion(mask, iterations=4)]) < 120


def test_a_smaller_nodule_is_darker():
    rng = np.random.default_rng(0)
    means = []
    for radius in (2.0, 4.0, 10.0):
        scan = _scan(_ball(5, (MIDDLE, 260, 380), radius))
        nodule = twin_nodules.paint(rng, scan, cluster(scan)[0], 0.6)
        inside = cluster(scan)[0].masks[0]
        means.append(nodule.weight[2:-2, 4:-4, 4:-4][inside].mean())
    assert means[0] < means[1] < means[2]


def test_part_solid_has_a_core():
    scan = _scan(_ball(3, (MIDDLE, 260, 380), 12.0))
    nodule = twin_nodules.paint(np.random.default_rng(0), scan, cluster(scan)[0], 0.6)
    centre = nodule.hu[3, 12:-12, 12:-12].mean()
    rim = nodule.hu[3, nodule.hu.shape[1] // 2, 5:8].mean()
    assert centre > rim + 200


def test_nodule_at_the_images_corner_is_cut_not_wrapped():
    nodule = twin_nodules.Nodule((0, -3, -3), np.ones((1, 6, 6), np.float32), np.zeros((1, 6, 6), np.float32))
    hu = np.full((20, 20), -900.0, np.float32)
    nodule.blend(hu, 0)
    nodule.blend(hu, 5)
    assert (hu == 0).sum() == 9
    assert (hu[:3, :3] == 0).all()


def test_every_readers_nodule_of_a_real_scan_is_painted():
    scans = load_scans()
    scan = min((s for s in scans.values() if s.annotations), key=lambda s: len(s.z))
    volume = twin.render(scan)
    for group in cluster(scan):
        k, i, j = group.origin
        mask = group.masks.any(axis=0)
        box = volume.hu[k : k + mask.shape[0], i : i + mask.shape[1], j : j + mask.shape[2]]
        assert box[mask].mean() > -780


def test_lungs_hold_the_nodules_wherever_they_are():
    rng = np.random.default_rng(5)
    centres = np.stack(
        [rng.uniform(-120, 120, 12), rng.uniform(-70, 90, 12), rng.uniform(-120, 110, 12)], axis=1
    )
    depths = rng.uniform(1, 12, 12)
    chest = twin_fit.draw(rng, Z, 360.0, centres, depths)
    assert lung_distance(chest, *centres.T).max() < 0.5
    assert Z[0] <= chest.base < chest.apex <= Z[-1]


def test_nodules_of_the_pleura_lie_near_it_where_nothing_speaks_against_it():
    centre = np.array([[70.0, 10.0, 0.0]])
    inside = -float(
        lung_distance(twin_fit.draw(np.random.default_rng(0), Z, 360.0, centre, np.array([2.0])), *centre.T)[
            0
        ]
    )
    near = -float(
        lung_distance(
            twin_fit.draw(np.random.default_rng(0), Z, 360.0, centre, np.array([2.0]), np.array([5.0])),
            *centre.T,
        )[0]
    )
    assert 1 <= near < 8 < inside


def test_another_scanner_sees_the_same_chest():
    scan = dataclasses.replace(_scan(), z=Z[::8])
    one = scanner.FIXED
    other = dataclasses.replace(one, noise=(40.0, 40.0))
    first, second = (
        twin.render(scan, looks=looks).hu[:, 100:412, 100:412].astype(float) for looks in (one, other)
    )
    smooth = [ndimage.uniform_filter(hu, (0, 9, 9)) for hu in (first, second)]
    assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.99
    assert (first - second).std() > 20


def test_records_of_another_version_seed_or_scanner_are_not_taken_for_these(monkeypatch):
    scans = {"1.2.3": _scan()}
    names = {
        TwinSource(scans, seed, looks).identity("1.2.3")
        for seed in (0, 1)
        for looks in (scanner.FIXED, scanner.RANDOMISED)
    }
    monkeypatch.setattr(twin, "VERSION", twin.VERSION - 1)
    names.add(TwinSource(scans).identity("1.2.3"))
    assert len(names) == 5


def test_a_tree_reaches_every_point_and_hangs_together():
    rng = np.random.default_rng(0)
    points = rng.uniform(-50, 50, (37, 3))
    tree = twin_vessels.grow(rng, points, np.zeros(3), 0.4)
    ends = np.concatenate([tree.end, np.zeros((1, 3))])
    for point in points:
        assert np.abs(tree.end - point).max(axis=1).min() < 1e-3
    for start in tree.start:
        assert np.abs(ends - start).max(axis=1).min() < 1e-3
    assert tree.radius.max() == pytest.approx(0.4 * 37 ** (1 / 3), rel=1e-5)


@pytest.mark.parametrize("radius", [0.5, 1.5, 4.0])
def test_a_tube_cut_across_keeps_its_area(radius: float):
    tube = twin_vessels.tubes(np.array([[3, -5, -20]]), np.array([[3, -5, 20]]), np.array([radius]))
    cover = twin_vessels.occupancy(tube, np.array([0.0]), 0.7, 128, 0.6)
    assert cover.sum() * 0.7**2 == pytest.approx(np.pi * radius**2, rel=0.15)
    i, j = ndimage.center_of_mass(cover)
    assert (j - 63.5) * 0.7 == pytest.approx(3, abs=0.05)
    assert (i - 63.5) * 0.7 == pytest.approx(-5, abs=0.05)


def test_vessels_continue_from_slice_to_slice():
    rng = np.random.default_rng(0)
    tree = twin_vessels.grow(rng, rng.uniform(-60, 60, (400, 3)), np.zeros(3), 0.5)
    here, next_to, far = (
        twin_vessels.occupancy(tree, np.array([z]), 0.7, 256, 0.6).ravel() for z in (10.0, 11.0, 50.0)
    )
    assert np.corrcoef(here, next_to)[0, 1] > 0.6
    assert np.corrcoef(here, far)[0, 1] < 0.3


def test_thick_slices_average():
    flat = twin_vessels.tubes(np.array([[-9, 0, 0]]), np.array([[9, 0, 0]]), np.array([1.0]))
    thin = twin_vessels.occupancy(flat, np.array([0.0]), 0.7, 64, 0.6)
    thick = twin_vessels.occupancy(flat, np.linspace(-2.5, 2.5, 5), 0.7, 64, 0.6)
    assert 0.2 * thin.max() < thick.max() < 0.7 * thin.max()


def test_a_scan_without_nodules_renders():
    bare = dataclasses.replace(_scan(), z=Z[::5])
    assert twin.render(bare).hu.shape == (5, 512, 512)
