import jax
import jax.numpy as jnp
import numpy as np
import pytest
from icm_cases import SIZE, energy_by_loops, noisy

from wsns.segmentation.energy import MEANS, clip, data_cost, energy, lung_box, variance
from wsns.segmentation.icm import COLOURS, OUTSIDE, from_planes, half_sweep, icm, to_planes


def test_energy_equals_the_sum_by_loops():
    hu, box = noisy()
    labels = np.random.default_rng(1).integers(0, 4, hu.shape)
    expected = energy_by_loops(labels, hu, box, MEANS, 0.7)
    assert float(energy(labels, hu, box, MEANS, 0.7)) == pytest.approx(expected, rel=1e-5)


def test_planes_are_the_colours_and_come_back():
    image = np.arange(2 * 6 * 8).reshape(2, 6, 8)
    planes = to_planes(image)
    for row, column in COLOURS:
        np.testing.assert_array_equal(planes[:, row, column], image[:, row::2, column::2])
    np.testing.assert_array_equal(from_planes(planes), image)


@pytest.mark.parametrize("beta", [0.1, 0.3, 2.0])
def test_no_half_sweep_raises_the_energy(beta):
    hu, box = noisy()
    start = np.random.default_rng(2).integers(0, 4, hu.shape)
    planes = to_planes(jnp.where(box, start, OUTSIDE))
    cost = data_cost(to_planes(clip(hu)), variance(hu, box), jnp.array(MEANS))
    energies = [energy_by_loops(start, hu, box, MEANS, beta)]
    for _ in range(3):
        for colour in COLOURS:
            planes = half_sweep(planes, cost, beta, colour)
            labels = np.maximum(np.asarray(from_planes(planes)), 0)
            energies.append(energy_by_loops(labels, hu, box, MEANS, beta))
    assert (np.diff(energies) <= 1e-4).all()
    assert energies[-1] < energies[0]


def test_converged_labels_cannot_be_improved_in_any_pixel():
    hu, box = noisy()
    labels = np.asarray(icm(hu, box, beta=0.5, sweeps=50).labels)
    least = energy_by_loops(labels, hu, box, MEANS, 0.5)
    rng = np.random.default_rng(3)
    for y, x in rng.permutation(np.argwhere(box))[:40]:
        for phase in range(4):
            changed = labels.copy()
            changed[y, x] = phase
            assert energy_by_loops(changed, hu, box, MEANS, 0.5) >= least - 1e-4


def test_without_boundary_cost_each_pixel_takes_the_nearest_mean():
    hu, box = noisy()
    nearest = np.abs(np.clip(hu, -1000, 400)[None] - np.array(MEANS)[:, None, None]).argmin(axis=0)
    np.testing.assert_array_equal(icm(hu, box, beta=0.0).labels, np.where(box, nearest, 0))


def test_the_boundary_cost_removes_noise():
    hu, box = noisy()
    dense = np.asarray(icm(hu, box, beta=0.6).labels) >= 2
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = (y - 11) ** 2 + (x - 12) ** 2 < 25
    assert (dense != disc).sum() < (((hu > -650) & box) != disc).sum() / 2


def test_pixels_outside_the_box_cost_nothing():
    hu, box = noisy()
    other = np.where(box, hu, 3000).astype(np.float32)
    labels = icm(hu, box).labels
    np.testing.assert_array_equal(icm(other, box).labels, labels)
    assert not np.asarray(labels)[~box].any()
    assert float(energy(labels, other, box)) == pytest.approx(float(energy(labels, hu, box)), rel=1e-6)


def test_many_slices_at_once_equal_each_alone():
    stacks = [np.stack(parts) for parts in zip(*(noisy(seed) for seed in range(3)), strict=True)]
    together = jax.vmap(icm)(*stacks).labels
    for hu, box, labels in zip(*stacks, together, strict=True):
        np.testing.assert_array_equal(icm(hu, box).labels, labels)


def test_odd_sizes_equal_the_same_box_in_an_even_slice():
    hu, box = noisy()
    np.testing.assert_array_equal(
        icm(hu[:-1, :-1], box[:-1, :-1]).labels, np.asarray(icm(hu, box).labels)[:-1, :-1]
    )


def test_empty_box_and_constant_slice():
    hu = np.full((8, 8), -690, np.int16)
    assert not np.asarray(icm(hu, np.zeros((8, 8), bool)).labels).any()
    assert (np.asarray(icm(hu, np.ones((8, 8), bool)).labels) == 1).all()


def test_lung_box_is_the_bounding_box():
    lungs = np.zeros((9, 9), np.uint8)
    lungs[2, 6] = 1
    lungs[5, 1] = 2
    expected = np.zeros((9, 9), bool)
    expected[2:6, 1:7] = True
    np.testing.assert_array_equal(lung_box(lungs), expected)
    assert not np.asarray(lung_box(np.zeros((9, 9), np.uint8))).any()
