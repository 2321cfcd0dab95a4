import dataclasses

import numpy as np
from bound_slices import OPTIONS, SIZE, slices
from discs import disc
from sklearn.cluster import KMeans

from wsns.data.lungs.hull import hull
from wsns.studies.candidate_bound import schemes as schemes_of
from wsns.studies.candidate_bound.schemes import Scheme, hulls_of, labels_of, means_of_slice


def test_means_of_a_slice_are_its_k_means():
    rng = np.random.default_rng(0)
    hu = rng.choice([-850, -500, -50, 3000], size=(SIZE, SIZE)) + rng.normal(0, 90, (SIZE, SIZE))
    start = (-900.0, -400.0, 0.0)
    lungs = disc(30, 30, 20) | disc(44, 40, 9)
    found = means_of_slice(hu, lungs, start)
    box = hu[10:54, 10:51].clip(-1000, 400)
    expected = KMeans(3, init=np.array(start)[:, None], n_init=1, tol=0).fit(box.reshape(-1, 1))
    np.testing.assert_allclose(found, np.sort(expected.cluster_centers_[:, 0]), atol=0.5)


def test_a_phase_without_pixels_is_gone():
    hu = np.where(disc(30, 30, 8), 0, -850)
    np.testing.assert_allclose(means_of_slice(hu, disc(30, 30, 20), (-900.0, -400.0, 10.0)), [-850, 0])


def test_schemes_share_phases_that_are_the_same(monkeypatch):
    made = []
    monkeypatch.setattr(
        schemes_of,
        "compute_labels",
        lambda hu, lungs, options: made.append(options.beta) or np.full(hu.shape, options.beta),
    )
    other = dataclasses.replace(OPTIONS, beta=1.0)
    found = labels_of(
        slices(),
        [
            Scheme("a", OPTIONS),
            Scheme("b", OPTIONS, hull=False),
            Scheme("c", other),
            Scheme("d", dataclasses.replace(other, openings=(0.0,))),
        ],
    )
    assert made == [OPTIONS.beta, 1.0]
    assert [float(labels.max()) for labels in found] == [OPTIONS.beta, OPTIONS.beta, 1.0, 1.0]


def test_phases_of_a_slices_own_means_are_one_slice_at_a_time():
    one = slices()
    own = Scheme("own", OPTIONS, slice_means=True)
    (found,) = labels_of(one, [own])
    for n in range(2):
        means = means_of_slice(one.hu[n], one.lungs[n], OPTIONS.means)
        (alone,) = labels_of(one.take([n]), [Scheme("", dataclasses.replace(OPTIONS, means=means))])
        np.testing.assert_array_equal(found[n], alone[0])


def test_hulls_are_the_schemes_own():
    lungs, wide = slices().lungs[0], dataclasses.replace(OPTIONS, hull_closing=9.0)
    found = hulls_of(lungs, 0.7, [Scheme("a", OPTIONS), Scheme("b", wide), Scheme("c", OPTIONS, hull=False)])
    np.testing.assert_array_equal(found[0], hull(lungs, 0.7, 4.0))
    np.testing.assert_array_equal(found[1], hull(lungs, 0.7, 9.0))
    assert found[2].all()
