"""A small chest, as an image in any stored order and file format."""

import numpy as np
import SimpleITK as sitk

SHAPE = (30, 192, 224)
SPACING = (1.4, 1.4, 5.0)
ORIGIN = (-60.0, -70.0, 100.0)
NODULE = 77


def chest():
    """(Z, Y, X) int16: a body with two lungs that differ, noise, and a nodule of one value in the left one."""
    z, y, x = np.indices(SHAPE) - np.array([15, 96, 112])[:, None, None, None]
    hu = np.where((y / 80) ** 2 + (x / 105) ** 2 < 1, 30, -1000)
    lung = (z / 13) ** 2 + (y / 55) ** 2 < 1
    hu = np.where(lung & (((np.abs(x) - 48) / (32 + 3 * (x > 0))) ** 2 + (y / 55) ** 2 < 1), -850, hu)
    nodule = (z / 1.5) ** 2 + ((y - 20) / 5) ** 2 + ((x - 55) / 5) ** 2 < 1
    noise = np.random.default_rng(0).integers(-12, 13, SHAPE)
    return np.where(nodule, NODULE, hu + noise).astype(np.int16)


def image(array=None, axes=(0, 1, 2), flips=(False, False, False)):
    """The chest as an image whose stored axis `axes[n]` runs along the patient's axis n, backwards if `flips[n]`."""
    axial = chest() if array is None else array
    turned = axial[tuple(slice(None, None, -1 if flips[n] else 1) for n in (2, 1, 0))]
    stored = turned.transpose(np.argsort([2 - axes[n] for n in (2, 1, 0)]))
    made = sitk.GetImageFromArray(np.ascontiguousarray(stored))
    direction, spacing, origin = np.zeros((3, 3)), np.zeros(3), np.array(ORIGIN)
    for n, (axis, flip) in enumerate(zip(axes, flips)):
        direction[n, axis] = -1 if flip else 1
        spacing[axis] = SPACING[n]
        origin[n] += (axial.shape[2 - n] - 1) * SPACING[n] if flip else 0
    made.SetSpacing(spacing.tolist())
    made.SetOrigin(origin.tolist())
    made.SetDirection(direction.ravel().tolist())
    return made
