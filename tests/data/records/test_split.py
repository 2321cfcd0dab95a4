import collections

import numpy as np
import pytest

from wsns.data.records.split import SPLITS, fingerprint, split


def _patients(number, seed=0):
    counts = np.random.default_rng(seed).geometric(0.1, number) - 1
    return {f"P{n:04d}": int(count) for n, count in enumerate(counts)}


def test_four_to_one_to_one_by_patients_and_by_slices():
    patients = _patients(600)
    parts = split(patients, seed=0)
    assert collections.Counter(parts.values()) == {"train": 400, "validation": 100, "test": 100}
    slices = collections.Counter()
    for patient, number in patients.items():
        slices[parts[patient]] += number
    share = {part: slices[part] / sum(patients.values()) for part in SPLITS}
    assert share["train"] == pytest.approx(4 / 6, abs=0.02)
    assert share["test"] == pytest.approx(1 / 6, abs=0.02)


def test_every_stratum_is_divided():
    patients = {f"P{n}": 0 if n < 60 else 20 for n in range(120)}
    parts = split(patients, seed=3)
    for low in (0, 60):
        assert collections.Counter(parts[f"P{n}"] for n in range(low, low + 60)) == {
            "train": 40, "validation": 10, "test": 10,
        }  # fmt: skip


def test_depends_on_the_seed_and_on_nothing_else():
    patients = _patients(50)
    backwards = dict(reversed(patients.items()))
    assert split(patients, 1) == split(backwards, 1)
    assert split(patients, 1) != split(patients, 2)


@pytest.mark.parametrize("number", range(1, 15))
@pytest.mark.parametrize("seed", range(3))
def test_few_patients(number, seed):
    parts = split(_patients(number), seed)
    assert len(parts) == number
    found = set(parts.values())
    assert "train" in found
    assert len(found) == min(number, 3)


def test_fingerprint_is_of_content_and_not_of_order():
    parts = split(_patients(20), 0)
    same = fingerprint(dict(reversed(parts.items())))
    assert fingerprint(parts) == same
    assert len(same) == 64
    assert fingerprint(parts | {"P0000": "none"}) != same
