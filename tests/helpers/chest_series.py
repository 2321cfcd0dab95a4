"""The small chest as a DICOM series, in any orientation, with or without faults, and read back as a scan."""

import chest_images
import numpy as np
from dicom_files import write

from wsns.data.dicom.index import index
from wsns.data.images.series import all_series, chosen, read_series

SERIES = "1.2.840.77"
SHAPE = chest_images.SHAPE
TAGS = {"PixelSpacing": [1.4, 1.4], "StudyInstanceUID": "1.2.9", "PatientID": "somebody"}


def export(folder, *, uid=SERIES, axial=None, orientation=(1, 0, 0, 0, 1, 0), order=None, skip=(), z0=100.0, step=5.0,
           shift=0.0, square=True, **tags):  # fmt: skip
    """Writes the chest as a scanner would that stores rows and columns in these directions (1 or -1).

    `tags` replace or add header elements; None leaves one out.
    """
    axial = chest_images.chest() if axial is None else axial
    if square:
        side = min(axial.shape[1:])
        axial = axial[:, :side, (axial.shape[2] - side) // 2 :][:, :, :side]
    rows, columns = axial.shape[1:]
    # The small slices know nothing of these beforehand: there is nothing to take out.
    tags = {name: value for name, value in (TAGS | tags).items() if name not in TAGS or value is not None}
    flip_x, flip_y = orientation[0] < 0, orientation[4] < 0
    stored = axial[:, :: -1 if flip_y else 1, :: -1 if flip_x else 1]
    x = chest_images.ORIGIN[0] + (columns - 1) * 1.4 * flip_x
    y = chest_images.ORIGIN[1] + (rows - 1) * 1.4 * flip_y
    for n in range(len(axial)) if order is None else order:
        if n not in skip:
            write(
                folder / f"{uid[-2:]}_{n:03d}", uid, z0 + step * n, instance=n + 1,
                pixels=np.ascontiguousarray(stored[n] + 1024),
                ImageOrientationPatient=list(orientation),
                ImagePositionPatient=[x, y + shift * n, z0 + step * n], **tags,
            )  # fmt: skip
    return axial


def read(folder, uid="", **how):
    found = index(str(folder), field="config.predict.input")
    (series,) = chosen(all_series(found), uid)
    return read_series(series, found.passed_over, **how)
