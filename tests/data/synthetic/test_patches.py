import numpy as np
import pytest

from wsns.data.lidc.annotations import Scan
from wsns.data.synthetic import fissures, patches, procedural_nodules, scanner
from wsns.data.synthetic import placement as twin_fit
from wsns.data.synthetic.anatomy import lung_distance

Z = np.arange(-150.0, 150.0, 2.5)
SCAN = Scan("", "", "", 0.7, 2.5, Z, ())


@pytest.fixture(scope="module")
def chest():
    return twin_fit.draw(np.random.default_rng(2), Z, 360.0, np.zeros((0, 3)), np.zeros(0))


@pytest.fixture(scope="module")
def drawn():
    return patches.patches(1, 2, size=48, factor=2, looks=scanner.Ranges())


def test_patches_are_hounsfield_units_and_some_have_nodules(drawn):
    assert drawn.hu.shape == drawn.mask.shape == (2 * patches.PER_CHEST, 48, 48)
    assert drawn.hu.dtype == np.int16
    assert set(np.unique(drawn.mask)) == {0, 1}
    assert 0.1 < drawn.mask.any(axis=(1, 2)).mean() < 0.7
    assert (drawn.hu < -700).mean() > 0.2


def test_the_seed_alone_decides(drawn):
    again = patches.patches(1, 2, size=48, factor=2, looks=scanner.Ranges())
    np.testing.assert_array_equal(again.hu, drawn.hu)
    np.testing.assert_array_equal(again.mask, drawn.mask)
    other = patches.patches(2, 1, size=48, factor=2, looks=scanner.Ranges())
    assert not np.array_equal(other.hu, drawn.hu[: len(other.hu)])


def test_neighbours_lie_around_the_slice():
    drawn = patches.patches(1, 1, size=48, factor=2, looks=scanner.FIXED, beside=2.5)
    assert drawn.hu.shape == (patches.PER_CHEST, 3, 48, 48)
    below, middle, above = (drawn.hu[:, n].astype(float) for n in range(3))
    assert np.abs(below - middle).mean() < np.abs(below - above).mean()
    assert not np.array_equal(below, middle)


def test_a_nodule_is_denser_than_the_lung_around_it():
    drawn = patches.patches(3, 6, size=96, factor=2, looks=scanner.FIXED)
    contrast = []
    for hu, mask in zip(drawn.hu, drawn.mask):
        if mask.sum() > 5:
            lung = hu[(mask == 0) & (hu < -600)]
            contrast.append(hu[mask > 0].mean() - np.median(lung))
    assert len(contrast) > 20
    assert np.median(contrast) > 200
    assert np.mean(np.array(contrast) > 60) > 0.9


@pytest.mark.parametrize("radius", [3.0, 8.0])
def test_a_nodule_has_about_the_wanted_radius_and_place(radius: float):
    rng, centre = np.random.default_rng(0), np.array([10.0, -20.0, 1.0])
    volumes, middles = [], []
    for _ in range(30):
        nodule = procedural_nodules.draw_nodule(rng, SCAN, centre, radius)
        volumes.append(nodule.masks.sum() * 0.7**2 * 2.5)
        k, i, j = np.argwhere(nodule.masks[0]).mean(axis=0) + nodule.origin
        middles.append([(j - 255.5) * 0.7, (i - 255.5) * 0.7, np.interp(k, np.arange(len(Z)), Z)])
        for side in (0, -1):
            assert not nodule.masks[0, :, side].any()
            assert not nodule.masks[0, :, :, side].any()
    assert np.cbrt(np.median(volumes) * 3 / (4 * np.pi)) == pytest.approx(radius, rel=0.15)
    np.testing.assert_allclose(np.median(middles, axis=0), centre, atol=0.4)


def test_a_nodule_thinner_than_the_gap_between_slices_is_in_none_or_one():
    nodule = procedural_nodules.draw_nodule(np.random.default_rng(0), SCAN, np.array([0.0, 0.0, 1.2]), 0.5)
    assert nodule.masks.shape[1] >= 1


@pytest.mark.parametrize("at_pleura", [False, True])
def test_places_lie_in_the_lungs_at_the_wanted_depth(chest, at_pleura: bool):
    rng, depths = np.random.default_rng(0), []
    for _ in range(40):
        place = procedural_nodules.draw_place(rng, chest, 0.0, 5.0, at_pleura=at_pleura)
        assert abs(place[2]) <= 0.75 * 5
        depths.append(-float(lung_distance(chest, *place)))
    assert min(depths) > (0 if at_pleura else 4.5)
    assert max(depths) < (4.5 if at_pleura else 200)


def test_no_place_is_found_where_there_is_no_lung(chest):
    assert procedural_nodules.draw_place(np.random.default_rng(0), chest, 900.0, 3.0, at_pleura=False) is None


def test_radii_are_those_of_the_database_roughly():
    rng = np.random.default_rng(0)
    radii = [procedural_nodules.draw_radius(rng) for _ in range(2000)]
    assert procedural_nodules.SMALLEST <= min(radii) < 2 < 14 < max(radii) <= procedural_nodules.LARGEST
    assert np.median(radii) == pytest.approx(procedural_nodules.RADIUS[0], rel=0.05)


def test_a_fissure_moves_with_the_slice_and_is_a_thin_line(chest):
    drawn = fissures.draw(np.random.default_rng(0))
    x, y = np.linspace(-150, 150, 301)[None], np.linspace(-120, 120, 241)[:, None]
    places = []
    for z in (-20.0, 0.0):
        away = fissures.distance(chest, drawn, x, y, z)
        filled = fissures.weight(away, fissures.rises(chest, drawn, x), 1.0, 0.5)
        assert 0 < (filled > 0).mean() < 0.05
        assert filled.max() <= 1
        places.append(away[:, 60].argmin())
    assert places[1] > places[0]


def test_the_steeper_of_two_fissures_is_the_narrower_band_in_a_thick_slice(chest):
    slanted, steep = fissures.Fissure(0.0, 1.1, 0.0, 0.0), fissures.Fissure(0.0, 0.5, 0.0, 0.0)
    x, y = chest.centre[0] + np.array([[-80.0, 80.0]]), np.linspace(-120, 120, 2401)[:, None]
    z = 0.5 * (chest.base + chest.apex)
    away = fissures.distance(chest, (slanted, steep), x, y, z)
    filled = fissures.weight(away, fissures.rises(chest, (slanted, steep), x), 5.0, 0.5)
    right, left = (filled > 0).sum(axis=0)
    assert right / left == pytest.approx(np.hypot(0.75, 2.75) / np.hypot(0.75, 1.25), rel=0.01)
    # However it is smeared, there is as much of it.
    np.testing.assert_allclose(filled.sum(axis=0) * 0.1, 0.8, rtol=0.01)
