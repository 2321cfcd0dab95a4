import csv
import dataclasses

import phantom
import pytest

from configs import bound as config
from wsns.data.lidc.annotations import cluster, load_scans
from wsns.data.records import plan as planning
from wsns.errors import InputError
from wsns.runtime.steps import Stamps
from wsns.segmentation.options import Options
from wsns.studies.candidate_bound.schemes import Scheme
from wsns.studies.candidate_bound.table import READERS
from wsns.studies.candidate_bound.task import bound, check, named_schemes
from wsns.tasks import preparation


@pytest.mark.parametrize(
    ("schemes", "words"),
    [
        ((("a", {"betta": 1.0}),), "'betta'"),
        ((("a", {"beta": -1.0}),), "beta=-1.0"),
        ((("a", {"candidates": "most"}),), r"candidates=.most.*phases, full"),
        ((("a", {}), ("a", {"beta": 1.0})), "taken already"),
        (((READERS, {}),), "taken already"),
        ((), "empty"),
    ],
)
def test_bad_schemes_are_one_line(schemes, words):
    own = config.get_config()
    own.bound.schemes = schemes
    with pytest.raises(InputError, match=words) as caught:
        check(own)
    assert "\n" not in str(caught.value)


def test_a_negative_radius_is_refused():
    own = config.get_config()
    own.bound.radius = -1.0
    with pytest.raises(InputError, match=r"bound\.radius"):
        check(own)


def test_the_configs_schemes_are_legal_and_the_first_is_the_methods():
    schemes = named_schemes(config.get_config())
    assert schemes[0] == Scheme(schemes[0].name, Options(**config.get_config().segment.to_dict()))
    assert len(schemes) == len({dataclasses.replace(scheme, name="") for scheme in schemes}) > 10


class Painted(phantom.PhantomSource):
    """The phantom with what all of a nodule's readers drew at 0 HU."""

    def read(self, series):
        volume = super().read(series)
        for group in cluster(self.scans[series]):
            place = tuple(slice(o, o + n) for o, n in zip(group.origin, group.masks.shape[1:], strict=True))
            volume.hu[place][group.masks.all(axis=0)] = 0
        return volume


def test_the_task_writes_the_table_once(tmp_path, monkeypatch, capsys):
    scans = {uid: scan for uid, scan in load_scans().items() if scan.patient == "LIDC-IDRI-0957"}
    monkeypatch.setattr(planning, "load_scans", lambda: scans)
    monkeypatch.setattr(planning, "open_source", lambda *_, **__: Painted(scans))
    own = config.get_config()
    own.data.crop, own.data.workers = 256, 1
    own.bound.schemes = (("default", {}), ("full", {"candidates": "full"}))
    stamps = Stamps(tmp_path)
    preparation.ensure_records(own, tmp_path, stamps)
    bound(own, tmp_path, stamps)
    text = (tmp_path / "bound.txt").read_text()
    assert text in capsys.readouterr().out
    found = list(csv.DictReader((tmp_path / "bound.csv").read_text().splitlines()))
    table = (tmp_path / "records" / "slices.csv").read_text().splitlines()
    count = sum(int(row["nodules"]) for row in csv.DictReader(table))
    assert [row["scheme"] for row in found] == ["default"] * count + ["full"] * count + [READERS] * count
    assert {row["patient"] for row in found} == {"LIDC-IDRI-0957"}
    assert all(0 <= float(row["best"]) <= 1 for row in found)
    (tmp_path / "bound.csv").write_text("kept")
    bound(own, tmp_path, stamps)
    assert (tmp_path / "bound.csv").read_text() == "kept"
    own.bound.radius = 12.0
    bound(own, tmp_path, stamps)
    assert (tmp_path / "bound.csv").read_text() != "kept"
