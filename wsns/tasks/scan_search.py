"""Whole scans through the method: every slice in which the readers agree whether there is a nodule."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from wsns.data.lidc.annotations import Scan
from wsns.data.records.plan import Plan, make_plan
from wsns.data.records.plan import options as data_options
from wsns.data.records.schema import Slices
from wsns.data.records.workers import read_whole
from wsns.errors import InputError
from wsns.evaluation.case_rows import weak_cases
from wsns.evaluation.cases import Case, write_cases
from wsns.evaluation.mark_scores import result_scores
from wsns.evaluation.scan_marks import Mark, find_marks
from wsns.run.networks import load_trained
from wsns.run.scan_files import MARKS, MASKS, SCANS
from wsns.runtime import progress
from wsns.runtime import workdir as files
from wsns.runtime.background import ahead, threads
from wsns.segmentation.networks import method_input, weak_networks
from wsns.segmentation.nodules import Piece, join
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import segment_slices
from wsns.segmentation.results import SliceResult


def search(
    config: ConfigDict, workdir: pathlib.Path, folder: pathlib.Path, split: str = "test"
) -> list[pathlib.Path]:
    """Searches the scans of a split that have no folder yet and returns the folders of all.

    A scan that can't be used is left out with a word: records and table, which don't hold it, stand without it.

    Raises:
        InputError: if the archive is not as it must be, or no scan of the split can be used.
    """
    choice = data_options(config.data)
    plan = make_plan(choice, progress.through, workdir / "dicom_index.json.gz", every=True)
    chosen = choose_scans(plan, config.scans.most, config.data.seed, split)
    todo = [scan for scan in chosen if not files.is_done(_folder(folder, scan))]
    trained = {name: of for name, of in load_trained(config, workdir).items() if name != "unet"}
    options = dataclasses.replace(Options(**config.segment.to_dict()), detect=config.scans.detect)
    networks, screen = weak_networks(config, trained, options)

    read = read_whole(todo, plan.source, choice.rules, choice.workers)
    with (
        progress.bar(len(chosen), "scans", initial=len(chosen) - len(todo), unit="scan") as shown,
        threads() as each,
    ):
        for scan, slices in zip(todo, read, strict=True):
            if isinstance(slices, InputError):
                progress.say(f"left out: {slices}")
                shown.update(1)
                continue
            # Nothing of a whole scan is known beforehand: one nodule per slice is sought.
            whole = method_input(slices, config.model.channels)._replace(counts=np.ones(len(slices), int))
            results = segment_slices(whole, networks, screen, options, ahead=ahead, each=each)
            _write(_folder(folder, scan), scan, slices, results, options, config)
            shown.update(1)
    found = [own for scan in chosen if (own := _folder(folder, scan)).exists()]
    if not found:
        raise InputError(
            f"none of the {len(chosen)} {split} scans can be searched whole: see the reasons above"
        )
    if missing := len(chosen) - len(found):
        print(
            f"scans: {missing} of {len(chosen)} {split} scans can't be used and are left out; the reasons stand above"
        )
    return found


def choose_scans(plan: Plan, most: int, seed: int, split: str = "test") -> list[Scan]:
    """Returns the scans of a split's patients, at most so many, drawn at random.

    Raises:
        InputError: if there is none.
    """
    found = [scan for scan in plan.scans.values() if plan.parts[scan.patient] == split]
    if not found:
        raise InputError(f"no patient stands in the {split} split: take more scans (config.data.max_scans)")
    order = np.random.default_rng([seed, 0x5CA7]).permutation(len(found))
    return [found[n] for n in sorted(order[:most])]


def _folder(folder: pathlib.Path, scan: Scan) -> pathlib.Path:
    return files.scan_folder(folder, scan.patient, scan.series)


def _write(
    folder: pathlib.Path,
    scan: Scan,
    slices: Slices,
    results: Iterator[SliceResult],
    options: Options,
    config: ConfigDict,
) -> None:
    """Writes one scan's cases, marks and counts to a folder that appears when it is complete."""
    cases: list[Case] = []
    pieces: dict[int, list[Piece]] = {}
    first = int(slices.slice_index[0])
    for n, result in enumerate(results):
        cases += weak_cases(slices, n, result, "fine", options, config.segment.detect)
        for gaps in result.probabilities:
            own = pieces.setdefault(gaps, [])
            if scores := result_scores(result, gaps):
                own.append(Piece(int(slices.slice_index[n]) - first, (0, 0), result.fine(gaps), scores))
    # Where a slice was left out, nothing was found; what was found on both sides of one is bridged.
    depth = int(slices.slice_index[-1]) - first + 1
    numbers = np.zeros((depth, *slices.nodules.shape[1:]), np.uint8)
    z = np.interp(np.arange(depth), slices.slice_index - first, slices.z)
    for own, image, k in zip(slices.cluster, slices.nodules, slices.slice_index):
        numbers[k - first] = np.append(0, own)[image]
    spacing = float(slices.spacing[0])
    joined = {
        gaps: join(
            own, numbers.shape, ranks=config.scans.score, step=float(slices.thickness[0]), pixel=spacing,
            smallest=config.scans.smallest,
        )
        for gaps, own in sorted(pieces.items())
    }  # fmt: skip
    name = {"patient": scan.patient, "series": scan.series}
    rows = [
        name | {"method": f"{gaps}-GAP fine"} | _mark_row(mark)
        for gaps, found in joined.items()
        for mark in find_marks(found, config.scans.score, numbers, z, spacing)
    ]
    nodules = sorted({int(number) for number in np.unique(numbers) if number})
    drawn = {int(number) for number in slices.cluster.ravel() if number}
    fact = {
        "slices": len(slices),
        "left_out": len(scan.z) - len(slices),
        "nodules": " ".join(map(str, nodules)),
        "unreachable": len(drawn.difference(nodules)),
    }
    with files.appearing(folder) as partial:
        write_cases(partial / "cases.csv", cases)
        files.write_rows(partial / "marks.csv", MARKS, rows)
        files.write_rows(partial / "scans.csv", SCANS, [name | fact])
        kept = {f"{gaps}-GAP fine": found.labels for gaps, found in joined.items()}
        places: dict[str, Any] = {
            "first_slice": first,
            "origin": slices.origin[0],
            "z": z,
            "spacing": spacing,
        }
        np.savez_compressed(partial / MASKS, **{**kept, **places})


def _mark_row(mark: Mark) -> dict[str, Any]:
    return dataclasses.asdict(mark) | dict(mark.scores) | {"hits": " ".join(map(str, mark.hits))}
