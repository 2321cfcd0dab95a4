"""From what was found in a slice to its rows of `cases.csv`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wsns.data.lungs.hull import hull
from wsns.data.records.schema import Slices
from wsns.evaluation.cases import Case, case_row
from wsns.evaluation.localisation import nodule_facts, weak_measures
from wsns.segmentation.options import Options
from wsns.segmentation.results import SliceResult

KINDS = ("coarse", "fine")


def weak_cases(
    slices: Slices, n: int, result: SliceResult, kind: str, options: Options, detect: float = 0.0
) -> list[Case]:
    """Returns the rows of slice `n`, one per variant.

    Args:
        slices: the records.
        n: which of them.
        result: what was found.
        kind: 'coarse' or 'fine'.
        options: by which it was found.
        detect: 1-GAP probability that a nodule slice needs besides having been searched.
    """
    reference, spacing = slices.nodules[n] > 0, float(slices.spacing[n])
    facts = nodule_facts(slices, n)
    closed = result.hull
    # Of a slice without a nodule nothing is measured.
    if closed is None and reference.any():
        closed = hull(slices.lungs[n], spacing, options.hull_closing, options.hull_part)
    detected = result.detected and result.probabilities[1] >= detect
    return [
        _case(
            *(slices, n, f"{gaps}-GAP {kind}", getattr(result, kind)(gaps), score, detected),
            facts | (weak_measures(result, gaps, closed, reference, spacing) if closed is not None else {}),
        )
        for gaps, score in sorted(result.probabilities.items())
    ]


def unet_case(slices: Slices, n: int, probability: np.ndarray) -> Case:
    """Returns the U-Net's row of slice `n` from each pixel's probability (S, S)."""
    found = probability > 0.5
    return _case(
        slices, n, "U-Net", found, float(probability.max()), bool(found.any()), nodule_facts(slices, n)
    )


def _case(
    slices: Slices,
    n: int,
    method: str,
    mask: np.ndarray,
    score: float,
    detected: bool,
    measures: Mapping[str, Any],
) -> Case:
    return case_row(
        mask,
        slices.nodules[n],
        patient=str(slices.patient[n]),
        series=str(slices.series[n]),
        z=float(slices.z[n]),
        spacing=float(slices.spacing[n]),
        nodules=int(slices.count[n]),
        method=method,
        score=score,
        detected=detected,
        measures=measures,
    )
