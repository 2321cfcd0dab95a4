"""What a searched scan leaves in its folder, in the formats of the tools that open it."""

import datetime
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsns.errors import InputError
from wsns.export import dicom
from wsns.export.volumes import write_segments, write_volume
from wsns.prediction.scan import COLUMNS, Prediction
from wsns.prediction.search import RESEARCH_ONLY
from wsns.report import scan_page
from wsns.runtime import workdir as files

SLICE_COLUMNS = ("slice", "z_mm", "probability", "lung_mm2", "nodules", "sop_uid")


def write(
    folder: pathlib.Path,
    found: Prediction,
    manifest: Mapping[str, Any],
    title: str,
    when: datetime.datetime,
) -> list[str]:
    """Writes all files of a scan.

    Args:
        folder: which is there.
        found: in the scan.
        manifest: of `predict.json`, without names of files.
        title: of the page.
        when: it was made, for SEG and SR.

    Returns:
        What couldn't be written, or wasn't for want of nodules, each a sentence.
    """
    ct, names = found.ct, [f"nodule {row['nodule']}" for row in found.nodules]
    write_volume(folder / "nodules.nii.gz", found.labels, ct)
    write_volume(folder / "lungs.nii.gz", found.lungs, ct)
    # Three digits tell all that a map can, and pack four times smaller.
    write_volume(folder / "nam.nii.gz", found.nam.astype(np.float16).astype(np.float32), ct)
    write_segments(folder / "nodules.seg.nrrd", found.labels, names, ct)
    files.write_rows(folder / "nodules.csv", COLUMNS, found.nodules)
    files.write_rows(folder / "slices.csv", SLICE_COLUMNS, slice_rows(found))
    left_out = _write_dicom(folder, found, when)
    told = [*manifest["warnings"], *left_out]
    files.write_json(folder / "predict.json", {**manifest, "warnings": told})
    view = scan_page.ScanView(
        ct.volume.hu,
        ct.volume.z,
        ct.volume.spacing,
        found.labels,
        found.lungs,
        found.nam,
        found.probabilities,
    )
    # The page says that one itself, above all else.
    shown = [words for words in told if words != RESEARCH_ONLY]
    facts = {name: value for name, value in manifest.items() if name not in ("warnings", "nodules")}
    files.write_text(folder / "report.html", scan_page.scan_page(title, view, found.nodules, facts, shown))
    return left_out


def slice_rows(found: Prediction) -> list[dict[str, Any]]:
    """Returns a row for each slice, by `SLICE_COLUMNS`, counted from 1 at the feet."""
    volume = found.ct.volume
    rows = []
    for k, (z, probability) in enumerate(zip(volume.z, found.probabilities, strict=True)):
        numbers = np.unique(found.labels[k])
        rows.append(
            {
                "slice": k + 1,
                "z_mm": round(float(z), 3),
                "probability": "" if np.isnan(probability) else round(float(probability), 4),
                "lung_mm2": round(float(np.count_nonzero(found.lungs[k]) * volume.spacing**2), 1),
                "nodules": " ".join(str(number) for number in numbers if number),
                "sop_uid": found.ct.sop_uids[k] if found.ct.sop_uids else "",
            }
        )
    return rows


def _write_dicom(folder: pathlib.Path, found: Prediction, when: datetime.datetime) -> list[str]:
    """Writes SEG and SR of a DICOM series; returns what wasn't written, and why."""
    if not found.ct.series:
        return []
    if not found.nodules:
        return ["No nodule was found: no DICOM SEG and no SR are written, which must name one at least."]
    nodules = [
        dicom.Nodule(own, row["score"], row["side"])
        for own, row in zip(found.measured, found.nodules, strict=True)
    ]
    try:
        seg = dicom.write_seg(folder / "nodules.seg.dcm", found.labels, nodules, found.ct, when=when)
        dicom.write_sr(folder / "measurements.sr.dcm", seg, nodules, when=when)
    except InputError as error:
        return [f"No DICOM SEG and no SR are written: {error}"]
    return []
