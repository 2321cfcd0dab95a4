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
from wsns.run import masks
from wsns.run.networks import load_trained
from wsns.run.settings import result_fields
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import ahead, threads
from wsns.runtime.steps import Stamps, Step
from wsns.segmentation.networks import method_input, segment_supervised, weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import segment_slices
from wsns.segmentation.results import SliceResult
from wsns.tasks import train


def segment(config: ConfigDict, workdir: pathlib.Path, stamps: Stamps) -> None:
    """Segments every test slice that is not segmented yet and writes `cases.csv`."""
    inputs = {
        "models": {name: train.inputs(config, workdir, name) for name in config.models},
        "segment": result_fields(config),
        "columns": COLUMNS,
    }
    made = workdir / "cases.csv"
    stamps.do(
        Step(
            "segment",
            "segment the test slices",
            inputs,
            (workdir / "masks", made),
            lambda: _segment(config, workdir),
            whole=files.is_whole(made),
        )
    )


def _segment(config: ConfigDict, workdir: pathlib.Path) -> None:
    folder = workdir / "masks"
    options = Options(**config.segment.to_dict())
    slices = records.load(workdir / "records", "test")
    trained = load_trained(config, workdir)
    scans = {series: np.flatnonzero(slices.series == series) for series in dict.fromkeys(slices.series)}
    folders = {
        series: files.scan_folder(folder, slices.patient[rows[0]], series) for series, rows in scans.items()
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
                partial / masks.file_name(scan.slice_index[n]), **masks.pack(scan, n, result, probability)
            )
            shown.update(1)
        write_cases(partial / "cases.csv", cases)
    return cut
