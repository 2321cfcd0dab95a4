"""Signs that a lung, or a part of it, was not found: in sentences with figures."""

import numpy as np

MIN_ML, MAX_ML = 700, 5000
MAX_CUT_MM2 = 500
MIN_VOLUME_SHARE = 0.5  # of the other lung's
MIN_LENGTH_SHARE = 0.75  # of the other lung's
MIN_HEIGHT_SHARE = 0.6  # of both lungs' width
MIN_AIRWAY_ML = 5
TAIL = 0.01  # of a lung's volume, left out of its lengths at either end
HEIGHT, DEPTH, REACH = "from feet to head", "from front to back", "from the body's midline to the side"
LUNGS = ("Lung 1 (left in the image)", "Lung 2 (right in the image)")


def warnings(
    coarse: np.ndarray, voxel: tuple[float, float, float], middle: float, cut_mm2: tuple[float, float]
) -> tuple[str, ...]:
    """Compares the lungs with what lungs have, and with each other.

    Args:
        coarse: (z, y, x) uint8, see `wsns.data.lungs.masks.Lungs`.
        voxel: size in mm.
        middle: column of the body's midline.
        cut_mm2: area of lung 1 and of lung 2 at the edge of the field of view.

    Returns:
        Plain sentences; none where both lungs look whole.
    """
    ml = [float(np.count_nonzero(coarse == label) * np.prod(voxel)) / 1000 for label in (1, 2, 3)]
    found = [f"{LUNGS[n]} is missing: no lung's air was found on its side." for n in (0, 1) if not ml[n]]
    found += [f"{LUNGS[n]} has {ml[n]:,.0f} ml, less than {MIN_ML} ml." for n in (0, 1) if 0 < ml[n] < MIN_ML]
    found += [f"{LUNGS[n]} has {ml[n]:,.0f} ml, more than {MAX_ML:,} ml." for n in (0, 1) if ml[n] > MAX_ML]
    for n in (0, 1):
        if cut_mm2[n] > MAX_CUT_MM2:
            found.append(
                f"{LUNGS[n]} is cut by the edge of the field of view, on {cut_mm2[n] / 100:,.0f} cm2."
            )
    if ml[0] and ml[1]:
        found += _differences(coarse, voxel, middle, ml)
    if ml[2] < MIN_AIRWAY_ML:
        found.append("No trachea was found: the lungs may hold the airway.")
    return tuple(found)


def _differences(
    coarse: np.ndarray, voxel: tuple[float, float, float], middle: float, ml: list[float]
) -> list[str]:
    found = []
    less = int(ml[1] < ml[0])
    if ml[less] < MIN_VOLUME_SHARE * ml[1 - less]:
        found.append(
            f"{LUNGS[less]} has {ml[less]:,.0f} ml, less than half of the other one's {ml[1 - less]:,.0f} ml."
        )
    lengths = [_lengths(coarse == label, voxel, middle) for label in (1, 2)]
    for direction in lengths[0]:
        both = [length[direction] for length in lengths]
        less = int(both[1] < both[0])
        if both[less] < MIN_LENGTH_SHARE * both[1 - less]:
            found.append(
                f"{LUNGS[less]} has {both[less]:.0f} mm {direction}, the other one {both[1 - less]:.0f} mm."
            )
    height, width = max(length[HEIGHT] for length in lengths), sum(length[REACH] for length in lengths)
    if height < MIN_HEIGHT_SHARE * width:
        found.append(f"The lungs have only {height:.0f} mm {HEIGHT}, at a width of {width:.0f} mm.")
    return found


def _lengths(lung: np.ndarray, voxel: tuple[float, float, float], middle: float) -> dict[str, float]:
    """Returns how far a lung reaches, in mm by direction, without its outermost hundredths."""
    ends = []
    for axis in range(3):
        total = np.cumsum(lung.sum(axis=tuple(a for a in range(3) if a != axis)))
        ends.append(np.searchsorted(total, np.array([TAIL, 1 - TAIL]) * total[-1]) + [0, 1])
    side = max(middle - ends[2][0], ends[2][1] - middle)
    return {
        HEIGHT: float(ends[0][1] - ends[0][0]) * voxel[0],
        DEPTH: float(ends[1][1] - ends[1][0]) * voxel[1],
        REACH: float(side) * voxel[2],
    }
