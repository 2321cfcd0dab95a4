import phantom
import pytest

from wsns.data.lidc.annotations import load_scans
from wsns.data.lidc.selection import Reading
from wsns.data.records import slice_counts
from wsns.data.records.plan import Options, Plan, choose_scans, make_plan
from wsns.studies.label_counts.measure import tally_all


def _plan(scans, parts, **options):
    return Plan(phantom.PhantomSource(scans), scans, choose_scans(scans, Options(**options)), parts, ())


def test_a_scan_by_hand():
    """Twelve slices with a nodule of 20 leave eight without; one reader's slice is neither."""
    nodule = [[phantom.square(k, 100, 100, 8) for k in range(11)] for _ in range(2)]
    scan = phantom.scan([*nodule, [phantom.square(15, 200, 200, 8)]])
    found = slice_counts.of_plan(_plan({scan.series: scan}, {scan.patient: "test"}), [scan])
    assert found.parts["test"] == slice_counts.Part(patients=1, scans=1, positive=11, negative=8)
    assert found.parts["train"] == found.parts["validation"] == slice_counts.Part(0, 0, 0, 0)
    assert (found.whole_scans, found.whole_slices) == (1, 19)


def test_records_by_hand():
    facts = {"source": "x", "slices": {"train": {"positive": 3, "negative": 2}, "test": {"positive": 1}}}
    rows = [
        {"split": "test", "slices": "100", "too_many": "2"},
        {"split": "test", "slices": "102", "too_many": "0"},
        {"split": "train", "slices": "50", "too_many": "0"},
    ]
    found = slice_counts.of_records(facts, {"a": "test", "b": "train", "c": "train"}, rows, most=1)
    assert found.parts["train"] == slice_counts.Part(2, 1, 3, 2)
    assert found.parts["test"] == slice_counts.Part(1, 2, 1, 0)
    assert (found.whole_scans, found.whole_slices) == (1, 100)
    assert slice_counts.of_records(facts, {}, [], most=5).whole_slices == 0


def _of_tallies(scans, reading):
    """The accounting's way to the same figures."""
    made = {uid: tally_all(scan, [reading])[0] for uid, scan in scans.items()}
    positive = {uid: tally.positive - tally.too_many for uid, tally in made.items()}
    return sum(positive.values()), sum(min(positive[uid], made[uid].free) for uid in made)


@pytest.mark.parametrize("fields", [{}, {"agreement": 3}, {"contour": "inside", "single_contours": False}])
def test_counts_are_those_of_the_accounting(fields):
    scans = {uid: scan for n, (uid, scan) in enumerate(load_scans().items()) if n % 25 == 0}
    parts = {scan.patient: ("train", "validation", "test")[n % 3] for n, scan in enumerate(scans.values())}
    found = slice_counts.of_plan(_plan(scans, parts, **fields), [])
    own = found.parts.values()
    assert (sum(p.positive for p in own), sum(p.negative for p in own)) == _of_tallies(
        scans, Reading(**fields)
    )
    assert sum(part.scans for part in own) == len(scans)


@pytest.mark.slow
def test_the_archive_as_the_default_reading_has_it():
    made = make_plan(Options(), lambda items, _: items, every=True)
    parts = slice_counts.of_plan(made, []).parts
    # 10,328 slices show a nodule, 29 of them more than two; see the accounting's golden figures.
    assert sum(part.positive for part in parts.values()) == 10_328 - 29
    assert sum(part.negative for part in parts.values()) == 10_328 - 29
    assert sum(part.scans for part in parts.values()) == 1018
    assert sum(part.patients for part in parts.values()) == 1010
    assert parts["train"].positive == pytest.approx(4 * parts["test"].positive, rel=0.1)
