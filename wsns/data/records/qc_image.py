"""The picture by which a person checks a scan at a glance: lungs, crop and nodules, in four panels."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from skimage.draw import rectangle_perimeter
from skimage.segmentation import find_boundaries

from wsns.data.lungs.masks import Lungs
from wsns.data.volume import Volume
from wsns.ops.morphology import box, dilated

SIDE = 300  # pixels, each panel's height and width
GAP = 4
WIDTH = 4 * SIDE + 3 * GAP
WINDOW = (-1100, 350)  # HU that are shown black and white
LUNG_COLOURS = {1: (86, 180, 233), 2: (60, 200, 140), 3: (204, 121, 167)}
NODULE, FRAME, BAR = (255, 226, 0), (255, 255, 255), (255, 140, 0)
BAR_MM = 50
TINT = 0.45
TICK = 14  # pixels, a mark at the coronal panel's edge


def check_picture(
    volume: Volume, lungs: Lungs, origin: tuple[int, int], crop: int, outlines: Mapping[int, np.ndarray]
) -> np.ndarray:
    """Draws a scan's lungs, crop and nodules.

    On the left a coronal section through the lungs' middle in true proportions, head up, with the lungs blue and
    green, the airway violet, the crop's sides white; yellow marks at its left edge are the slices with a nodule,
    white ones at its right edge the slices shown. These follow from head to feet, outlined in the same colours,
    with the crop's frame white and the nodules yellow. An orange bar at each panel's foot is `BAR_MM` long.

    Args:
        volume: the scan.
        lungs: its lungs.
        origin: row and column of the crop's first pixel, negative where it leaves the slice.
        crop: the crop's side in pixels.
        outlines: by slice index the nodules (Y, X) uint8, 0 where there is none.

    Returns:
        (H, W, 3) uint8.
    """
    shown = shown_slices(lungs, len(volume.z), outlines)
    empty = np.zeros(volume.hu.shape[1:], np.uint8)
    panels = [_coronal(volume, lungs, origin, crop, [k for k in outlines if outlines[k].any()], shown)]
    for k in shown:
        panels.append(
            _axial(
                volume.hu[k],
                lungs.in_slice(volume.hu[k], k),
                outlines.get(k, empty),
                origin,
                crop,
                volume.spacing,
            )
        )
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)


def shown_slices(lungs: Lungs, depth: int, outlines: Mapping[int, np.ndarray]) -> tuple[int, ...]:
    """Chooses three axial slices, from head to feet: of each third of the range the one with the largest nodules.

    The range holds the lungs and all nodules. Where a third has no nodule, its middle slice stands for it.
    `outlines` are masks (H, W) by slice.
    """
    sizes = {k: size for k, labels in outlines.items() if (size := np.count_nonzero(labels))}
    span = lungs.extent(depth)[0]
    edges = np.linspace(min([span.start, *sizes]), max([span.stop - 1, *sizes]) + 1, 4).astype(int)
    thirds = [range(low, max(low + 1, high)) for low, high in itertools.pairwise(edges.tolist())]
    return tuple(
        max(third, key=lambda k: (sizes.get(k, 0), -abs(k - third[len(third) // 2])))
        for third in reversed(thirds)
    )


def _coronal(
    volume: Volume,
    lungs: Lungs,
    origin: tuple[int, int],
    crop: int,
    nodules: Sequence[int],
    shown: Sequence[int],
) -> np.ndarray:
    columns_mm = volume.hu.shape[2] * volume.spacing
    step = max(columns_mm, float(np.ptp(volume.z))) / SIDE  # mm per pixel
    slices = _nearest(volume.z, volume.z[-1] - _steps(float(np.ptp(volume.z)), step))
    columns = (_steps(columns_mm, step) / volume.spacing).astype(int)
    rows = lungs.extent(len(volume.z))[1]
    middle = (rows.start + rows.stop) // 2
    picture = _grey(volume.hu[slices, middle][:, columns])
    labels = lungs.coarse[slices // lungs.factor[0], middle // lungs.factor[1]][:, columns // lungs.factor[2]]
    for label, colour in LUNG_COLOURS.items():
        tinted = labels == label
        picture[tinted] = (1 - TINT) * picture[tinted] + TINT * np.array(colour)
    for side in (origin[1], origin[1] + crop):
        at = round(side * volume.spacing / step)
        if 0 <= at < picture.shape[1]:
            picture[:, at] = FRAME
    where = np.round((volume.z[-1] - volume.z) / step).astype(int).clip(0, len(slices) - 1)
    picture[where[list(nodules)], :TICK] = NODULE
    picture[where[list(shown)], -TICK:] = FRAME
    return _padded(picture, step)


def _axial(
    hu: np.ndarray,
    lungs: np.ndarray,
    nodules: np.ndarray,
    origin: tuple[int, int],
    crop: int,
    spacing: float,
) -> np.ndarray:
    step = max(hu.shape) / SIDE  # pixels of the slice per pixel of the picture
    rows, columns = (_steps(length, step).astype(int) for length in hu.shape)
    picture = _grey(hu[np.ix_(rows, columns)])
    small = lungs[np.ix_(rows, columns)]
    edges = find_boundaries(small, mode="inner")
    for label in (1, 2):
        picture[edges & (small == label)] = LUNG_COLOURS[label]
    if nodules.any():
        where = box(dilated(nodules > 0, 1))
        rim = np.argwhere(find_boundaries(nodules[where] > 0, mode="outer")) + [side.start for side in where]
        picture[tuple((rim / step).astype(int).T)] = NODULE
    frame = np.zeros(picture.shape[:2], bool)
    low, high = (np.round((np.array(origin) + side) / step).astype(int) for side in (0, crop))
    frame[tuple(rectangle_perimeter(low, high, shape=frame.shape, clip=False))] = True
    picture[frame] = FRAME
    return _padded(picture, step * spacing)


def _grey(hu: np.ndarray) -> np.ndarray:
    low, high = WINDOW
    grey = (np.clip(hu, low, high).astype(np.float32) - low) * (255 / (high - low))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def _steps(length: float, step: float) -> np.ndarray:
    """Returns the places of the picture's pixels along a length: at least one, at most a panel's side."""
    return np.arange(min(max(round(length / step), 1), SIDE)) * step


def _nearest(sorted_values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the index of the value nearest to each wanted one."""
    after = np.searchsorted(sorted_values, wanted).clip(1, len(sorted_values) - 1)
    return after - (wanted - sorted_values[after - 1] < sorted_values[after] - wanted)


def _padded(picture: np.ndarray, step: float) -> np.ndarray:
    """Returns the picture, of `step` mm per pixel, in the middle of a black panel with a scale bar."""
    panel = np.zeros((SIDE, SIDE, 3), np.uint8)
    top, left = ((SIDE - length) // 2 for length in picture.shape[:2])
    panel[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    panel[-8:-5, 8 : 8 + round(BAR_MM / step)] = BAR
    return panel
