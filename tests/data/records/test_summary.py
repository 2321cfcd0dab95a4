import pathlib

from wsns.data.records.summary import count, summary

FACTS = {
    "source": "LIDC-IDRI", "patients": 1, "scans": 2, "bytes": 34_400_000, "scans_missing": 0, "voxels": 21_706,
    "voxels_outside_crop": 0, "voxels_outside_hull": 0, "scans_to_look_at": 0, "notes": [],
    "slices": {"train": {"positive": 1000, "negative": 999}, "validation": {}, "test": {"positive": 74}},
}  # fmt: skip


def test_nothing_to_tell_is_one_line():
    assert summary(FACTS, pathlib.Path("r")) == (
        "records: LIDC-IDRI, 1 patient, 2 scans, 1,074 slices with a nodule and 999 without, 34 MB"
    )


def test_all_that_a_person_should_know():
    told = FACTS | {
        "scans_missing": 1016,
        "packed_files": ["a/1.zip", "a/2.zip"],
        "notes": [{"patient": f"P{n}", "series": f"1.{n}", "note": "x is not used"} for n in range(5)],
        "voxels_outside_crop": 7,
        "voxels_outside_hull": 47,
        "scans_to_look_at": 1,
    }
    assert summary(told, pathlib.Path("r")).splitlines()[1:] == [
        "  not in the folder: 1,016 scans, see r/missing.txt",
        "  not looked into: 2 packed files (a/1.zip): unpack them for their scans",
        "  P0: x is not used",
        "  P1: x is not used",
        "  P2: x is not used",
        "  and 2 more notes in r/accounting.json",
        "  7 of 21,706 pixels of nodules lie outside the crop",
        "  47 of 21,706 pixels of nodules lie outside the hull",
        "  must be looked at: 1 scan, see r/check.html",
    ]


def test_count():
    assert (count(1, "slice"), count(0, "slice"), count(1200, "slice")) == (
        "1 slice",
        "0 slices",
        "1,200 slices",
    )
