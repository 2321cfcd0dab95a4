import csv
import json

import numpy as np
import phantom
import pytest

from configs import accounting as config_file
from configs import table1
from wsns import dispatch
from wsns.data.lidc.annotations import Annotation, Contour, Scan, cluster, load_scans
from wsns.data.lidc.selection import Reading
from wsns.errors import InputError
from wsns.studies.label_counts import measure, task

GROUPS = ("one", "two", "more", "apart", "few", "empty", "dropped", "free")
READINGS = (
    Reading(),
    Reading(contour="inside", single_contours=False),
    Reading(agreement=1, agreement_share=0.5, min_readers=3),
    Reading(agreement=1, max_nodules=1),
)


def _nodule(slices, i, j, readers=2):
    return [[phantom.square(k, i, j + n % 2, 8) for k in slices] for n in range(readers)]


@pytest.fixture
def every_case():
    """Twenty slices in which each group of a tally occurs; the masks of a pair share 7 × 6 pixels."""
    drawn = [
        *_nodule([2, 3, 4, 5], 100, 100),
        *_nodule([4, 5], 100, 200),
        *_nodule([5, 6], 100, 300),
        *_nodule([8, 9], 300, 300, readers=1),
        [phantom.square(11, 100, 100, 5)],
        [phantom.square(11, 100, 105, 5)],
        [Contour(13, True, np.array([[50, 50]]))],
    ]
    return phantom.scan(drawn)


def _tally(scan, **fields):
    reading = Reading(**fields)
    return measure.tally(scan, cluster(scan, reading.drawing()), reading)


def test_every_slice_stands_in_its_group(every_case):
    made = _tally(every_case)
    assert {name: getattr(made, name) for name in GROUPS} == {
        "one": 3, "two": 1, "more": 1, "apart": 1, "few": 2, "empty": 1, "dropped": 0, "free": 11,
    }  # fmt: skip
    assert made.slices == 20
    assert made.positive == 5
    assert made.too_many == 1
    assert made.voxels == 8 * 7 * 6
    assert (made.nodules, made.nodules_large) == (6, 0)
    assert (made.annotations, made.annotations_empty, made.annotations_dropped) == (10, 1, 0)


def test_what_a_reading_drops_is_told_from_what_is_free(every_case):
    made = _tally(every_case, contour="inside", single_contours=False)
    # Slices 11 and 13 hold annotations of a single contour only.
    assert (made.dropped, made.apart, made.empty, made.free) == (2, 0, 0, 11)
    assert (made.annotations, made.annotations_dropped) == (7, 3)
    assert made.voxels == 8 * 9 * 8
    made = _tally(every_case, agreement=1, min_readers=2)
    # Nodules of one reader: slices 8, 9, 13.
    assert (made.dropped, made.nodules, made.annotations_dropped) == (3, 4, 0)
    assert made.one == 4


def test_slices_with_more_nodules_than_allowed(every_case):
    assert [_tally(every_case, max_nodules=n).too_many for n in (1, 2, 3)] == [2, 1, 0]
    assert _tally(every_case, max_nodules=1).positive == 5


def test_groups_of_more_than_four():
    assert _tally(phantom.scan(_nodule([4, 5], 50, 50, readers=6))).nodules_large == 1


def test_scan_without_annotations_and_no_scan_at_all():
    made = _tally(phantom.scan([]))
    assert made.free == made.slices == 20
    assert made.positive == made.voxels == made.nodules == 0
    assert measure.total([]).slices == 0
    assert measure.summarise([], {})["voxels_per_slice"] == 0


def test_total_adds_up(every_case):
    one = _tally(every_case)
    both = measure.total([one, _tally(phantom.scan(_nodule([1], 9, 9))), one])
    assert both.positive == 11
    assert both.slices == 60
    assert both.voxels == 17 * 7 * 6


@pytest.fixture(scope="module")
def sample():
    return list(load_scans().values())[::17]


def test_real_annotations_against_whole_planes(sample):
    """Another way to the same figures: all masks painted into planes of the whole slice."""
    for scan in sample[::8]:
        for reading, made in zip(READINGS, measure.tally_all(scan, READINGS)):
            assert sum(getattr(made, name) for name in GROUPS) == made.slices == len(scan.z)
            shared = np.zeros(len(scan.z), int)
            nodules = np.zeros(len(scan.z), int)
            for group in cluster(scan, reading.drawing()):
                (k, i, j), (depth, height, width) = group.origin, group.masks.shape[1:]
                planes = np.zeros((depth, 512, 512), np.uint8)
                for mask in group.masks:
                    planes[:, i : i + height, j : j + width] += mask
                if len(group.masks) >= reading.min_readers:
                    pixels = (planes >= reading.needed(len(group.masks))).sum(axis=(1, 2))
                    shared[k : k + depth] += pixels
                    nodules[k : k + depth] += pixels > 0
            assert made.voxels == shared.sum()
            assert [made.one, made.two, made.more] == [
                (nodules == 1).sum(), (nodules == 2).sum(), (nodules > 2).sum(),
            ]  # fmt: skip
            assert made.too_many == (nodules > reading.max_nodules).sum()


def test_golden_figures_of_sixty_scans(sample):
    made = measure.total(measure.tally(scan, cluster(scan), Reading()) for scan in sample)
    assert (made.nodules, made.positive, made.two, made.more) == (168, 657, 39, 0)
    assert (made.slices, made.voxels) == (14_245, 114_213)


def test_patients_and_scans_are_counted():
    with_one = phantom.scan(_nodule([4], 50, 50), series="1")
    again = phantom.scan(_nodule([4], 50, 50, readers=1), series="2")
    other = Scan("3", "", "LIDC-IDRI-0002", 0.7, 2.5, np.arange(5.0), ())
    scans = [with_one, again, other]
    figures = measure.summarise(scans, {scan.series: _tally(scan) for scan in scans})
    assert (figures["scans"], figures["patients"]) == (3, 2)
    assert (figures["scans_without_annotation"], figures["scans_without_positive"]) == (1, 2)
    assert (figures["positive"], figures["voxels_per_slice"], figures["slices_used"]) == (1, 42, 2)
    assert measure.describe(scans) == {
        "scans": 3, "patients": 2, "patients_with_several_scans": 1, "slices": 45, "annotations": 3, "contours": 3,
    }  # fmt: skip


@pytest.fixture
def small_database(monkeypatch, every_case):
    """Two patients, one of them with two scans, in place of the whole database."""
    thick = Scan("2", "", "LIDC-IDRI-0002", 0.7, 5.0, np.arange(9.0), ())
    first = Scan("1", "", "LIDC-IDRI-0001", 0.7, 2.5, np.arange(9.0), (_annotation(),))
    scans = {scan.series: scan for scan in (first, every_case, thick)}
    monkeypatch.setattr(task, "load_scans", lambda: scans)
    return scans


def _annotation():
    return Annotation(99, 5, 5, 3, (phantom.square(4, 50, 50, 6),))


def _config(**data):
    config = config_file.get_config()
    config.data.workers = 1
    config.data.update(data)
    return config


def test_files_and_page_of_the_task(small_database, tmp_path, capsys):
    dispatch.run(_config(), tmp_path)
    page = (tmp_path / "accounting.txt").read_text()
    assert capsys.readouterr().out == page
    table = page.split("\n\n")[1].splitlines()
    assert {len(line) for line in table} == {len(table[0])}
    assert 80 <= len(table[0]) <= 120
    assert all(len(line) <= len(table[0]) for line in page.splitlines())
    assert "1,658,981" in table[-2]
    assert "8,345" in table[-2]
    rows = list(csv.DictReader((tmp_path / "accounting.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [name for name, _ in config_file.READINGS]
    by_name = {row["name"]: row for row in rows}
    assert by_name["two readers overlap (default)"]["positive"] == "5"
    assert by_name["any reader"]["positive"] == "9"
    # The last scan in order of series UID stays of the patient with two.
    assert by_name["authors' script, one scan per patient"]["scans"] == "2"
    assert by_name["authors' script, one scan per patient"]["positive"] == "5"
    assert by_name["authors' script, slices up to 2.5 mm"]["scans"] == "2"
    content = json.loads((tmp_path / "accounting.json").read_text())
    assert content["own"] == "two readers overlap (default)"
    assert content["database"]["slices"] == 38
    assert [row["name"] for row in content["readings"]] == list(by_name)
    assert content["paper"]["voxels"] == 1_658_981


def test_reading_of_the_config_comes_first(small_database, tmp_path):
    dispatch.run(_config(agreement=1, min_readers=2, max_nodules=1, exclude="LIDC-IDRI-0002"), tmp_path)
    content = json.loads((tmp_path / "accounting.json").read_text())
    own = content["readings"][0]
    assert content["own"] == own["name"] == "this config"
    assert (own["scans"], own["positive"], own["too_many"], own["dropped"]) == (2, 6, 2, 4)
    page = (tmp_path / "accounting.txt").read_text()
    assert "Every slice, by the reading “this config”" in page
    assert "2 with more than 1 nodules" in page
    assert "1 not taken by this reading" in page
    # The other rows are what their names say, whatever the config.
    assert content["readings"][1]["positive"] == 5


def test_listed_reading_of_the_config_is_not_repeated(small_database, tmp_path):
    dispatch.run(_config(agreement=3), tmp_path)
    content = json.loads((tmp_path / "accounting.json").read_text())
    assert content["own"] == "three readers overlap"
    assert len(content["readings"]) == len(config_file.READINGS)


def test_any_config_can_be_accounted_for(small_database, tmp_path):
    config = table1.get_config()
    config.task, config.data.workers = "accounting", 1
    dispatch.run(config, tmp_path)
    assert len(json.loads((tmp_path / "accounting.json").read_text())["readings"]) == 1


def test_processes_give_what_one_gives(small_database, tmp_path):
    for workers in (1, 2):
        dispatch.run(_config(workers=workers), tmp_path / str(workers))
    pages = [(tmp_path / str(workers) / "accounting.json").read_text() for workers in (1, 2)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("readings", "data", "message"),
    [
        ((("mine", {"agreemnt": 3}),), {}, "'mine' sets 'agreemnt'"),
        ((("mine", {}), ("mine", {"agreement": 3})), {}, "'mine' is taken"),
        ((("this config", {"agreement": 3}),), {}, "'this config' is taken"),
        ((("mine", {"contour": "beside"}),), {}, "contour is 'beside'"),
        ((("mine", {"agreement": 0}),), {}, "agreement is 0"),
        ((), {"max_scans": 3}, "config.data.max_scans is 3"),
        ((), {"agreement_share": 1.5}, "agreement_share is 1.5"),
    ],
)
def test_bad_readings(small_database, tmp_path, readings, data, message):
    config = _config(**data)
    config.accounting.readings = readings
    with pytest.raises(InputError, match=message) as error:
        dispatch.run(config, tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "accounting.txt").exists()


@pytest.mark.slow
def test_golden_figures_of_the_whole_database(tmp_path):
    config = config_file.get_config()
    dispatch.run(config, tmp_path)
    content = json.loads((tmp_path / "accounting.json").read_text())
    assert content["database"] == {
        "scans": 1018, "patients": 1010, "patients_with_several_scans": 8, "slices": 243_945, "annotations": 6859,
        "contours": 41_406,
    }  # fmt: skip
    rows = {row["name"]: row for row in content["readings"]}
    figures = {
        name: tuple(row[key] for key in ("scans", "nodules", "positive", "two", "more", "voxels"))
        for name, row in rows.items()
    }
    assert figures == {
        "two readers overlap (default)": (1018, 2651, 10_328, 487, 29, 1_617_506),
        "authors' script": (1018, 2581, 10_318, 487, 28, 2_070_040),
        "authors' script, one scan per patient": (1010, 2559, 10_244, 487, 28, 2_053_471),
        "authors' script, three readers overlap": (1018, 2581, 7712, 274, 12, 1_445_323),
        "authors' script, slices up to 2.5 mm": (897, 2240, 9373, 448, 28, 1_822_098),
        "three readers overlap": (1018, 2651, 7718, 278, 13, 1_120_676),
        "four readers overlap": (1018, 2651, 5077, 138, 2, 692_971),
        "half of them, of at least two": (1018, 1880, 10_736, 526, 35, 1_732_788),
        "half of them, of at least three": (1018, 1392, 8472, 333, 16, 1_402_802),
        "any reader": (1018, 2651, 14_582, 959, 96, 2_510_868),
    }
    default = rows["two readers overlap (default)"]
    assert {name: default[name] for name in GROUPS} == {
        "one": 9812, "two": 487, "more": 29, "apart": 9, "few": 4245, "empty": 45, "dropped": 0, "free": 229_318,
    }  # fmt: skip
    assert (default["nodules_large"], default["scans_without_annotation"], default["scans_without_positive"]) == (
        14, 135, 216,
    )  # fmt: skip
