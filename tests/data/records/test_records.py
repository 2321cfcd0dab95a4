"""What the records hold, and how they are read."""

import collections
import csv
import json

import numpy as np
import pytest
from record_cases import PATIENTS, build_config, slice_rows

from configs import table1
from wsns.data.records import loading as records_input
from wsns.data.records import plan as planning
from wsns.data.records.schema import NAMES, Slices
from wsns.data.records.split import fingerprint
from wsns.errors import InputError
from wsns.tasks import records
from wsns.training import dataset
from wsns.training.dataset import PLACES, open_examples


def test_files_and_columns(built_records):
    names = sorted(path.name for path in built_records.iterdir())
    assert names == [
        "accounting.json", "check", "check.html", "lidc_slices", "missing.txt", "scans.csv", "slices.csv", "split.json",
    ]  # fmt: skip
    assert list(built_records.parent.iterdir()) == [built_records]
    columns = "patient, series, z, slice_index, split, label, nodules, voxels, outside_crop"
    assert list(slice_rows(built_records)[0]) == columns.split(", ")


def test_slices_are_what_the_readers_drew(built_records, record_scans):
    rows = slice_rows(built_records)
    positive = collections.Counter(row["series"] for row in rows if row["label"] == "1")
    expected = planning.choose_scans(record_scans, planning.Options())
    assert positive == {uid: number for uid, number in expected.items() if number}
    drawn = {(uid, c.k) for uid, scan in record_scans.items() for a in scan.annotations for c in a.contours}
    for row in rows:
        scan = record_scans[row["series"]]
        assert float(row["z"]) == scan.z[int(row["slice_index"])]
        assert row["label"] == "1" or (row["series"], int(row["slice_index"])) not in drawn
    assert sum(row["label"] == "0" for row in rows) == sum(positive.values())


def test_no_patient_is_in_two_splits(built_records):
    parts = collections.defaultdict(set)
    for row in slice_rows(built_records):
        parts[row["patient"]].add(row["split"])
    assert sorted(parts) == list(PATIENTS)
    assert sorted(part for found in parts.values() for part in found) == ["test", "train", "validation"]
    stored = json.loads((built_records / "split.json").read_text())
    assert {patient: {part} for patient, part in stored["patients"].items()} == parts
    assert stored["fingerprint"] == fingerprint(stored["patients"])


def test_held_out_patients_are_all_tested(use_phantoms, tmp_path):
    records.build(build_config(held_out=True), tmp_path / "records")
    assert {row["split"] for row in slice_rows(tmp_path / "records")} == {"test"}
    stored = json.loads((tmp_path / "records" / "split.json").read_text())
    assert stored["patients"] == dict.fromkeys(PATIENTS, "test")
    with pytest.raises(InputError, match="no train split"):
        records_input.load(tmp_path / "records", "train")


def test_accounting_agrees_with_the_rows(built_records):
    facts, rows = json.loads((built_records / "accounting.json").read_text()), slice_rows(built_records)
    assert (facts["source"], facts["patients"], facts["scans"]) == ("phantom", 3, 4)
    assert sum(counts["positive"] for counts in facts["slices"].values()) == sum(
        r["label"] == "1" for r in rows
    )
    assert facts["voxels"] == sum(int(row["voxels"]) for row in rows) > 0
    assert facts["voxels_outside_crop"] == sum(int(row["outside_crop"]) for row in rows)
    assert facts["scans_missing"] == facts["negatives_missing"] == 0


def test_scans_have_a_row_a_picture_and_sums_that_agree(built_records, record_scans):
    with (built_records / "scans.csv").open() as file:
        found = list(csv.DictReader(file))
    rows = slice_rows(built_records)
    assert {row["series"] for row in found} == {row["series"] for row in rows}
    for scan in found:
        own = [row for row in rows if row["series"] == scan["series"]]
        assert int(scan["positives"]) == sum(row["label"] == "1" for row in own)
        assert int(scan["negatives"]) == sum(row["label"] == "0" for row in own)
        for name in ("voxels", "outside_crop"):
            assert int(scan[name]) == sum(int(row[name]) for row in own)
        assert {row["split"] for row in own} == {scan["split"]}
        assert int(scan["slices"]) == len(record_scans[scan["series"]].z)
        assert (built_records / scan["picture"]).stat().st_size > 10_000
    facts = json.loads((built_records / "accounting.json").read_text())
    levels = [scan["level"] for scan in found]
    assert facts["scans_to_look_at"] == levels.count("must look")
    assert facts["scans_with_minor_warnings"] == levels.count("minor")
    assert all(bool(scan["warnings"]) == (scan["level"] != "fine") for scan in found)
    assert {scan["right"] for scan in found} == {"left"}


def test_loaded_arrays(built_records):
    for part in ("train", "validation", "test"):
        loaded = records_input.load(built_records, part)
        rows = [row for row in slice_rows(built_records) if row["split"] == part]
        assert len(loaded) == len(rows)
        assert loaded.hu.shape == loaded.lungs.shape == loaded.nodules.shape == (len(rows), 256, 256)
        assert (loaded.hu.dtype, loaded.lungs.dtype, loaded.nodules.dtype) == (np.int16, np.uint8, np.uint8)
        assert (loaded.label.dtype, loaded.count.dtype, loaded.slice_index.dtype) == (np.int32,) * 3
        assert loaded.origin.shape == loaded.agreement.shape == loaded.texture.shape == (len(rows), 2)
        assert loaded.reader_dice.shape == (len(rows), 2, 8)
        assert ((loaded.reader_dice > 0).sum(axis=2) <= loaded.agreement).all()
        assert ((loaded.cluster > 0).sum(axis=1) == loaded.count).all()
        assert loaded.series.tolist() == [row["series"] for row in rows]
        assert loaded.slice_index.tolist() == [int(row["slice_index"]) for row in rows]
        inside = [int(row["voxels"]) - int(row["outside_crop"]) for row in rows]
        assert (loaded.nodules > 0).sum(axis=(1, 2)).tolist() == inside
        assert ((loaded.agreement > 1).sum(axis=1) == loaded.count).all()


def test_streamed_slices_are_the_loaded_ones(built_records):
    """In any order and more than once, whole splits or those with an outline."""
    loaded = records_input.load(built_records, "test")
    outlined = loaded.nodules.any(axis=(1, 2))
    assert 0 < outlined.sum() < len(loaded)
    for drawn, own in ((False, slice(None)), (True, outlined)):
        streamed = records_input.stream(built_records, "test", ("hu", "nodules", "label"), drawn=drawn)
        assert len(streamed) == len(loaded.label[own])
        rows = np.array([len(streamed) - 1, 0, 1, 1])
        got = streamed.take(rows)
        assert set(got) == {"hu", "nodules", "label"}
        for name, values in got.items():
            want = getattr(loaded, name)[own][rows]
            np.testing.assert_array_equal(values, want)
            assert values.dtype == want.dtype


def _training_config(place, slices="all"):
    config = table1.get_config()
    config.unet.slices = slices
    config.fit.input, config.data.crop = place, 256
    return config


def test_networks_learn_from_the_same_slices_wherever_they_wait(built_records, monkeypatch):
    """A weak network sees no mask; the U-Net all slices, or of the training split those with an outline."""
    monkeypatch.setattr(dataset, "PARTS", ("train", "test"))
    loaded = [records_input.load(built_records, part) for part in ("train", "test")]
    outlined = loaded[0].nodules.any(axis=(1, 2))
    assert 0 < outlined.sum() < len(outlined)
    for name, of_unet, names, own in (
        ("gap2", "nodule", {"hu", "label"}, slice(None)),
        ("unet", "all", {"hu", "nodules"}, slice(None)),
        ("unet", "nodule", {"hu", "nodules"}, outlined),
    ):
        opened = [open_examples(_training_config(place, of_unet), built_records, name) for place in PLACES]
        assert [resident for _, resident in opened] == [True, False, False]
        for splits, _ in opened:
            for examples_of, whole, rows in zip(splits, loaded, (own, slice(None)), strict=True):
                got = examples_of.take(np.arange(len(examples_of)))
                assert set(got) == names
                for key, values in got.items():
                    np.testing.assert_array_equal(values, getattr(whole, key)[rows])


@pytest.mark.parametrize("place", PLACES)
def test_split_without_an_outline_is_one_line_for_the_unet(built_records, place):
    with pytest.raises(InputError, match=r"no slice of the validation split .* has an outline.*'unet'"):
        open_examples(_training_config(place), built_records, "unet")


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("unet", "slices", "positive"), ("unet", "loss", "pixel"), ("unet", "encoder", "resnet"), ("unet", "group", 0),
        ("unet", "trunk_factor", -0.1), ("fit", "portions", 2),
    ],
)  # fmt: skip
def test_what_no_unet_can_have_is_refused_with_its_field(section, field, value):
    config = table1.get_config()
    dataset.check(config)
    config[section][field] = value
    with pytest.raises(InputError, match=rf"config\.{section}\.{field}={value!r}"):
        dataset.check(config)


def test_portions_are_for_all_but_a_dice_over_the_batch():
    config = table1.get_config()
    config.fit.portions = 2
    config.unet.loss = "slice"
    assert dataset.check(config) is None
    config.unet.loss = "batch"
    with pytest.raises(InputError, match=r"config\.fit\.portions=2"):
        dataset.check(config)
    config.models = ("gap1",)
    assert dataset.check(config) is None


def test_slices_wait_where_there_is_room(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 3000}

    monkeypatch.setattr(dataset, "memory", lambda: 6000)
    for device, size, place in (
        (Device, 1000, "device"), (Device, 1001, "host"), (Device, 2001, "stream"), (None, 1000, "host"),
        (None, 2001, "stream"),
    ):  # fmt: skip
        chosen = device() if device else type("CPU", (), {"memory_stats": lambda self: None})()
        monkeypatch.setattr(dataset.jax, "local_devices", lambda chosen=chosen: [chosen])
        assert dataset.choose_place("auto", size) == place
    assert dataset.choose_place("stream", 1) == "stream"


def test_take():
    size = np.arange(6)
    slices = Slices(*(size + n for n in range(len(NAMES))))
    assert slices.take([4, 1]).label.tolist() == [slices.label[4], slices.label[1]]
    assert len(slices.take(size > 3)) == 2
