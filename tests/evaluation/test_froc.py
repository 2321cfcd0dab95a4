import itertools

import numpy as np
import pytest

from wsns.evaluation.froc import RATES, Scan, froc
from wsns.evaluation.scan_marks import Mark, find_marks
from wsns.segmentation.nodules import Nodules


def mark(score, *hits):
    return Mark(score, 0.0, 1, 10.0, hits)


HAND = [
    Scan("a", (1, 2), [mark(0.9, 1), mark(0.8), mark(0.6, 1, 2)]),
    Scan("b", (), [mark(0.7)]),
    Scan("c", (1,), []),
    Scan("d", (3,), [mark(0.6, 3), mark(0.5)]),
]


def test_three_of_four_nodules_by_hand():
    found = froc(HAND, draws=0, seed=0)
    assert (found.scans, found.nodules) == (4, 4)
    np.testing.assert_allclose(found.curve[0] * 4, [0, 0, 1, 2, 2, 3])
    np.testing.assert_allclose(found.curve[1] * 4, [0, 1, 1, 1, 3, 3])
    assert [at.value for at in found.sensitivity] == [0.25, 0.25, 0.75, 0.75, 0.75, 0.75, 0.75]
    assert found.mean.value == pytest.approx((2 * 0.25 + 5 * 0.75) / 7)


def random_scans(seed, patients=6):
    rng = np.random.default_rng(seed)
    scans = []
    for n in range(12):
        nodules = tuple(range(1, 1 + rng.integers(0, 4)))
        marks = []
        for _ in range(rng.integers(0, 8)):
            hits = [k for k in nodules if rng.random() < 0.3]
            marks.append(mark(float(rng.integers(0, 12)) / 12, *hits))
        scans.append(Scan(f"P{n % patients}", nodules, marks))
    return scans


@pytest.mark.parametrize("seed", range(5))
def test_every_threshold_counts_as_counted_one_by_one(seed):
    scans = random_scans(seed)
    found = froc(scans, draws=50, seed=0)
    scores = sorted({m.score for scan in scans for m in scan.marks}, reverse=True)
    total = sum(len(scan.nodules) for scan in scans)
    points = [(0.0, 0.0)]
    for threshold in scores:
        kept = [[m for m in scan.marks if m.score >= threshold] for scan in scans]
        hit = sum(len({k for m in own for k in m.hits}) for own in kept)
        points.append((sum(not m.hits for own in kept for m in own) / len(scans), hit / total))
    # Thresholds at which nothing changes are left out.
    changes = [points[0], *(b for a, b in itertools.pairwise(points) if a != b)]
    curve = found.curve.T[np.append(True, (np.diff(found.curve, axis=1) != 0).any(axis=0))]
    np.testing.assert_allclose(curve, changes)
    for rate, at in zip(RATES, found.sensitivity, strict=True):
        assert at.value == pytest.approx(max(s for f, s in points if f <= rate))
        assert at.low <= at.value <= at.high


def test_without_marks_or_without_nodules():
    assert [at.value for at in froc([Scan("a", (1,), [])], draws=9, seed=0).sensitivity] == [0] * 7
    nobody = froc([Scan("a", (), [mark(0.5)]), Scan("b", (), [])], draws=9, seed=0)
    assert all(np.isnan(at.value) for at in nobody.sensitivity)
    assert np.isnan(nobody.mean.value)


def test_marks_are_nodules_set_beside_those_of_the_readers():
    labels, nodules = np.zeros((6, 8, 8), np.uint16), np.zeros((6, 8, 8), int)
    labels[0, 1:3, 1:3] = labels[1, 3, 3] = 1
    labels[1:5, 6, 6] = 2
    nodules[0, 0:2, 0:2], nodules[1, 3, 3], nodules[5, 0, 0] = 4, 7, 9
    found = Nodules(labels, ({"probability": 0.8, "maps": 5.0}, {"probability": 0.9, "maps": -1.0}))
    z = np.arange(6) * 2.5
    assert find_marks(found, "maps", nodules, z, 0.5) == [
        Mark(5.0, 0.0, 2, 1.25, (4, 7), {"probability": 0.8, "maps": 5.0}),
        Mark(-1.0, 2.5, 4, 1.0, (), {"probability": 0.9, "maps": -1.0}),
    ]
    assert [mark.score for mark in find_marks(found, "probability", nodules, z, 0.5)] == [0.8, 0.9]
    assert not find_marks(Nodules(labels * 0, ()), "maps", nodules, z, 0.5)


def test_intervals_draw_nodules_and_false_marks_within_patients():
    # All patients alike: without the second stage no draw would differ.
    scans = [Scan(f"P{n}", (1, 2), [mark(0.9, 1), mark(0.8), mark(0.7, 2), mark(0.6)]) for n in range(6)]
    found = froc(scans, draws=400, seed=1)
    at_one = found.sensitivity[RATES.index(0.5)]
    assert at_one.value == 0.5
    assert at_one.low < 0.4
    assert found.drawn.patients == 6
    assert np.isnan(froc(scans[:3], draws=400, seed=1).mean.low)
