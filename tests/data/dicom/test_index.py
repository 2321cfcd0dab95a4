import gzip
import json
import os
import pathlib
import shutil

import pytest
from dicom_files import write

from wsns.data.dicom import header_cache as dicom_cache
from wsns.data.dicom import index as dicom_index
from wsns.data.dicom.index import index
from wsns.errors import InputError

SERIES = "1.2.840.1"


@pytest.fixture
def folder(tmp_path):
    """Three slices of one series and one of another, among files that are none."""
    folder = tmp_path / "archive"
    for n in range(3):
        write(folder / f"a{n % 2}" / "deep" / f"{9 - n}", SERIES, n * 2.5, instance=n)
    write(folder / "a0" / "other.dcm", "1.2.840.2", 0.0)
    write(folder / "a0" / "mr.dcm", SERIES, 0.0, Modality="MR")
    (folder / "LICENSE").write_text("not an image")
    (folder / ".DS_Store").write_bytes(b"")
    return folder


@pytest.fixture
def read(monkeypatch):
    """The files whose headers are read, by name."""
    names = []
    original = dicom_index.read_header
    monkeypatch.setattr(
        dicom_index,
        "read_header",
        lambda file, start: (names.append(os.path.basename(file.path)), original(file, start))[1],
    )
    return names


def test_groups_by_series_and_says_what_else_there_is(folder):
    found = index(str(folder))
    assert {uid: sorted(s.z for s in slices) for uid, slices in found.series.items()} == {
        SERIES: [0, 2.5, 5],
        "1.2.840.2": [0],
    }
    assert {os.path.basename(path): what for path, what in found.passed_over.items()} == {
        "mr.dcm": "of modality 'MR'",
        "LICENSE": "not a DICOM file",
        ".DS_Store": "an empty file",
    }


def test_names_mean_nothing(folder, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for n, path in enumerate(path for path in folder.rglob("*") if path.is_file()):
        shutil.copy(path, flat / f"{n}.txt")

    def slices(where):
        return {
            uid: sorted((s.instance, s.z, s.instance_uid) for s in found)
            for uid, found in index(str(where)).series.items()
        }

    assert slices(flat) == slices(folder)


def test_links(folder, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "there").symlink_to(folder)
    (tmp_path / "linked" / "again").symlink_to(folder)
    (tmp_path / "linked" / "round").symlink_to(tmp_path / "linked")
    (tmp_path / "linked" / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "linked" / "itself").symlink_to("itself")
    found = index(str(tmp_path / "linked"))
    assert len(found.series[SERIES]) == 3
    ends = [path for path, what in found.passed_over.items() if what == "a link to nothing"]
    assert sorted(map(os.path.basename, ends)) == ["itself", "nowhere"]


def test_what_is_no_regular_file_is_not_opened(folder):
    os.mkfifo(folder / "pipe")
    assert index(str(folder)).passed_over[str(folder / "pipe")] == "no regular file"


def test_missing_or_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"nowhere is not a folder: --config\.data\.manual_dir"):
        index(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no file"):
        index(str(tmp_path))


def test_unreadable_folder_is_named(folder, monkeypatch):
    original = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"the folder .*a0/deep cannot be read \(Permission denied\)"):
        index(str(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_and_file_without_permission(folder):
    (folder / "LICENSE").chmod(0)
    with pytest.raises(InputError, match=r"LICENSE cannot be read \(Permission denied\)"):
        index(str(folder))
    (folder / "a0").chmod(0)
    try:
        with pytest.raises(InputError, match=r"the folder .*a0 cannot be read"):
            index(str(folder))
    finally:
        (folder / "a0").chmod(0o755)


def test_unreadable_file_is_named(folder, monkeypatch):
    def fail(file, start):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(dicom_index, "read_header", fail)
    with pytest.raises(InputError, match=r"\.DS_Store cannot be read \(Input/output error\): make it"):
        index(str(folder))


def test_processes_find_the_same(folder, monkeypatch):
    alone = index(str(folder), workers=1)
    monkeypatch.setattr(dicom_index, "FEW_FILES", 0)
    monkeypatch.setattr(dicom_index, "CHUNK_FILES", 2)
    assert repr(index(str(folder), workers=2)) == repr(alone)


def test_progress_counts_the_files_to_read(folder, tmp_path):
    seen = []

    def progress(files):
        assert len(files) == 7 - len(seen)
        for file in files:
            seen.append(file)
            yield file

    index(str(folder), cache=tmp_path / "cache", progress=progress)
    assert len(seen) == 7
    index(str(folder), cache=tmp_path / "cache", progress=progress)
    assert len(seen) == 7


def test_cache_gives_the_same_and_reads_nothing(folder, tmp_path, read):
    first = index(str(folder), cache=tmp_path / "cache")
    assert len(read) == 7
    read.clear()
    assert repr(index(str(folder), cache=tmp_path / "cache")) == repr(first)
    assert repr(first) == repr(index(str(folder)))
    assert len(read) == 7  # without a cache


def test_cache_follows_changed_new_and_deleted_files(folder, tmp_path, read):
    cache = tmp_path / "cache"
    index(str(folder), cache=cache)
    read.clear()
    write(folder / "a0" / "deep" / "9", SERIES, 7.5)
    write(folder / "new", SERIES, 10.0)
    (folder / "a1" / "deep" / "8").unlink()
    found = index(str(folder), cache=cache)
    assert sorted(read) == ["9", "new"]
    assert sorted(s.z for s in found.series[SERIES]) == [5, 7.5, 10]
    read.clear()
    assert repr(index(str(folder), cache=cache)) == repr(found)
    assert not read


def test_same_size_but_another_time_is_read_again(folder, tmp_path, read):
    index(str(folder), cache=tmp_path / "cache")
    read.clear()
    os.utime(folder / "a0" / "deep" / "9", ns=(1, 1))
    index(str(folder), cache=tmp_path / "cache")
    assert read == ["9"]


def test_cache_holds_for_another_name_of_the_folder_but_for_no_other_folder(
    folder, tmp_path, read, monkeypatch
):
    cache = tmp_path / "cache"
    index(str(folder), cache=cache)
    read.clear()
    monkeypatch.chdir(tmp_path)
    pathlib.Path("link").symlink_to(folder)
    for name in ("archive", "link", "archive/../archive"):
        found = index(name, cache=cache)
        assert not read
        assert all(s.path.startswith(name) and os.path.exists(s.path) for s in found.series[SERIES])
    shutil.copytree(folder, "copy")
    index("copy", cache=cache)
    assert len(read) == 7


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "old", "other", "empty"])
def test_unusable_cache_is_replaced(folder, tmp_path, read, damage):
    cache = tmp_path / "cache"
    found = index(str(folder), cache=cache)
    whole = cache.read_bytes()
    content = gzip.decompress(whole)
    title, rows = content.split(b"\n", 1)
    old = json.dumps(json.loads(title) | {"format": dicom_cache.FORMAT - 1}).encode()
    middle = len(whole) // 2
    cache.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "text": b"no cache",
            "old": gzip.compress(old + b"\n" + rows),
            "other": gzip.compress(title + b"\n[1, 2]\n"),
            "empty": b"",
        }[damage]
    )
    read.clear()
    assert repr(index(str(folder), cache=cache)) == repr(found)
    assert len(read) == 7
    assert gzip.decompress(cache.read_bytes()) == content


def test_interrupted_reading_goes_on_from_there(folder, tmp_path, read):
    def interrupted(files):
        yield from files[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index(str(folder), cache=tmp_path / "cache", progress=interrupted)
    read.clear()
    assert repr(index(str(folder), cache=tmp_path / "cache")) == repr(index(str(folder)))
    assert len(read) == 3 + 7


def test_damaged_headers_are_not_reported_twice(folder, caplog, capfd):
    whole = (folder / "a0" / "deep" / "9").read_bytes()
    (folder / "syntax").write_bytes(whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.x\0"))
    for length in range(132, len(whole), 10):
        (folder / f"cut {length}").write_bytes(whole[:length])
    index(str(folder))
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
