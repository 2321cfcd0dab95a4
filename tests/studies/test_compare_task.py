import pathlib

import pytest
from evaluation_cases import random_cases

from configs import compare as config
from configs import testing
from wsns import dispatch
from wsns.errors import InputError
from wsns.evaluation.cases import write_cases
from wsns.runtime import workdir as files


@pytest.fixture
def runs(tmp_path):
    """Two runs' folders, of one config but for `segment.beta`, as far as a comparison reads them."""
    return [left(tmp_path / name, beta) for name, beta in (("one", 0.3), ("two", 1.0))]


def left(folder: pathlib.Path, beta: float) -> pathlib.Path:
    own = testing.get_config()
    own.segment.beta, own.segment.detect = beta, 0.5
    files.write_json(folder / "config.json", own.to_dict())
    files.write_json(folder / "environment.json", {"data": {"split_fingerprint": "s"}})
    files.write_json(folder / "stamps" / "segment.json", {"inputs": {"segment": own.segment.to_dict()}})
    files.write_json(folder / "records" / "accounting.json", {"source": "LIDC twin"})
    write_cases(folder / "cases.csv", random_cases(0, patients=4))
    return folder


def of(*workdirs, names=()):
    own = config.get_config()
    own.evaluate.draws = 20
    own.compare.workdirs, own.compare.names = tuple(map(str, workdirs)), names
    return own


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_the_task_writes_and_prints_one_table_and_leaves_the_runs_alone(runs, tmp_path, capsys):
    before = [content(folder) for folder in runs]
    dispatch.run(of(*runs), tmp_path / "compare")
    text = (tmp_path / "compare" / "compare.txt").read_text()
    assert capsys.readouterr().out == text
    assert text.startswith("2 runs, each beside one · LIDC twin (synthetic, not LIDC results)\n")
    assert "\n- two: segment.beta 1.0 (0.3)\n" in text
    assert (tmp_path / "compare" / "compare.md").read_text().startswith("2 runs, each beside one · LIDC twin")
    rows = files.read_rows(tmp_path / "compare" / "compare.csv")
    assert {row["run"] for row in rows} == {"one", "two"}
    assert [content(folder) for folder in runs] == before


def test_a_table_in_a_runs_own_folder_changes_none_of_its_files(runs):
    before = content(runs[0])
    dispatch.run(of(*runs, names=("this one", "the other")), runs[0])
    after = content(runs[0])
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after.keys() - before.keys()} == {
        "compare.txt",
        "compare.md",
        "compare.csv",
    }
    assert "the other: segment.beta" in (runs[0] / "compare.txt").read_text()


def test_a_run_is_named_by_its_folder_however_it_is_given(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs[0])
    dispatch.run(of(".", "../two"), tmp_path / "compare")
    assert "each beside one" in (tmp_path / "compare" / "compare.txt").read_text()


@pytest.mark.parametrize(
    ("workdirs", "names", "words"),
    [
        ((), (), "two runs' folders or more"),
        (("one",), (), "two runs' folders or more"),
        (("one", "two"), ("a",), "2 workdirs need as many"),
        (("one", "two"), ("a", "a"), "two runs have one name"),
        (("one", "elsewhere/one"), (), "two runs have one name"),
        (("one", "nowhere"), (), r"nowhere/config\.json does not exist"),
    ],
)
def test_what_can_not_be_compared_is_one_line(runs, tmp_path, workdirs, names, words):
    with pytest.raises(InputError, match=words) as caught:
        dispatch.run(of(*(tmp_path / name for name in workdirs), names=names), tmp_path / "compare")
    assert "\n" not in str(caught.value)
    assert {path.name for path in (tmp_path / "compare").glob("*")} <= {".lock"}


def test_a_run_without_cases_is_refused(runs, tmp_path):
    (runs[1] / "cases.csv").unlink()
    with pytest.raises(InputError, match="run the segmentation first"):
        dispatch.run(of(*runs), tmp_path / "compare")


def test_cases_of_another_config_than_the_folder_has_now_are_refused(runs, tmp_path):
    changed = files.read_json(runs[1] / "config.json")
    changed["segment"]["beta"] = 0.7
    files.write_json(runs[1] / "config.json", changed)
    with pytest.raises(
        InputError, match=r"made with segment\.beta=1\.0, its config\.json says 0\.7"
    ) as caught:
        dispatch.run(of(*runs), tmp_path / "compare")
    assert "\n" not in str(caught.value)


def test_another_config_than_this_ones_says_which_to_take(tmp_path):
    own = testing.get_config()
    own.task = "compare"
    with pytest.raises(InputError, match=r"configs/compare\.py"):
        dispatch.run(own, tmp_path)
