import dataclasses
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest
from method_cases import NETWORKS, OPTIONS, PARAMS, SIZE, brightness, screener, segment, slices

from wsns.errors import InputError
from wsns.runtime.background import ahead
from wsns.segmentation.pipeline import Slices, segment_slices


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_the_nodule_is_found_in_every_variant():
    hu, lungs, spacing, truth = slices([(25, 30, 4)], [(40, 20, 5)], [(30, 45, 3)])
    results = segment(hu, lungs, spacing, np.ones(3, int))
    assert len(results) == 3
    for result, wanted in zip(results, truth, strict=True):
        assert not result.whole_lung
        assert result.cut == 0
        assert sorted(result.nams) == sorted(result.regions) == [1, 2, 3]
        for gaps in (1, 2, 3):
            (region,) = result.regions[gaps]
            assert not (region.scope & ~region.first).any()
            assert dice(result.fine(gaps), wanted) > 0.7
            assert not (result.fine(gaps) & ~result.coarse(gaps)).any()
            np.testing.assert_array_equal(result.coarse(gaps), region.candidates.any(axis=0))


def test_screening_picks_the_object_whose_removal_changes_most():
    hu, lungs, spacing, _ = slices([(30, 24, 4), (30, 36, 2)])
    wide = {1: (brightness(21), {**PARAMS, "low": jnp.float32(-870.0)})}
    options = dataclasses.replace(OPTIONS, tau=0.1, sigma=3.0)
    (result,) = segment(hu, lungs, spacing, np.ones(1, int), wide, options)
    assert result.coarse(1)[30, 24]
    assert result.coarse(1)[30, 36]
    assert result.fine(1)[30, 24]
    assert not result.fine(1)[30, 36]


def test_two_nodules_are_screened_one_by_one():
    hu, lungs, spacing, truth = slices([(22, 22, 5), (44, 42, 4.6)])
    one, two = (segment(hu, lungs, spacing, np.array([count]))[0] for count in (1, 2))
    for gaps in (1, 2, 3):
        assert len(two.regions[gaps]) == 2
        assert dice(two.fine(gaps), truth[0]) > 0.7
        assert one.fine(gaps)[22, 22] != one.fine(gaps)[44, 42]


def test_batches_do_not_change_the_result():
    hu, lungs, spacing, _ = slices(
        [(25, 30, 4)], [(40, 20, 5), (20, 40, 4)], [(30, 45, 3)], [], [(30, 30, 6)]
    )
    counts = np.array([1, 2, 1, 1, 1])
    together = segment(hu, lungs, spacing, counts)
    larger = segment(hu, lungs, spacing, counts, options=dataclasses.replace(OPTIONS, batch=32))
    for n, result in enumerate(together):
        (alone,) = segment(hu[n : n + 1], lungs[n : n + 1], spacing[:1], counts[n : n + 1])
        for other in (alone, larger[n]):
            for gaps in (1, 2, 3):
                np.testing.assert_array_equal(result.fine(gaps), other.fine(gaps))
                for a, b in zip(result.regions[gaps], other.regions[gaps], strict=True):
                    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-4)


def test_a_score_does_not_depend_on_the_variant_that_asks_for_it():
    hu, lungs, spacing, _ = slices([(25, 30, 4)])
    (result,) = segment(hu, lungs, spacing, np.ones(1, int))
    first = result.regions[1][0]
    known = {mask.tobytes(): score for mask, score in zip(first.candidates, first.scores, strict=True)}
    shared = 0
    for gaps in (2, 3):
        region = result.regions[gaps][0]
        for mask, score in zip(region.candidates, region.scores, strict=True):
            shared += mask.tobytes() in known
            assert known.get(mask.tobytes(), score) == score
    assert shared


def test_a_map_that_is_nowhere_positive_looks_in_the_whole_lung():
    hu, lungs, spacing, _ = slices([(25, 30, 4)])
    never = {1: (brightness(15), {**PARAMS, "low": jnp.float32(3000.0)}), 2: NETWORKS[2]}
    (result,) = segment(hu, lungs, spacing, np.array([2]), never)
    assert result.whole_lung
    np.testing.assert_array_equal(result.regions[1][0].scope, result.hull)
    assert result.fine(1)[25, 30]


def test_without_candidate_or_lung_the_masks_are_empty():
    hu, lungs, spacing, _ = slices([], [(25, 30, 4)])
    lungs = lungs * np.array([1, 0], np.uint8)[:, None, None]
    for result in segment(hu, lungs, spacing, np.ones(2, int)):
        for gaps in (1, 2, 3):
            assert all(region.chosen is None for region in result.regions[gaps])
            assert not result.coarse(gaps).any()
            assert not result.fine(gaps).any()


def test_too_many_candidates_are_cut_and_counted():
    hu, lungs, spacing, _ = slices([(25, 30, 5)])
    few = dataclasses.replace(OPTIONS, max_candidates=1)
    many, cut = (segment(hu, lungs, spacing, np.ones(1, int), options=o)[0] for o in (OPTIONS, few))
    assert all(len(region.candidates) == 1 for regions in cut.regions.values() for region in regions)
    kept = sum(len(region.candidates) - 1 for regions in many.regions.values() for region in regions)
    assert cut.cut == kept > 0


def test_no_slices_give_no_results():
    hu, lungs, spacing, _ = slices([(25, 30, 4)])
    assert segment(hu[:0], lungs[:0], spacing[:0], np.ones(0, int)) == []


def test_bad_input_is_refused_at_once():
    hu, lungs, spacing, _ = slices([(25, 30, 4)])
    with pytest.raises(InputError, match="1-GAP"):
        segment(hu, lungs, spacing, np.ones(1, int), {2: NETWORKS[2]})
    with pytest.raises(InputError, match="counts"):
        segment(hu, lungs, spacing, np.zeros(1, int))


def test_a_slice_that_is_not_detected_is_not_searched():
    hu, lungs, spacing, truth = slices([(25, 30, 4)], [], [(30, 45, 3)])
    found = segment(hu, lungs, spacing, np.ones(3, int), options=dataclasses.replace(OPTIONS, detect=0.5))
    assert [result.detected for result in found] == [True, False, True]
    assert found[1].probabilities[1] < 1e-6
    assert found[1].regions == {}
    assert not found[1].coarse(1).any()
    assert not found[1].fine(3).any()
    assert dice(found[2].fine(1), truth[2]) > 0.7
    np.testing.assert_allclose(found[1].nams[2], NETWORKS[2][0](PARAMS, np.where(lungs, hu, -870)).nam[1])
    assert all(result.detected for result in segment(hu, lungs, spacing, np.ones(3, int)))


def test_threads_do_not_change_the_result():
    hu, lungs, spacing, _ = slices([(25, 30, 4)], [(40, 20, 5)], [(30, 45, 3)], [], [(30, 30, 6)])
    options = dataclasses.replace(OPTIONS, batch=2)
    alone = segment(hu, lungs, spacing, np.ones(5, int), options=options)
    with ThreadPoolExecutor(3) as threads:
        together = segment(
            hu, lungs, spacing, np.ones(5, int), options=options, ahead=ahead, each=threads.map
        )
    for a, b in zip(alone, together, strict=True):
        for gaps in (1, 2, 3):
            np.testing.assert_array_equal(a.fine(gaps), b.fine(gaps))
            np.testing.assert_array_equal(a.coarse(gaps), b.coarse(gaps))


def test_two_phases_and_estimated_means_are_options():
    hu, lungs, spacing, truth = slices([(25, 30, 4)])
    for change in ({"means": (-870.0, -100.0)}, {"reestimate": True}):
        (result,) = segment(
            hu, lungs, spacing, np.ones(1, int), options=dataclasses.replace(OPTIONS, **change)
        )
        assert dice(result.fine(1), truth[0]) > 0.7
        assert set(np.unique(result.labels)) <= set(range(len(change.get("means", OPTIONS.means))))


def test_networks_see_the_slices_beside_and_all_else_the_slice_alone():
    hu, lungs, spacing, truth = slices([(25, 30, 4)], [(40, 20, 5)], [(30, 45, 3)])
    hu = np.where(lungs > 0, hu, -870)
    beside = np.stack([hu - 1000, hu + 300], axis=1)
    shapes = []

    def middle(read):
        def seen(params, three):
            shapes.append(three.shape)
            return read(params, three[:, 1])

        return seen

    three = {gaps: (middle(read), params) for gaps, (read, params) in NETWORKS.items()}
    counts = np.ones(3, int)
    given = Slices(hu, lungs, spacing, counts, beside)
    np.testing.assert_array_equal(given.take([2]).seen, np.stack([hu - 1000, hu, hu + 300], axis=1)[2:])
    found = list(segment_slices(given, three, screener(three), OPTIONS))
    assert {shape[1:] for shape in shapes} == {(3, SIZE, SIZE)}
    for a, b, wanted in zip(found, segment(hu, lungs, spacing, counts), truth, strict=True):
        assert dice(a.fine(1), wanted) > 0.7
        for gaps in (1, 2, 3):
            np.testing.assert_array_equal(a.fine(gaps), b.fine(gaps))
            for one, other in zip(a.regions[gaps], b.regions[gaps], strict=True):
                np.testing.assert_array_equal(one.scores, other.scores)


def test_candidates_without_phases_are_an_option():
    hu, lungs, spacing, truth = slices([(25, 30, 4)])
    (result,) = segment(
        hu, lungs, spacing, np.ones(1, int), options=dataclasses.replace(OPTIONS, candidates="full")
    )
    assert not result.labels.any()
    assert dice(result.fine(1), truth[0]) > 0.7
    (phases,) = segment(hu, lungs, spacing, np.ones(1, int))
    assert len(result.regions[1][0].candidates) != len(phases.regions[1][0].candidates)
