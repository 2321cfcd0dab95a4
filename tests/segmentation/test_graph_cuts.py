import importlib
import itertools
import sys

import conftest
import numpy as np
import pytest

from wsns.segmentation.energy import MEANS, energy, lung_box
from wsns.segmentation.icm import icm

sys.path.append(str(conftest.ROOT / "benchmarks"))
graph_cuts = importlib.import_module("graph_cuts")

TWO = (-900.0, -200.0)


def speckled(seed, shape, noise=300.0):
    rng = np.random.default_rng(seed)
    return (rng.choice(MEANS, shape) + rng.normal(0, noise, shape)).astype(np.float32)


def blobs(seed=0, size=64):
    """Dense discs in parenchyma under noise, and a box that leaves a margin."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    hu = np.full((size, size), -850.0)
    for row, column, radius in rng.uniform((0, 0, 3), (size, size, 12), (8, 3)):
        hu[(y - row) ** 2 + (x - column) ** 2 < radius**2] = rng.choice([-650.0, -250.0, 50.0])
    box = np.zeros((size, size), bool)
    box[4:-6, 3:-2] = True
    return (hu + rng.normal(0, 120, hu.shape)).astype(np.float32), box


def energies_of_all(problem, phases):
    labellings = itertools.product(range(phases), repeat=problem.cost.shape[1])
    return np.array([problem.energy(np.array(labels)) for labels in labellings])


def icm_beside_the_cuts(hu, box, means, beta, reestimate=False):
    """Returns the energy gap in % and the share of pixels that differ, ICM as the method runs it."""
    found = icm(hu, box, means, beta, 8, reestimate)
    labels = np.asarray(found.labels)[box]
    problem = graph_cuts.problem(hu, box, np.asarray(found.means), beta)
    two = len(means) == 2
    best = graph_cuts.minimum(problem) if two else graph_cuts.alpha_expansion(problem, labels)
    return 100 * (problem.energy(labels) / problem.energy(best) - 1), (labels != best).mean()


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.7])
def test_the_problem_has_the_energy_of_the_device(beta):
    hu, box = blobs()
    box[30:34, 20:25] = False
    labels = np.random.default_rng(1).integers(0, 4, hu.shape)
    found = graph_cuts.problem(hu, box, MEANS, beta).energy(labels[box])
    assert found == pytest.approx(float(energy(labels, hu, box, MEANS, beta)), rel=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("beta", [0.1, 0.6])
def test_the_cut_for_two_phases_has_the_least_energy_of_all_labellings(seed, beta):
    hu, box = speckled(seed, (5, 5)), np.zeros((5, 5), bool)
    box[1:4, :4] = True
    problem = graph_cuts.problem(hu, box, TWO, beta)
    cut = problem.energy(graph_cuts.minimum(problem))
    assert cut == pytest.approx(energies_of_all(problem, 2).min(), rel=1e-12)
    assert problem.energy(np.asarray(icm(hu, box, TWO, beta).labels)[box]) >= cut * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_an_expansion_is_the_best_of_all_that_change_some_pixels_to_the_phase(seed):
    hu, box = speckled(seed, (3, 4)), np.ones((3, 4), bool)
    problem = graph_cuts.problem(hu, box, MEANS, 0.4)
    labels = np.random.default_rng(seed).integers(0, 4, 12)
    for phase in range(4):
        changes = np.array(list(itertools.product([False, True], repeat=12)))
        every = [problem.energy(np.where(change, phase, labels)) for change in changes]
        found = graph_cuts.expansion(problem, labels, phase)
        assert set(found[found != labels]) <= {phase}
        assert problem.energy(found) == pytest.approx(min(every), rel=1e-12)


def test_alpha_expansion_is_close_to_the_least_energy_of_all_labellings():
    found, least = [], []
    for seed in range(4):
        problem = graph_cuts.problem(speckled(seed, (2, 4)), np.ones((2, 4), bool), MEANS, 0.3)
        found.append(problem.energy(graph_cuts.alpha_expansion(problem, np.zeros(8, int))))
        least.append(energies_of_all(problem, 4).min())
    assert (np.array(found) >= np.array(least) - 1e-12).all()
    assert sum(found) < 1.01 * sum(least)


def test_for_two_phases_alpha_expansion_ends_at_the_minimum():
    hu, box = blobs(1)
    problem = graph_cuts.problem(hu, box, TWO, 0.5)
    least = problem.energy(graph_cuts.minimum(problem))
    for start in (0, 1):
        found = graph_cuts.alpha_expansion(problem, np.full(box.sum(), start))
        assert problem.energy(found) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_no_expansion_improves_what_alpha_expansion_makes_of_icm(beta):
    hu, box = blobs(2)
    problem = graph_cuts.problem(hu, box, MEANS, beta)
    start = np.asarray(icm(hu, box, MEANS, beta).labels)[box]
    found = graph_cuts.alpha_expansion(problem, start)
    assert problem.energy(found) < problem.energy(start)
    for phase in range(4):
        moved = problem.energy(graph_cuts.expansion(problem, found, phase))
        assert moved == pytest.approx(problem.energy(found), rel=1e-9)


@pytest.mark.parametrize(
    ("means", "reestimate", "bound"), [(TWO, False, 0.1), (MEANS, False, 12.0), (MEANS, True, 12.0)]
)
def test_icm_on_noisy_slices(means, reestimate, bound):
    for seed in range(3):
        gap, differ = icm_beside_the_cuts(*blobs(seed), means, 0.3, reestimate)
        assert -1e-9 <= gap < bound
        assert differ < 0.15


def test_icm_on_real_slices(real_scans):
    """Two slices through the lungs; the bounds are a little above the largest that was measured on 61 slices."""
    pytest.importorskip("SimpleITK", reason="reading DICOM needs SimpleITK")
    from wsns.data.lidc.annotations import load_scans
    from wsns.data.lungs.masks import segment
    from wsns.data.source import open_source

    scans = {uid: scan for uid, scan in load_scans().items() if scan.patient == "LIDC-IDRI-0001"}
    (series,) = scans
    volume = open_source(str(real_scans / "LIDC-IDRI-0001"), scans).read(series)
    lungs = segment(volume)
    for k in (45, 90):
        hu, box = volume.hu[k], np.asarray(lung_box(lungs.in_slice(volume.hu[k], k)))
        for means, beta, bound in ((TWO, 0.3, 0.25), (TWO, 1.0, 2.0), (MEANS, 0.3, 4.0), (MEANS, 1.0, 15.0)):
            gap, differ = icm_beside_the_cuts(hu, box, means, beta)
            assert -1e-9 <= gap < bound
            assert differ < 0.05
        own = icm(hu, box, MEANS, 0.3, 8, True).means
        assert (np.diff(own) > 50).all()
        assert icm_beside_the_cuts(hu, box, MEANS, 0.3, True)[0] < 8.0
