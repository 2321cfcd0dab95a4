"""`wsns.predict`: nodules in a chest CT, from Python."""

import os
from collections.abc import Collection
from typing import Any

import numpy as np
import SimpleITK as sitk

from wsns.data.images.ct import ChestCT, chest_ct
from wsns.data.images.files import itk_image
from wsns.errors import InputError
from wsns.prediction import inputs, networks
from wsns.prediction.scan import Prediction
from wsns.prediction.search import Choice, searcher
from wsns.runtime.background import ahead, threads

DEFAULTS: dict[str, Any] = {"detect": 0.3, "score": "change", "least": 10.8, "smallest": 3.0, "gaps": 0}
"""As configs/predict.py has them."""


def predict(
    image: str | os.PathLike[str] | sitk.Image | ChestCT,
    run: str | os.PathLike[str] | None = None,
    *,
    series: str = "",
    allow: Collection[str] = (),
    **choice: Any,
) -> Prediction:
    """Finds nodules in a chest CT.

        found = wsns.predict("scan.nii.gz")
        found.nodules[0]["long_axis_mm"], found.labels.shape

    Args:
        image: path of a folder of DICOM files with one scan, or of a NIfTI, NRRD or MetaImage file; or an image of
            SimpleITK in HU, its spacing in mm.
        run: folder of a finished run, or a file of networks; None takes those that come with the package.
        series: UID of the DICOM series, where a folder holds several.
        allow: of 'oblique', 'thick', 'missing', 'values': what a person has looked at and lets pass.
        choice: `detect`, `score`, `least`, `smallest` (mm) or `gaps`, see configs/predict.py.

    Returns:
        A `wsns.prediction.scan.Prediction`. Its arrays are axial slices (Z, Y, X), feet first, rows to the patient's
        back, columns to the left: `ct.volume.hu` int16 in HU, `labels` uint16 (0, or a nodule's number from 1, the
        likeliest first), `lungs` uint8, `nam` float32; `probabilities` is (Z,). `nodules` has a row for each, in mm,
        with the centre in the patient's coordinates (LPS).

    Raises:
        wsns.InputError: if it is no chest CT that can be searched, or the folder holds several scans.
    """
    if unknown := sorted(set(choice).difference(DEFAULTS)):
        raise TypeError(f"predict() has no argument {unknown[0]!r}; there are {', '.join(DEFAULTS)}")
    inputs.check(allow)
    with threads() as each:
        search = searcher(networks.load(os.fspath(run or "")), Choice.of(DEFAULTS | choice), ahead=ahead)
        return search(_scan(image, series, allow), each=each)


def _scan(image: Any, series: str, allow: Collection[str]) -> ChestCT:
    if isinstance(image, ChestCT):
        return image
    if isinstance(image, sitk.Image):
        stored, grid = itk_image(image)
        return chest_ct(np.array(stored), grid, name="image", allow=allow)
    found = inputs.find(os.fspath(image), series=series, allow=allow)
    if len(found) > 1:
        known = ", ".join(one.series or one.input for one in found[:4])
        raise InputError(f"{os.fspath(image)} holds {len(found)} scans ({known}): name one of them")
    return found[0].read()
