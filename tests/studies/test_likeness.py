import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from wsns.data.records.schema import NAMES, Slices
from wsns.errors import InputError
from wsns.studies.twin_realism import crops as likeness_crops
from wsns.studies.twin_realism import statistics as likeness
from wsns.studies.twin_realism.crops import FEATURES, SIDE
from wsns.studies.twin_realism.dense_sections import sections
from wsns.studies.twin_realism.noise import noise
from wsns.studies.twin_realism.scan import look_at

SIZE, SPACING = 160, 0.8
Y, X = np.mgrid[:SIZE, :SIZE]
LUNG = np.hypot(Y - 80, X - 80) < 70


def disc(row, column, radius_mm):
    return np.hypot(Y - row, X - column) * SPACING < radius_mm


def slices(hu, nodules=None, texture=0.0):
    """Slices of one scan with one lung, all (N, S, S), as far as they are measured."""
    count = len(hu)
    nodules = np.zeros(hu.shape, np.uint8) if nodules is None else nodules
    number = nodules.any(axis=(1, 2)).astype(np.int32)
    filled = {name: np.zeros(count) for name in NAMES} | {
        "hu": hu.astype(np.int16),
        "lungs": np.broadcast_to(LUNG, hu.shape).astype(np.uint8),
        "nodules": nodules,
        "label": number,
        "count": number,
        "cluster": number[:, None],
        "texture": np.full((count, 1), texture),
        "spacing": np.full(count, SPACING),
        "thickness": np.full(count, 2.5),
        "patient": np.full(count, "LIDC-IDRI-0001"),
        "series": np.full(count, "1.2.3"),
    }
    return Slices(**filled)


def white(seed, sd, shape=(SIZE, SIZE)):
    return np.random.default_rng(seed).normal(0, sd, shape)


def test_white_noise_on_a_slope_has_its_own_sd_and_no_correlation():
    found = noise(np.rint(white(0, 20) - 880 + 0.3 * Y - 0.2 * X).astype(np.int16), LUNG)
    assert found.sd == pytest.approx(20, rel=0.04)
    assert np.abs(found.lags).max() < 0.03


def test_correlated_noise_has_the_kernels_correlation():
    kernel = np.array([0.2, 1, 0.2])
    hu = ndimage.convolve1d(ndimage.convolve1d(white(1, 20), kernel, axis=0), kernel, axis=1) - 880
    found = noise(np.rint(hu).astype(np.int16), LUNG)
    power = (kernel**2).sum()
    assert found.sd == pytest.approx(20 * power, rel=0.1)
    # The plane takes out more of what is correlated than of white noise.
    expected = np.array([0.4 / power, 0.04 / power, 0])
    assert (np.array(found.lags) < expected).all()
    assert found.lags == pytest.approx(expected, abs=0.12)


def test_noise_is_measured_beside_vessels_and_not_without_clean_lung():
    hu = white(2, 20) - 880
    hu[:, 60:64] = 0
    hu[100:120, 100:120] = 40
    assert noise(np.rint(hu).astype(np.int16), LUNG).sd == pytest.approx(20, rel=0.05)
    none = noise(np.rint(hu + 400).astype(np.int16), LUNG)
    assert np.isnan([none.sd, *none.lags]).all()
    flat = noise(np.full((SIZE, SIZE), -880, np.int16), LUNG)
    assert flat.sd == pytest.approx(0, abs=1e-6)


def test_sections_have_the_discs_radius_place_and_shape():
    hu = np.full((SIZE, SIZE), -880)
    for mask in (disc(100, 60, 1.2), disc(40, 80, 2.5), disc(80, 80, 4.4)):
        hu[mask] = 0
    hu[110:113, 70:100] = 0
    hu[60, 60] = 0  # a pixel of 0.64 mm² is none
    depth = ndimage.distance_transform_edt(LUNG) * SPACING
    found = sections(hu, LUNG, depth, SPACING)
    order = np.argsort(found.radius)
    assert found.radius[order] == pytest.approx([1.2, 2.5, np.sqrt(90 * SPACING**2 / np.pi), 4.4], abs=0.2)
    assert found.round[order].tolist() == [True, True, False, True]
    assert found.distance[order[-1]] == pytest.approx(70 * SPACING, abs=1)
    assert found.distance[order[1]] == pytest.approx(30 * SPACING, abs=1)
    assert len(sections(np.full((SIZE, SIZE), -880), LUNG, depth, SPACING).radius) == 0


def test_the_gradient_is_that_of_the_tissue_whatever_lies_in_it():
    hu = np.rint(-900 + 3.5 * Y * SPACING / 10 + white(3, 15)).astype(np.int16)
    hu[50:60] += 60
    assert likeness.gradient(hu, LUNG, SPACING) == pytest.approx(3.5, abs=0.5)
    assert np.isnan(likeness.gradient(hu, LUNG & (Y < 30), SPACING))


def test_percentiles_are_numpys():
    values = np.random.default_rng(4).integers(-1000, -650, 999)
    counts = np.bincount(values - likeness.LOWEST, minlength=1501)
    expected = np.percentile(values, likeness.PERCENTS, method="inverted_cdf")
    assert likeness.percentiles(counts, likeness.PERCENTS).tolist() == expected.tolist()
    assert np.isnan(likeness.percentiles(0 * counts, likeness.PERCENTS)).all()


def test_a_slice_is_measured_whole():
    hu = white(5, 20, (2, SIZE, SIZE)) - 880
    for mask in (disc(80, 80, 4), disc(40, 80, 2.5)):
        hu[0][mask] = 0
    nodules = np.zeros(hu.shape, np.uint8)
    nodules[0][disc(80, 80, 4)] = 1
    made = slices(hu, nodules, texture=5)
    found = likeness.statistics([likeness.look(made, n) for n in range(2)], likeness.nodules(made, 0))
    assert found["lung, 50 % (HU)"] == pytest.approx(-880, abs=1)
    assert found["lung, 5 % (HU)"] == pytest.approx(-880 - 1.645 * 20, abs=2)
    assert found["sections per slice"] == 1
    assert found["round sections > 2 mm per slice"] == 1
    # The lung is a disc of 56 mm: two rings of it hold 20 to 30 mm from the wall, one section lies there.
    ring_cm2 = np.pi * (36**2 - 26**2) / 100
    assert found["sections per 100 cm², 20–30 mm from the wall"] == pytest.approx(50 / ring_cm2, rel=0.05)
    assert found["sections per 100 cm², 10–20 mm from the wall"] == 0
    assert found["nodule outlines"] == 1
    assert found["nodule HU, radius 3–5 mm"] == found["nodule HU, texture 5"] == pytest.approx(0, abs=1)
    assert np.isnan(found["nodule HU, radius 5–8 mm"])
    assert found["nodules at the pleura (share)"] == 0


def test_a_nodule_at_the_wall_touches_the_pleura():
    nodules = np.zeros((1, SIZE, SIZE), np.uint8)
    nodules[0][disc(80, 80 + 66, 4) & LUNG] = 1
    made = slices(np.full((1, SIZE, SIZE), -300.0), nodules, texture=2.5)
    [nodule] = likeness.nodules(made, 0)
    assert nodule.at_pleura
    assert nodule.hu == -300
    assert likeness.statistics([likeness.look(made, 0)], [nodule])["nodule HU, texture 1–2"] == -300


def test_statistics_of_a_slice_without_anything_are_nan_but_counts_are_0():
    made = slices(np.full((1, SIZE, SIZE), 40.0))
    empty = dataclasses.replace(made, lungs=np.zeros_like(made.lungs))
    found = likeness.statistics([likeness.look(empty, 0)], [])
    zero = {"sections per slice", "round sections > 2 mm per slice", "nodule outlines"}
    assert {name for name, value in found.items() if value == 0} == zero
    assert all(np.isnan(value) for name, value in found.items() if name not in zero)


def test_crops_are_lung_and_each_place_is_drawn_once():
    hu = np.broadcast_to(np.where(LUNG, Y * SIZE + X, -1) - 15000, (3, SIZE, SIZE))
    made = slices(hu)
    crops = likeness_crops.draw(made, 100, np.random.default_rng(0))
    assert crops.shape == (100, SIDE, SIDE)
    assert ((crops > -15001).mean(axis=(1, 2)) >= 0.9).all()
    again = likeness_crops.draw(made, 100, np.random.default_rng(0))
    assert (crops == again).all()
    one = likeness_crops.draw(made.take([0]), 10**6, np.random.default_rng(0), side=100)
    middles = one[:, 50, 50].tolist()
    assert 0 < len(middles) == len(set(middles))
    assert likeness_crops.draw(made, 5, np.random.default_rng(0), side=130).shape == (0, 130, 130)


def test_no_crop_is_drawn_from_a_dome_inside_the_lungs_mask():
    hu = np.full((1, SIZE, SIZE), -880.0)
    hu[0][disc(80, 80, 36)] = 40
    crops = likeness_crops.draw(slices(hu), 10**6, np.random.default_rng(0))
    assert len(crops)
    assert ((crops < -650).mean(axis=(1, 2)) >= 0.5).all()


def test_features_say_what_they_are_called():
    crops = np.full((3, SIDE, SIDE), -880, np.int16)
    crops[1, 10:18, 10:18] = 0
    crops[1, 25:27, 5:25] = -500
    crops[2] += np.rint(white(6, 30, (SIDE, SIDE))).astype(np.int16)
    flat, parts, noisy = (
        dict(zip(FEATURES, row, strict=True)) for row in likeness_crops.features(crops).round(4)
    )
    assert {flat[name] for name in ("5 %", "50 %", "95 %")} == {-880}
    assert flat["SD"] == flat["skewness"] == flat["dense parts"] == flat["coherence"] == 0
    assert parts["share above −650 HU"] == pytest.approx(104 / SIDE**2, abs=1e-4)
    assert parts["share above −400 HU"] == pytest.approx(64 / SIDE**2, abs=1e-4)
    assert (parts["dense parts"], parts["roundness of the largest"]) == (2, 1)
    assert parts["skewness"] > 2
    assert noisy["SD"] == pytest.approx(30, rel=0.06)
    assert abs(noisy["lag 1 in x"]) < 0.15
    assert noisy["coherence"] < 0.5


def test_a_crop_turned_by_90_degrees_swaps_x_and_y_and_changes_nothing_else():
    crops = np.cumsum(white(7, 40, (4, SIDE, SIDE)), axis=2).clip(-900, 900).astype(np.int16)
    straight = likeness_crops.features(crops)
    turned = likeness_crops.features(np.rot90(crops, axes=(1, 2)))
    swapped = [FEATURES.index(f"lag {lag} in {axis}") for lag in (1, 2) for axis in "yx"]
    kept = [FEATURES.index(f"lag {lag} in {axis}") for lag in (1, 2) for axis in "xy"]
    straight[:, kept] = straight[:, swapped]
    assert turned == pytest.approx(straight, rel=1e-3, abs=1e-3)
    assert (straight[:, kept[0]] < straight[:, kept[1]]).all()


def test_a_scan_is_measured_with_its_nodules_and_crops():
    hu = white(8, 20, (9, SIZE, SIZE)) - 880
    nodules = np.zeros(hu.shape, np.uint8)
    for n, radius in ((3, 2.5), (4, 4.0), (5, 3.0)):
        nodules[n][disc(60, 90, radius)] = 1
    made = slices(hu, nodules, texture=4)
    found = look_at(made, count=4, crops=21, seed=0)
    assert len(found.slices) == 4
    assert [nodule.radius for nodule in found.nodules] == pytest.approx([2.5, 4, 3], abs=0.3)
    [picture] = found.pictures
    assert picture.radius == max(nodule.radius for nodule in found.nodules)
    assert np.argwhere(picture.mask).mean(axis=0) == pytest.approx([32, 32], abs=0.6)
    assert found.crops.features.shape == (21, len(FEATURES))
    assert found.crops.second.sum() == 10
    assert found.shown.shape == (4, 64, 64)
    again, other = look_at(made, count=4, crops=21, seed=0), look_at(made, count=4, crops=21, seed=1)
    assert (found.crops.features == again.crops.features).all()
    assert (found.crops.features != other.crops.features).any()


def test_a_scan_without_room_for_a_crop_is_refused():
    made = slices(np.zeros((4, SIZE, SIZE)))
    thin = dataclasses.replace(made, lungs=made.lungs * (X < 20).astype(np.uint8))
    with pytest.raises(InputError, match=r"no square of 32 pixels.*config\.data\.exclude") as caught:
        look_at(thin, count=4, crops=10, seed=0)
    assert "\n" not in str(caught.value)
