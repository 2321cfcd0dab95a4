import jax
import jax.numpy as jnp
import numpy as np
import pytest
from icm_cases import energy_by_loops, noisy

from wsns.segmentation.energy import MEANS, clip
from wsns.segmentation.icm import OUTSIDE, ascending, from_planes, icm, phase_means, to_planes


def test_phase_means_are_those_of_the_pixels_in_the_box_and_an_empty_phase_keeps_its_own():
    hu, box = noisy()
    labels = np.random.default_rng(4).choice([0, 1, 3], hu.shape)
    planes = to_planes(jnp.where(box, labels, OUTSIDE))
    found = phase_means(planes, to_planes(clip(hu)), jnp.array(MEANS))
    clipped = np.clip(hu.astype(float), -1000, 400)
    expected = [clipped[box & (labels == phase)].mean() if phase != 2 else MEANS[2] for phase in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_neither_sweeps_nor_new_means_raise_the_energy(beta):
    hu, box = noisy()
    nearest = np.abs(np.clip(hu, -1000, 400)[None] - np.array(MEANS)[:, None, None]).argmin(axis=0)
    labels, means = np.where(box, nearest, 0), np.array(MEANS)
    energies = [energy_by_loops(labels, hu, box, means, beta)]
    for sweeps in range(1, 6):
        now = icm(hu, box, beta=beta, sweeps=sweeps, reestimate=True)
        labels = np.asarray(now.labels)
        energies.append(energy_by_loops(labels, hu, box, means, beta))
        means = np.asarray(now.means, float)
        energies.append(energy_by_loops(labels, hu, box, means, beta))
        assert int(now.sweeps) == sweeps
    assert (np.diff(energies) <= 1e-4).all()
    assert energies[2] < energies[1] - 1
    assert energies[-1] < energies[2] - 0.1


def test_converged_labels_cannot_be_improved_in_any_pixel_with_their_means():
    hu, box = noisy()
    found = icm(hu, box, beta=0.3, sweeps=200, reestimate=True)
    labels, means = np.asarray(found.labels), np.asarray(found.means, float)
    assert 1 < int(found.sweeps) < 200
    clipped = np.clip(hu.astype(float), -1000, 400)
    for phase in np.unique(labels[box]):
        assert means[phase] == pytest.approx(clipped[box & (labels == phase)].mean(), abs=1e-2)
    least = energy_by_loops(labels, hu, box, means, 0.3)
    for y, x in np.random.default_rng(3).permutation(np.argwhere(box))[:40]:
        for phase in range(4):
            changed = labels.copy()
            changed[y, x] = phase
            assert energy_by_loops(changed, hu, box, means, 0.3) >= least - 1e-4


def test_the_first_sweep_is_not_taken_for_the_end_where_only_the_means_are_off():
    """The nearest mean is right at once for two values, but a third, between, changes sides with their own means."""
    hu = np.array([[-900.0, -900, -900, -900], [-300, -560, -300, -300]], np.float32)
    box = np.ones(hu.shape, bool)
    fixed = icm(hu, box, (-900.0, -200.0), 0.0, 20)
    assert int(fixed.sweeps) == 1
    moved = icm(hu, box, (-900.0, -200.0), 0.0, 20, reestimate=True)
    assert int(fixed.labels[1, 1]) == 0
    assert int(moved.labels[1, 1]) == 1
    np.testing.assert_allclose(moved.means, [-900, -365], rtol=1e-6)
    np.testing.assert_array_equal(fixed.means, [-900, -200])


def test_phases_are_renumbered_by_their_means_and_pixels_outside_stay_outside():
    labels = np.array([[0, 1, 2, 3], [OUTSIDE, 2, 1, OUTSIDE]])
    planes, means = ascending(to_planes(jnp.array(labels)), jnp.array([-700.0, -820.0, -100.0, -500.0]))
    np.testing.assert_array_equal(means, [-820, -700, -500, -100])
    np.testing.assert_array_equal(from_planes(planes), [[1, 0, 3, 2], [OUTSIDE, 3, 0, OUTSIDE]])


@pytest.mark.parametrize("seed", [12, 33])
def test_phases_whose_means_cross_still_end_by_ascending_density(seed):
    """In two tissues under heavy noise and a dear boundary the second phase's mean crosses another's."""
    rng = np.random.default_rng(seed)
    hu = (rng.choice([-883.0, -380.0], (16, 16)) + rng.normal(0, 150, (16, 16))).astype(np.float32)
    found = icm(hu, np.ones(hu.shape, bool), beta=1.0, reestimate=True)
    labels, clipped = np.asarray(found.labels), np.clip(hu, -1000, 400)
    assert (np.diff(found.means) > 0).all()
    for phase, mean in enumerate(np.asarray(found.means)):
        assert clipped[labels == phase].mean() == pytest.approx(mean, abs=1e-2)


def test_many_slices_with_means_of_their_own_equal_each_alone():
    stacks = [np.stack(parts) for parts in zip(*(noisy(seed) for seed in range(3)), strict=True)]
    own = jax.vmap(lambda hu, box: icm(hu, box, reestimate=True).labels)(*stacks)
    for hu, box, labels in zip(*stacks, own, strict=True):
        np.testing.assert_array_equal(icm(hu, box, reestimate=True).labels, labels)


def test_in_an_empty_box_the_means_stay_and_in_a_constant_slice_one_moves():
    hu = np.full((8, 8), -690, np.int16)
    nothing = icm(hu, np.zeros((8, 8), bool), reestimate=True)
    assert not np.asarray(nothing.labels).any()
    np.testing.assert_array_equal(nothing.means, MEANS)
    moved = icm(hu, np.ones((8, 8), bool), reestimate=True)
    np.testing.assert_array_equal(moved.means, [-900, -690, -600, -200])
