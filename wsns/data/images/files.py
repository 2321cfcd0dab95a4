"""CT images in single files: NIfTI, NRRD and MetaImage."""

import pathlib
import zlib
from collections.abc import Collection
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from wsns.data.dicom.file_names import shown
from wsns.data.images.ct import ChestCT, chest_ct
from wsns.data.images.grid import Grid
from wsns.errors import InputError

NIFTI = (".nii", ".nii.gz")
ENDINGS = (*NIFTI, ".nrrd", ".nhdr", ".mha", ".mhd")


def is_image(path: pathlib.Path) -> bool:
    """Says whether a file's name is that of an image which `read_image` reads."""
    return path.name.lower().endswith(ENDINGS)


def stem(path: pathlib.Path) -> str:
    """Returns an image file's name without its ending."""
    ending = max((end for end in ENDINGS if path.name.lower().endswith(end)), key=len, default="")
    return path.name[: len(path.name) - len(ending)] or path.name


def read_image(path: pathlib.Path, *, allow: Collection[str] = ()) -> ChestCT:
    """Reads a chest CT from a file.

    Args:
        path: of a NIfTI, NRRD or MetaImage file.
        allow: see `wsns.data.images.ct.chest_ct`.

    Raises:
        InputError: naming the file, if it can't be read or is no chest CT.
    """
    try:
        return _read(path, allow)
    except InputError as error:
        raise InputError(f"{shown(str(path))}: {error}") from error


def _read(path: pathlib.Path, allow: Collection[str]) -> ChestCT:
    if not path.is_file():
        raise InputError("there is no such file")
    if not is_image(path):
        raise InputError(f"is none of the images that are read here ({', '.join(ENDINGS)})")
    read = _nifti if path.name.lower().endswith(NIFTI) else _itk
    try:
        stored, grid = read(path)
    # What a library says of a file that is cut or of another kind is of many types.
    except (
        RuntimeError,
        ValueError,
        OSError,
        EOFError,
        zlib.error,
        nibabel.filebasedimages.ImageFileError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"can't be read as an image ({_reason(error)}): is it whole?") from error
    return chest_ct(stored, grid, name=stem(path), allow=allow)


def _nifti(path: pathlib.Path) -> tuple[np.ndarray, Grid]:
    """Reads NIfTI by nibabel: ITK takes a file that was cut, and turns what is no number into 0."""
    image: Any = nibabel.load(path)
    shape = image.shape
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    _three(len(shape), shape[3] if len(shape) == 4 else 0)
    stored = np.asanyarray(image.dataobj).reshape(shape)
    _single(stored.dtype.names is None and stored.dtype.kind in "iuf")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / np.where(spacing > 0, spacing, 1)
    return stored.T, Grid((shape[0], shape[1], shape[2]), spacing, affine[:3, 3], direction)


def _itk(path: pathlib.Path) -> tuple[np.ndarray, Grid]:
    return itk_image(sitk.ReadImage(str(path)))


def itk_image(image: sitk.Image) -> tuple[np.ndarray, Grid]:
    """Returns the voxels (k, j, i) of an image of SimpleITK, and where they lie.

    Raises:
        InputError: if it has not three dimensions, or several values in a voxel.
    """
    size = image.GetSize()
    if len(size) == 4 and size[3] == 1:
        image = image[:, :, :, 0]
        size = image.GetSize()
    _three(len(size), size[3] if len(size) == 4 else 0)
    _single(image.GetNumberOfComponentsPerPixel() == 1 and "complex" not in image.GetPixelIDTypeAsString())
    spacing, origin = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return sitk.GetArrayFromImage(image), Grid((size[0], size[1], size[2]), spacing, origin, direction)


def _three(dimensions: int, volumes: int) -> None:
    if dimensions != 3:
        several = f": extract one of its {volumes} volumes" if volumes else ""
        raise InputError(f"has {dimensions} dimensions, not three{several}")


def _single(one: bool) -> None:
    if not one:
        raise InputError(
            "its voxels hold several values each (a colour picture, or a vector field), not one HU"
        )


def _reason(error: Exception) -> str:
    """Returns the last line of a library's message, in which the reason stands."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("sitk::ERROR:").strip()[:200] if lines else "no reason given"
