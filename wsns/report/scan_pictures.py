"""A scan as small pictures: slices, labels and maps as `report.html` of a scan embeds them."""

import base64
import io
from collections.abc import Mapping

import matplotlib
import numpy as np
from PIL import Image
from scipy import ndimage

from wsns.data.volume import AIR_HU

MARGIN_MM = 15.0
"""Around the lungs, what is kept of the chest wall."""
TONES = ((AIR_HU, 0), (-160, 100), (240, 200), (1050, 255))
"""HU and the grey that stands for them, straight lines between: soft tissue gets the finest steps, and all of the
page's windows fit in. Below is air, which has nothing lower."""
QUALITY = 80
MAP_MM = 3.0
MAP_LEVELS = 64
"""Of the map's colours; more can't be told apart over a slice."""


def kept(lungs: np.ndarray, labels: np.ndarray, spacing: float) -> tuple[slice, slice]:
    """Returns the rows and columns that hold all lungs and nodules, with a margin; all of them if there are none.

    Args:
        lungs: (Z, Y, X), 0 outside.
        labels: (Z, Y, X), 0 outside.
        spacing: mm per pixel.
    """
    held = (lungs > 0).any(axis=0) | (labels > 0).any(axis=0)
    if not held.any():
        return slice(0, held.shape[0]), slice(0, held.shape[1])
    margin = round(MARGIN_MM / spacing)
    lines = (np.flatnonzero(np.any(held, axis=axis)) for axis in (1, 0))
    sides = [
        slice(max(0, int(there[0]) - margin), min(size, int(there[-1]) + 1 + margin))
        for there, size in zip(lines, held.shape, strict=True)
    ]
    return sides[0], sides[1]


def greys(hu: np.ndarray) -> np.ndarray:
    """Returns HU (...,) as greys (...,) uint8, by `TONES`."""
    hus, levels = zip(*TONES, strict=True)
    low, high = hus[0], hus[-1]
    table = np.rint(np.interp(np.arange(low, high + 1), hus, levels)).astype(np.uint8)
    found: np.ndarray = table[np.clip(hu, low, high).astype(int) - low]
    return found


def tones() -> np.ndarray:
    """Returns (256,) the HU that each grey stands for."""
    hus, levels = zip(*TONES, strict=True)
    return np.interp(np.arange(256), levels, hus)


def jpeg(hu: np.ndarray) -> bytes:
    """Returns a slice (Y, X) in HU as JPEG, in greys."""
    buffer = io.BytesIO()
    Image.fromarray(greys(hu)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def windowed(hu: np.ndarray, window: tuple[float, float]) -> bytes:
    """Returns a picture (Y, X) in HU as PNG, black and white at the window's ends."""
    low, high = window
    levels = np.clip((hu - float(low)) / (high - low), 0, 1) * 255
    buffer = io.BytesIO()
    Image.fromarray(np.rint(levels).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def uri(picture: bytes, kind: str) -> str:
    """Returns a picture as an address that holds it; `kind` is 'png' or 'jpeg'."""
    return f"data:image/{kind};base64,{base64_of(picture)}"


def base64_of(picture: bytes) -> str:
    """Returns a picture's bytes as text."""
    return base64.b64encode(picture).decode()


def runs(labels: np.ndarray) -> list[int]:
    """Returns a label map (Y, X) as number, first pixel and length of each run of pixels, row after row."""
    flat = labels.ravel().astype(np.int64)
    starts = np.flatnonzero(np.diff(flat, prepend=0))
    lengths = np.diff(starts, append=len(flat))
    there = flat[starts] > 0
    found = np.stack([flat[starts], starts, lengths], axis=1)[there]
    return [int(value) for value in found.ravel()]


def map_pictures(nam: np.ndarray, spacing: float) -> tuple[dict[int, bytes], int]:
    """Returns by slice the positive part of a map as PNG, where it has one, and how many pixels each of theirs covers.

    The colours are those of the project's figures, transparent at 0 and brightest at the scan's maximum.

    Args:
        nam: (Z, Y, X), 0 where nothing was read, negative where a nodule is unlikely.
        spacing: mm per pixel.
    """
    step = max(1, round(MAP_MM / spacing))
    top, pictures = float(nam.max(initial=0)), {}
    for k, plane in enumerate(nam):
        if plane.max(initial=0) > 0:
            levels = np.rint(_shrunk(np.maximum(plane, 0), step) / top * (MAP_LEVELS - 1)).astype(np.uint8)
            if levels.any():
                pictures[k] = _coloured(levels)
    return pictures, step


def _shrunk(plane: np.ndarray, step: int) -> np.ndarray:
    """Returns the means of blocks of `step` pixels of a plane (Y, X); those at the far edges hold less."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % step), (0, -width % step)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    found: np.ndarray = blocks.mean(axis=(1, 3))
    return found


def _coloured(levels: np.ndarray) -> bytes:
    """Returns levels (h, w) as PNG with the map's colours, the more opaque the higher."""
    share = np.arange(MAP_LEVELS) / (MAP_LEVELS - 1)
    colours = matplotlib.colormaps["inferno"](share, bytes=True)[:, :3]
    image = Image.fromarray(levels)
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes(np.rint(255 * 0.75 * np.sqrt(share)).astype(np.uint8)))
    return buffer.getvalue()


def edges(mask: np.ndarray) -> str:
    """Returns the border of a mask (h, w) along its pixels, as an SVG path in pixels from its corner."""
    parts = []
    for turned in (False, True):
        padded = np.pad(mask.T if turned else mask, ((1, 1), (0, 0))).astype(bool)
        for line, change in enumerate(padded[1:] != padded[:-1]):
            ends = np.flatnonzero(np.diff(change.astype(np.int8), prepend=0, append=0))
            for start, end in zip(ends[::2], ends[1::2], strict=True):
                parts.append(f"M{line} {start}v{end - start}" if turned else f"M{start} {line}h{end - start}")
    return "".join(parts)


def boxes(labels: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """Returns by number where each nodule of a label map (Z, Y, X) lies, as slices of it."""
    found = ndimage.find_objects(labels) if labels.any() else []
    return {number: box for number, box in enumerate(found, start=1) if box is not None}


def largest(labels: np.ndarray, places: Mapping[int, tuple[slice, ...]]) -> dict[int, int]:
    """Returns by number the slice (from 0) of a label map (Z, Y, X) in which each nodule has most pixels."""
    most = {}
    for number, box in places.items():
        areas = np.count_nonzero(labels[box] == number, axis=(1, 2))
        most[number] = int(box[0].start + areas.argmax())
    return most


def through(labels: np.ndarray, number: int, box: tuple[slice, ...], count: int) -> list[int]:
    """Returns at most `count` slices (from 0) of a label map (Z, Y, X), from a nodule's first to its last."""
    there = box[0].start + np.flatnonzero((labels[box] == number).any(axis=(1, 2)))
    picked = np.unique(np.rint(np.linspace(0, len(there) - 1, min(count, len(there)))).astype(int))
    return [int(k) for k in there[picked]]
