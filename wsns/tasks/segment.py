"""The task 'segment': detection, scopes, candidates and R-NAM screening on the test split.

Leaves one folder per scan in `masks/`, complete or not there, and `cases.csv`.
"""

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.data.records.schema import Slices
from wsns.evaluation.case_rows import KINDS, unet_case, weak_cases
from wsns.evaluation.cases import COLUMNS, Case, read_cases, write_cases
from wsns.run.networks import load_trained, method_input, segment_supervised, weak_networks
from wsns.run.settings import result_fields
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import ahead, threads
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import segment_slices
from wsns.segmentation.results import SliceResult
from wsns.tasks import train

NAM_STEP = 4
"""NAMs are kept as the means of blocks of so many pixels: their own stride is no finer."""


def segment(config: ConfigDict, workdir: pathlib.Path, stamps: files.Stamps) -> None:
    """Segments every test slice that is not segmented yet and writes `cases.csv`."""
    inputs = {
        "models": {name: train.inputs(config, workdir, name) for name in config.models},
        "segment": result_fields(config),
        "columns": COLUMNS,
    }
    masks = workdir / "masks"
    whole = files.is_whole(workdir / "cases.csv")
    if not stamps.must_do("segment", inputs, "segment the test slices", whole=whole):
        return
    options = Options(**config.segment.to_dict())
    slices = records.load(workdir / "records", "test")
    trained = load_trained(config, workdir)
    stamps.begin("segment", inputs, masks, workdir / "cases.csv")
    scans = {series: np.flatnonzero(slices.series == series) for series in dict.fromkeys(slices.series)}
    folders = {
        series: files.scan_folder(masks, slices.patient[rows[0]], series) for series, rows in scans.items()
    }
    missing = [series for series in scans if not files.is_done(folders[series])]
    count = len(slices)
    # Without what is done, and scan by scan; the rest need not wait in memory.
    slices = slices.take(np.concatenate([np.zeros(0, int), *(scans[series] for series in missing)]))
    left_out = 0
    with (
        progress.bar(count, "segment", initial=count - len(slices), compiles=True) as shown,
        threads() as each,
    ):
        networks, screen = weak_networks(config, trained, options)
        given = method_input(slices, config.model.channels)
        weak = segment_slices(given, networks, screen, options, ahead=ahead, each=each)
        unet = segment_supervised(*trained["unet"], given, options.batch) if "unet" in trained else None
        for series in missing:
            own = slices.take(slices.series == series)
            left_out += _write_scan(own, options, weak, unet, folders[series], shown)
    if left_out:
        print(f"segment: {left_out} candidates were left out as too many (config.segment.max_candidates)")
    cases = [case for folder in folders.values() for case in read_cases(folder / "cases.csv")]
    write_cases(workdir / "cases.csv", cases)
    stamps.mark_done("segment", inputs)


def _write_scan(
    scan: Slices,
    options: Options,
    weak: Iterator[SliceResult],
    unet: Iterator[np.ndarray] | None,
    folder: pathlib.Path,
    shown: Any,
) -> int:
    """Takes one scan's results and writes them to a folder that appears when it is complete.

    Returns:
        How many candidates were left out, over all slices.
    """
    cases: list[Case] = []
    cut = 0
    with files.appearing(folder) as partial:
        for n, result in enumerate(itertools.islice(weak, len(scan))):
            cases += [case for kind in KINDS for case in weak_cases(scan, n, result, kind, options)]
            cut += result.cut
            probability = next(unet) if unet else None
            if probability is not None:
                cases.append(unet_case(scan, n, probability))
            np.savez_compressed(
                partial / f"{scan.slice_index[n]:04d}.npz", **_arrays(scan, n, result, probability)
            )
            shown.update(1)
        write_cases(partial / "cases.csv", cases)
    return cut


def _arrays(scan: Slices, n: int, result: SliceResult, probability: np.ndarray | None) -> dict[str, Any]:
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
    if not result.detected:
        return kept
    kept["hull"] = result.hull
    kept["whole_lung"] = result.whole_lung
    kept["candidates left out"] = result.cut
    for gaps, regions in result.regions.items():
        kept[f"result {gaps}-GAP coarse"] = result.coarse(gaps)
        kept[f"result {gaps}-GAP fine"] = result.fine(gaps)
        kept[f"nam {gaps}"] = blocks_mean(result.nams[gaps]).astype(np.float16)
        kept[f"scope {gaps}"] = np.logical_or.reduce([region.scope for region in regions])
        kept[f"candidates {gaps}"] = np.concatenate([region.candidates for region in regions])
        kept[f"scores {gaps}"] = np.concatenate([region.scores for region in regions])
    return kept


def blocks_mean(nam: np.ndarray) -> np.ndarray:
    """Returns a NAM (S, S) as it is kept: the means of blocks of `NAM_STEP` pixels."""
    side = nam.shape[0] // NAM_STEP
    return nam.reshape(side, NAM_STEP, side, NAM_STEP).mean(axis=(1, 3))
