import csv
import json

import phantom
import pytest
from matplotlib import image

from configs import twin_check as config
from wsns import dispatch
from wsns.data.lidc.annotations import cluster, load_scans
from wsns.data.records import plan as planning
from wsns.data.records.plan import options
from wsns.errors import InputError
from wsns.studies.twin_realism import figures, task
from wsns.studies.twin_realism import statistics as likeness
from wsns.studies.twin_realism import text as likeness_text
from wsns.studies.twin_realism.crops import FEATURES

REAL = ("LIDC-IDRI-0001", "LIDC-IDRI-0003")
LIKE = 8
"""Other patients' scans that the fake database holds."""


@pytest.fixture(scope="module")
def database():
    """The scans of two patients, and of a few others with pixels between theirs in size."""
    scans = load_scans()
    real = {uid: scan for uid, scan in scans.items() if scan.patient in REAL}
    low, high = sorted(scan.spacing for scan in real.values())
    others = {
        uid: scan
        for uid, scan in scans.items()
        if low < scan.spacing < high and scan.thickness == 2.5 and len(scan.z) < 120 and scan.annotations
    }
    return real | dict(list(others.items())[:LIKE])


class Painted(phantom.PhantomSource):
    """The phantom with what all of a nodule's readers drew at 0 HU."""

    def read(self, series):
        volume = super().read(series)
        for group in cluster(self.scans[series]):
            place = tuple(slice(o, o + n) for o, n in zip(group.origin, group.masks.shape[1:], strict=True))
            volume.hu[place][group.masks.any(axis=0)] = 0
        return volume


class Brighter(Painted):
    """The same chest, denser all over."""

    def read(self, series):
        volume = super().read(series)
        volume.hu[volume.hu > -950] += 60
        return volume


def own_config():
    made = config.get_config()
    made.data.manual_dir, made.data.workers = "real", 1
    made.check.twins, made.check.slices, made.check.crops, made.check.draws = 2, 4, 20, 50
    return made


@pytest.fixture(scope="module")
def finished(database, tmp_path_factory):
    """The folder of a check of phantoms."""
    real = {uid: scan for uid, scan in database.items() if scan.patient in REAL}
    workdir = tmp_path_factory.mktemp("twin_check")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(planning, "load_scans", lambda: database)
        patched.setattr(task, "load_scans", lambda: database)
        patched.setattr(planning, "open_source", lambda *_, **__: Painted(real))
        patched.setattr(task, "open_source", lambda _, scans, **__: Brighter(dict(scans)))
        dispatch.run(own_config(), workdir)
    return workdir


def test_the_table_has_every_scan_and_finds_the_difference(finished):
    rows = list(csv.DictReader((finished / "twin_check.csv").read_text().splitlines()))
    assert list(rows[0]) == ["statistic", "twin", "lowest", "highest", *REAL, "real"]
    by_name = {row["statistic"]: row for row in rows}
    median = by_name["lung, 50 % (HU)"]
    assert float(median["twin"]) - float(median["real"]) == pytest.approx(60, abs=1)
    assert float(by_name["noise, SD (HU)"]["real"]) == pytest.approx(12, rel=0.05)
    assert int(float(by_name["nodule outlines"]["real"])) == sum(
        int(float(by_name["nodule outlines"][patient])) for patient in REAL
    )
    text = (finished / "twin_check.txt").read_text()
    assert all(row["statistic"] in text for row in rows)


def test_the_verdict_is_in_json_and_names_the_feature(finished):
    found = json.loads((finished / "twin_check.json").read_text())
    assert {"auc", "auc_low", "auc_high", "auc_known", "auc_known_itself", "scans", "features"} <= set(found)
    assert found["auc"] > 0.95
    assert list(found["scans"]) == list(REAL)
    assert sorted(feature["name"] for feature in found["features"]) == sorted(FEATURES)
    assert found["features"][0]["real"] < found["features"][0]["twin"]
    assert "NaN" not in (finished / "twin_check.json").read_text()


def test_the_page_holds_all_pictures(finished):
    page = (finished / "twin_check.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert all(caption in page.replace("&#x27;", "'") for caption in ("Real nodules", "Lung drawn at random"))
    for name in ("crops", "nodules", "statistics"):
        assert image.imread(finished / f"{name}.png").shape[1] == 1650


def test_the_twin_has_no_patient_of_the_real_scans_and_their_geometry(database, monkeypatch):
    monkeypatch.setattr(task, "load_scans", lambda: database)
    real = [scan for scan in database.values() if scan.patient in REAL]
    choice = options(own_config().data)
    chosen = task.twins(real, choice, 5)
    assert len(chosen) == 5
    assert not {scan.patient for scan in chosen.values()} & set(REAL)
    low, high = sorted(scan.spacing for scan in real)
    assert all(low <= scan.spacing <= high and scan.thickness == 2.5 for scan in chosen.values())
    assert list(task.twins(real, choice, 5)) == list(chosen)


def test_too_few_scans_of_like_geometry_are_one_line(database, monkeypatch):
    real = [scan for scan in database.values() if scan.patient in REAL]
    monkeypatch.setattr(task, "load_scans", lambda: {scan.series: scan for scan in real})
    with pytest.raises(InputError, match="0 scans of other patients"):
        task.twins(real, options(own_config().data), 5)


def test_one_real_scan_is_too_few(database, monkeypatch, tmp_path):
    one = {uid: scan for uid, scan in database.items() if scan.patient == REAL[0]}
    monkeypatch.setattr(planning, "load_scans", lambda: database)
    monkeypatch.setattr(planning, "open_source", lambda *_, **__: Painted(one))
    with pytest.raises(InputError, match="two at least"):
        dispatch.run(own_config(), tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("data.manual_dir", "", r"config\.data\.manual_dir is empty"),
        ("check.twins", 1, r"config\.check\.twins is 1: at least 2"),
        ("check.slices", 1, r"config\.check\.slices is 1: at least 2"),
        ("check.crops", 0, r"config\.check\.crops is 0: at least 2"),
        ("check.draws", -1, r"config\.check\.draws is -1: at least 0"),
    ],
)
def test_bad_fields_are_one_line(field, value, words, tmp_path):
    made = own_config()
    section, name = field.split(".")
    made[section][name] = value
    with pytest.raises(InputError, match=words) as caught:
        dispatch.run(made, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nodules_are_matched_by_radius_once_each():
    def nodules(*radii):
        return [figures.NoduleCrop(None, None, radius, 0.7, "p") for radius in radii]

    pairs = figures.matched(nodules(9, 3, 3.1, 2), nodules(2.9, 3.3, 30))
    radii = [(real.radius, twin and twin.radius) for real, twin in pairs]
    assert sorted(twin for _, twin in radii if twin) == [2.9, 3.3]
    assert [real for real, _ in radii] == [2, 3, 3.1, 9]
    assert dict(radii)[9] is None
    assert [twin for _, twin in figures.matched(nodules(3), [])] == [None]
    assert figures.matched([], nodules(3)) == []


def test_letters_have_three_digits_or_so():
    values = (-881.4, 3.0, 35.26, 0.123, -0.04, float("nan"))
    assert [likeness_text.letters(value) for value in values] == ["−881", "3", "35.3", "0.12", "−0.04", "–"]


@pytest.mark.slow
def test_real_scans_have_what_the_twin_is_made_after(real_scans, tmp_path):
    made = config.get_config()
    made.data.manual_dir = str(real_scans)
    made.check.twins = 2
    dispatch.run(made, tmp_path)
    rows = csv.DictReader((tmp_path / "twin_check.csv").read_text().splitlines())
    found = {row["statistic"]: row for row in rows}
    for patient, sd, number, large in (
        ("LIDC-IDRI-0001", 22, 44, 1.8),
        ("LIDC-IDRI-0003", 18, 64, 2.9),
        ("LIDC-IDRI-0181", 36, 143, 3.6),
    ):
        assert float(found["noise, SD (HU)"][patient]) == pytest.approx(sd, rel=0.2)
        assert float(found["sections per slice"][patient]) == pytest.approx(number, rel=0.2)
        assert float(found["round sections > 2 mm per slice"][patient]) == pytest.approx(large, rel=0.3)
    assert likeness.RADII_MM[0] == 2
