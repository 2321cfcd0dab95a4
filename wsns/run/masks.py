"""`masks/PATIENT_SERIES/SLICE.npz`: all that was found in a slice, written and read by one description.

A file holds where its slice lies (`patient`, `series`, `z`, `slice_index`, `spacing` in mm, the crop's `origin` in
pixels) and, each (S, S) in the crop, `consensus` with nodules numbered from 1 and `result METHOD`. Of a slice that
1-GAP declares a nodule slice also `hull` and `whole_lung`, and per variant G `nam G` (S / 4, S / 4) in half precision,
`scope G`, `candidates G` (N, S, S) with their `scores G` (N,), and `candidates left out`, a number.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsns.data.records.schema import Slices
from wsns.evaluation.cases import WEAK
from wsns.runtime.workdir import scan_folder
from wsns.segmentation.results import SliceResult

NAM_STEP = 4
"""NAMs are kept as the means of blocks of so many pixels: their own stride is no finer."""
VARIANTS = (1, 2, 3)
RESULT = "result "
UNET = "U-Net"


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What a file says of its slice; S is the crop's edge.

    `hull`: (S, S) bool, None where no nodule was looked for; `results` by method: (S, S) bool, None for the weak
    methods then; by variant `nams`: (S, S), constant in blocks, `scopes`: (S, S) bool, `candidates`: (N, S, S)
    bool.
    """

    hull: np.ndarray | None
    results: Mapping[str, np.ndarray | None]
    nams: Mapping[int, np.ndarray]
    scopes: Mapping[int, np.ndarray]
    candidates: Mapping[int, np.ndarray]


def path(folder: pathlib.Path, patient: str, series: str, slice_index: int) -> pathlib.Path:
    """Returns a slice's file in the `masks/` of a run."""
    return scan_folder(folder, patient, series) / file_name(slice_index)


def file_name(slice_index: int) -> str:
    """Returns the name of a slice's file in its scan's folder."""
    return f"{slice_index:04d}.npz"


def pack(slices: Slices, n: int, result: SliceResult, probability: np.ndarray | None) -> dict[str, Any]:
    """Returns the arrays of a slice's file by name.

    Args:
        slices: records.
        n: the row of the slice among them.
        result: what the method found in it.
        probability: (S, S), the U-Net's; None without one.
    """
    kept: dict[str, Any] = {
        "patient": slices.patient[n],
        "series": slices.series[n],
        "z": slices.z[n],
        "slice_index": slices.slice_index[n],
        "spacing": slices.spacing[n],
        "origin": slices.origin[n],
        "consensus": slices.nodules[n],
    }
    if probability is not None:
        kept[f"{RESULT}{UNET}"] = probability > 0.5
    if not result.detected:
        return kept
    kept["hull"] = result.hull
    kept["whole_lung"] = result.whole_lung
    kept["candidates left out"] = result.cut
    for gaps, regions in result.regions.items():
        kept[f"{RESULT}{gaps}-GAP coarse"] = result.coarse(gaps)
        kept[f"{RESULT}{gaps}-GAP fine"] = result.fine(gaps)
        kept[f"nam {gaps}"] = blocks_mean(result.nams[gaps]).astype(np.float16)
        kept[f"scope {gaps}"] = np.logical_or.reduce([region.scope for region in regions])
        kept[f"candidates {gaps}"] = np.concatenate([region.candidates for region in regions])
        kept[f"scores {gaps}"] = np.concatenate([region.scores for region in regions])
    return kept


def unpack(kept: Mapping[str, np.ndarray]) -> Found:
    """Returns what the arrays of a slice's file say."""

    def of_variants(kind: str) -> dict[int, np.ndarray]:
        return {gaps: kept[f"{kind} {gaps}"] for gaps in VARIANTS if f"{kind} {gaps}" in kept}

    results: dict[str, np.ndarray | None] = {} if "hull" in kept else dict.fromkeys(WEAK)
    results |= {name.removeprefix(RESULT): kept[name] for name in kept if name.startswith(RESULT)}
    return Found(
        hull=kept.get("hull"),
        results=results,
        nams={gaps: enlarged(nam) for gaps, nam in of_variants("nam").items()},
        scopes=of_variants("scope"),
        candidates=of_variants("candidates"),
    )


def read(file: pathlib.Path) -> Found:
    """Reads a slice's file."""
    with np.load(file) as arrays:
        return unpack({name: arrays[name] for name in arrays.files})


def blocks_mean(nam: np.ndarray) -> np.ndarray:
    """Returns a NAM (S, S) as it is kept: the means of blocks of `NAM_STEP` pixels."""
    side = nam.shape[0] // NAM_STEP
    return nam.reshape(side, NAM_STEP, side, NAM_STEP).mean(axis=(1, 3))


def enlarged(nam: np.ndarray) -> np.ndarray:
    """Returns a NAM as it is kept (s, s) at the crop's size (s · `NAM_STEP`, s · `NAM_STEP`)."""
    return np.kron(nam.astype(np.float32), np.ones((NAM_STEP, NAM_STEP)))
