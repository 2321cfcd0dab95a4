"""The task 'segment': detection, scopes, candidates and R-NAM screening on the test split.

Leaves one folder per scan in `masks/`, complete or not there, and `cases.csv`.
"""

import functools
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from wsns import progress
from wsns import workdir as files
from wsns.data.records import input as records
from wsns.data.records.slices import Slices
from wsns.evaluation.cases import Case, case_row, read_cases, write_cases
from wsns.models import build
from wsns.models.preprocess import enlarge
from wsns.models.vgg import NODULE
from wsns.segmentation.batches import blocks, padded
from wsns.segmentation.nam import nam_function
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network, segment_slices
from wsns.segmentation.results import SliceResult
from wsns.tasks import train
from wsns.training import checkpoints

NAM_STEP = 4
"""NAMs are kept as the means of blocks of so many pixels: their own stride is no finer."""

Trained = Mapping[str, tuple[build.Network, Any]]


def segment(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Segments every test slice that is not segmented yet and writes `cases.csv`."""
    inputs = {
        "models": {name: train.inputs(config, workdir, name) for name in config.models},
        "segment": config.segment.to_dict(),
    }
    masks = workdir / "masks"
    if stamps.is_done("segment", inputs):
        return
    options = Options(**config.segment.to_dict())
    slices = records.load(workdir / "records", "test")
    trained = load_trained(config, workdir)
    weak = nam_networks(config, trained)
    stamps.begin("segment", inputs, masks, workdir / "cases.csv")
    cases: list[Case] = []
    left_out = 0
    with progress.bar(len(slices), "segment") as shown:
        for series in dict.fromkeys(slices.series):
            scan = slices.take(slices.series == series)
            folder = masks / f"{scan.patient[0]}_{series[-8:]}"
            if not folder.exists():
                left_out += _segment_scan(scan, trained, weak, options, folder)
            cases += read_cases(folder / "cases.csv")
            shown.update(len(scan))
    if left_out:
        print(f"segment: {left_out} candidates were left out as too many (config.segment.max_candidates)")
    write_cases(workdir / "cases.csv", cases)
    stamps.mark_done("segment", inputs)


def load_trained(config: ConfigDict, workdir: pathlib.Path) -> Trained:
    """Returns the networks of a config with the parameters of their best epochs."""
    return {
        name: (build.build(config, name), checkpoints.best_params(workdir / name / "checkpoints"))
        for name in config.models
    }


def nam_networks(config: ConfigDict, trained: Trained) -> dict[int, Network]:
    """Returns the NAM functions of the weakly supervised networks, by number of GAPs."""
    return {
        int(name[-1]): (nam_function(network.apply, network.prepare, config.data.crop), params)
        for name, (network, params) in trained.items()
        if name != "unet"
    }


def classify(network: build.Network, params: Any, hu: np.ndarray, batch: int) -> np.ndarray:
    """Returns the nodule probability (N,) of crops (N, S, S) in HU."""
    return _in_batches(functools.partial(_probability, network.module, network.prepare), params, hu, batch)


def segment_supervised(network: build.Network, params: Any, hu: np.ndarray, batch: int) -> np.ndarray:
    """Returns the U-Net's probability (N, S, S) of each pixel of crops (N, S, S) in HU."""
    return _in_batches(
        functools.partial(_pixel_probability, network.module, network.prepare), params, hu, batch
    )


def _in_batches(function: Any, params: Any, hu: np.ndarray, batch: int) -> np.ndarray:
    parts = [
        np.asarray(function(params, padded(hu[block], batch)))[: block.stop - block.start]
        for block in blocks(len(hu), batch)
    ]
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _probability(module: Any, prepare: Any, params: Any, hu: jax.Array) -> jax.Array:
    return jax.nn.softmax(module.apply({"params": params}, prepare(hu)).logits)[:, NODULE]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _pixel_probability(module: Any, prepare: Any, params: Any, hu: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(enlarge(module.apply({"params": params}, prepare(hu)), hu.shape[-1]))


def _segment_scan(
    scan: Slices,
    trained: Trained,
    weak: Mapping[int, Network],
    options: Options,
    folder: pathlib.Path,
) -> int:
    """Segments one scan's slices into a folder that appears when it is complete.

    Returns:
        How many candidates were left out, over all slices.
    """
    scores = {
        int(name[-1]): classify(network, params, scan.hu, options.batch)
        for name, (network, params) in trained.items()
        if name != "unet"
    }
    detected = scores[1] >= 0.5
    rows = np.flatnonzero(detected)
    sought = np.maximum(scan.count, 1)[rows]
    results: dict[int, SliceResult] = dict(
        zip(
            rows.tolist(),
            segment_slices(scan.hu[rows], scan.lungs[rows], scan.spacing[rows], sought, weak, options),
        )
    )
    supervised = (
        segment_supervised(*trained["unet"], scan.hu, options.batch)
        if "unet" in trained
        else [None] * len(scan)
    )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    cases: list[Case] = []
    for n in range(len(scan)):
        result, probability = results.get(n), supervised[n]
        cases += _weak_cases(scan, n, result, {gaps: float(score[n]) for gaps, score in scores.items()})
        if probability is not None:
            cases.append(_case(scan, n, "U-Net", probability > 0.5, float(probability.max())))
        np.savez_compressed(
            partial / f"{scan.slice_index[n]:04d}.npz", **_arrays(scan, n, result, probability)
        )
    write_cases(partial / "cases.csv", cases)
    partial.rename(folder)
    return sum(result.cut for result in results.values())


def _weak_cases(scan: Slices, n: int, result: SliceResult | None, scores: Mapping[int, float]) -> list[Case]:
    masks = (
        {kind: {gaps: getattr(result, kind)(gaps) for gaps in scores} for kind in ("coarse", "fine")}
        if result
        else {kind: dict.fromkeys(scores) for kind in ("coarse", "fine")}
    )
    return [
        _case(scan, n, f"{gaps}-GAP {kind}", masks[kind][gaps], scores[gaps], detected=result is not None)
        for kind in ("coarse", "fine")
        for gaps in sorted(scores)
    ]


def _case(
    scan: Slices,
    n: int,
    method: str,
    mask: np.ndarray | None,
    score: float,
    detected: bool | None = None,
) -> Case:
    return case_row(
        mask,
        scan.nodules[n],
        patient=str(scan.patient[n]),
        series=str(scan.series[n]),
        z=float(scan.z[n]),
        spacing=float(scan.spacing[n]),
        nodules=int(scan.count[n]),
        method=method,
        score=score,
        detected=bool(mask is not None and mask.any()) if detected is None else detected,
    )


def _arrays(
    scan: Slices, n: int, result: SliceResult | None, probability: np.ndarray | None
) -> dict[str, Any]:
    """What is kept of a slice: where it lies in its scan, all masks, and the maps that figures show."""
    kept: dict[str, Any] = {
        "patient": scan.patient[n],
        "series": scan.series[n],
        "z": scan.z[n],
        "slice_index": scan.slice_index[n],
        "spacing": scan.spacing[n],
        "origin": scan.origin[n],
        "consensus": scan.nodules[n],
    }
    if probability is not None:
        kept["result U-Net"] = probability > 0.5
    if result is None:
        return kept
    kept["hull"] = result.hull
    kept["whole_lung"] = result.whole_lung
    kept["candidates left out"] = result.cut
    for gaps, regions in result.regions.items():
        kept[f"result {gaps}-GAP coarse"] = result.coarse(gaps)
        kept[f"result {gaps}-GAP fine"] = result.fine(gaps)
        kept[f"nam {gaps}"] = _blocks_mean(result.nams[gaps]).astype(np.float16)
        kept[f"scope {gaps}"] = np.logical_or.reduce([region.scope for region in regions])
        kept[f"candidates {gaps}"] = np.concatenate([region.candidates for region in regions])
        kept[f"scores {gaps}"] = np.concatenate([region.scores for region in regions])
    return kept


def _blocks_mean(nam: np.ndarray) -> np.ndarray:
    side = nam.shape[0] // NAM_STEP
    return nam.reshape(side, NAM_STEP, side, NAM_STEP).mean(axis=(1, 3))
