import pytest

from wsns.runtime import workdir
from wsns.runtime.steps import Stamps


def test_a_step_is_done_for_the_same_inputs_only(tmp_path):
    stamps = Stamps(tmp_path)
    assert not stamps.is_done("train", {"rate": 0.1})
    stamps.mark_done("train", {"rate": 0.1})
    assert stamps.is_done("train", {"rate": 0.1})
    assert not stamps.is_done("train", {"rate": 0.2})
    assert not stamps.is_done("segment", {"rate": 0.1})


def test_a_step_of_the_agenda_is_told_with_its_number_and_whether_it_was_done(tmp_path, capsys):
    stamps = Stamps(tmp_path, ["records", "gap1"])
    assert stamps.must_do("gap1", {"rate": 0.1}, "train 1-GAP")
    stamps.mark_done("gap1", {"rate": 0.1})
    assert not stamps.must_do("gap1", {"rate": 0.1}, "train 1-GAP")
    assert stamps.must_do("gap1", {"rate": 0.1}, "train 1-GAP", whole=False)
    assert stamps.must_do("another", {}, "what nobody asked for")
    told = "step 2 of 2: train 1-GAP"
    assert capsys.readouterr().err.splitlines() == [told, f"{told}: done before", told]


def test_without_an_agenda_nothing_is_told(tmp_path, capsys):
    assert Stamps(tmp_path).must_do("gap1", {}, "train 1-GAP")
    assert capsys.readouterr().err == ""


def test_begin_keeps_half_done_work_and_clears_what_other_inputs_made(tmp_path):
    stamps = Stamps(tmp_path)
    made, file = tmp_path / "gap1", tmp_path / "cases.csv"
    made.mkdir()
    stamps.begin("gap1", {"rate": 0.1}, made, file)
    made.mkdir(exist_ok=True)
    (made / "checkpoint").touch()
    file.touch()
    stamps.begin("gap1", {"rate": 0.1}, made, file)
    assert (made / "checkpoint").exists()
    stamps.begin("gap1", {"rate": 0.2}, made, file)
    assert not made.exists()
    assert not file.exists()


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "table1.txt"
    workdir.write_text(path, "old")
    with pytest.raises(TypeError):
        workdir.write_bytes(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_fingerprint_ignores_the_order_of_fields():
    assert workdir.fingerprint({"a": 1, "b": (2, 3)}) == workdir.fingerprint({"b": [2, 3], "a": 1})
    assert workdir.fingerprint({"a": 1}) != workdir.fingerprint({"a": 2})
