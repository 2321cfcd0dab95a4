"""Made-up cases and slices for the tests of the evaluation."""

import numpy as np

from wsns.evaluation.cases import METHODS, Case, case_row
from wsns.report.slice_view import SliceView


def disc(size: int, centre: tuple[int, int], radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:size, :size]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def random_cases(seed: int, *, patients: int = 8, slices: int = 10) -> list[Case]:
    """Returns every method's case of slices with 0 to 3 nodules, found, missed or mistaken at random."""
    rng = np.random.default_rng(seed)
    made = []
    for patient in range(patients):
        for k in range(slices):
            nodules = int(rng.choice([0, 1, 2, 3], p=[0.45, 0.4, 0.1, 0.05]))
            instances = np.zeros((64, 64), np.uint8)
            for number in range(nodules):
                instances[disc(64, (10 + 20 * number, 30), rng.uniform(1, 7))] = number + 1
            scores = {g: float(np.clip(rng.normal(0.7 if nodules else 0.3, 0.25), 0, 1)) for g in "123"}
            for method in METHODS:
                weak = method != "U-Net"
                score = scores[method[0]] if weak else float(rng.random())
                shift = int(rng.integers(-4, 5)) if rng.random() < 0.85 else 32
                made.append(
                    case_row(
                        np.roll(instances > 0, shift, axis=1),
                        instances,
                        patient=f"P{patient}",
                        series=f"1.2.{patient}",
                        z=-100 + 2.5 * k,
                        spacing=0.7,
                        nodules=nodules,
                        method=method,
                        score=score,
                        detected=scores["1"] >= 0.5 if weak else score >= 0.3,
                    )
                )
    return made


def slice_view(*, nodule: bool = True, detected: bool = True, size: int = 64) -> SliceView:
    """Returns a small slice with all layers."""
    rng = np.random.default_rng(0)
    centre = (size // 3, size // 2)
    consensus = disc(size, centre, 4) if nodule else np.zeros((size, size), bool)
    hu = np.where(consensus, 0, -850) + rng.integers(-30, 30, (size, size))
    whole = np.full((size + 20, size + 20), -1000)
    whole[10:-10, 10:-10] = hu
    result = disc(size, centre, 5) if detected else None
    return SliceView(
        hu=hu.astype(np.int16),
        lungs=np.where(np.arange(size) < size // 2, 1, 2)[None].repeat(size, 0).astype(np.uint8),
        hull=disc(size, (size // 2, size // 2), size // 2 - 2),
        consensus=consensus.astype(np.uint8),
        nams={g: rng.normal(size=(size, size)) for g in (1, 2, 3)},
        scopes={g: disc(size, centre, 12) for g in (1, 2, 3)},
        candidates={g: np.stack([disc(size, centre, r) for r in (3, 5)]) for g in (1, 2, 3)},
        results=dict.fromkeys(METHODS, result),
        spacing=0.7,
        title="P0, z = -100 mm",
        origin=(10, 10),
        scan_slice=whole.astype(np.int16),
    )
