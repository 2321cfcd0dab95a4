"""The figures that Feng et al. (MICCAI 2017) printed. Nothing in this file was computed here."""

from collections.abc import Mapping

CITATION = "Feng, Yang, Laine, Angelini, MICCAI 2017"
ROW = "the paper's"
"""What a row of the paper's own figures is called."""

_NAMES = ("tpr", "fpr", "fpr_nodule", "dice", "dice_sd", "tp_dice", "tp_dice_sd", "tp_doa", "tp_doa_sd")
_SHARED_FPR = 0.11

TABLE1: Mapping[str, Mapping[str, float]] = {
    method: dict(zip(_NAMES, figures, strict=True))
    for method, figures in {
        "1-GAP coarse": (0.77, _SHARED_FPR, 0.08, 0.46, 0.31, 0.61, 0.20, 57.6, 71.1),
        "2-GAP coarse": (0.76, _SHARED_FPR, 0.09, 0.50, 0.34, 0.66, 0.18, 41.6, 53.6),
        "3-GAP coarse": (0.75, _SHARED_FPR, 0.11, 0.50, 0.32, 0.67, 0.18, 40.1, 50.9),
        "1-GAP fine": (0.75, _SHARED_FPR, 0.11, 0.54, 0.34, 0.73, 0.15, 30.7, 52.8),
        "2-GAP fine": (0.75, _SHARED_FPR, 0.11, 0.55, 0.33, 0.74, 0.14, 29.2, 46.8),
        "3-GAP fine": (0.74, _SHARED_FPR, 0.12, 0.54, 0.34, 0.74, 0.14, 29.3, 46.4),
        "U-Net": (0.74, 0.29, 0.26, 0.56, 0.38, 0.76, 0.19, 28.3, 44.8),
    }.items()
}

ACCURACY: Mapping[str, float] = {"1-GAP": 0.884, "2-GAP": 0.866, "3-GAP": 0.844}

TWO_NODULES_MODEL = "2-GAP"
TWO_NODULES = (108, 50, 42)
"""Slices with two nodules; both found; one found. It doesn't say whether coarse or fine."""

EFFORT = (1_658_981, 16_690)
"""Voxels of the consensus, and slices with and without a nodule."""

SELECTION: Mapping[str, int] = {
    "scans": 1010,
    "positive": 8345,
    "slices_used": EFFORT[1],
    "two_percent": 1,
    "two_tested": TWO_NODULES[0],
    "voxels": EFFORT[0],
    "voxels_per_slice": 199,
}
"""What it took from LIDC-IDRI; its 1,010 scans are the database's number of patients."""
