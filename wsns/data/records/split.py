"""Patients into training, validation and test, 4:1:1."""

import hashlib
from collections.abc import Mapping

import numpy as np

SPLITS = ("train", "validation", "test")
_PATTERN = ("train", "train", "train", "train", "validation", "test")
_FEW = ("train", "test", "validation", "train", "train")


def split(positives: Mapping[str, int], seed: int) -> dict[str, str]:
    """Splits patients 4:1:1, stratified by how many nodule slices they have.

    Patients are sorted by nodule slices and dealt out in groups of six neighbours, each group in an order
    of its own: every part gets its share of patients with none, few and many. Both scans of a patient
    stay together, because patients are dealt out, not scans.

    Args:
        positives: number of positive slices per patient.
        seed: another seed, another split; the order of `positives` does not matter.

    Returns:
        'train', 'validation' or 'test' per patient. Three patients are enough for all three parts; with
        fewer, validation and then test stay empty.
    """
    rng = np.random.default_rng([seed, 0x5B117])
    patients = sorted(positives)
    draw = dict(zip(patients, rng.permutation(len(patients))))
    patients.sort(key=lambda patient: (-positives[patient], draw[patient]))
    result: dict[str, str] = {}
    for start in range(0, len(patients), len(_PATTERN)):
        group = patients[start : start + len(_PATTERN)]
        # A few patients are all there is: each part gets one before training gets its second.
        pattern = _PATTERN if len(patients) >= len(_PATTERN) else _FEW[: len(group)]
        result.update(zip(group, (pattern[n] for n in rng.permutation(len(pattern)))))
    return dict(sorted(result.items()))


def fingerprint(parts: Mapping[str, str]) -> str:
    """Returns the SHA-256 of a split, over its sorted "patient:part" lines."""
    lines = "\n".join(f"{patient}:{part}" for patient, part in sorted(parts.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
