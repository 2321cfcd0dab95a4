"""What differs between scanners, kernels and doses: noise and its grain, streaks, sharpness, the HU scale.

It is drawn once per scan. That it is drawn widely is what lets a network that saw only the twin find nodules in real
scans: it can't rely on the look of one scanner.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsns.errors import InputError

_SLOPE = 0.25  # of a streak's direction to the row, at most: streaks run from shoulder to shoulder


_LEGAL = {
    "noise": (0.1, 200.0),
    "grain": (0.0, 0.6),
    "streaks": (0.0, 200.0),
    "sharpness": (-0.25, 0.5),
    "scale": (0.5, 2.0),
    "offset": (-300.0, 300.0),
}


def _ends(ranges: "Ranges") -> dict[str, tuple[float, float]]:
    return {name: getattr(ranges, name) for name in _LEGAL}


@dataclasses.dataclass(frozen=True)
class Ranges:
    """Between which values the appearance of scans is drawn; equal ends fix it.

    randomised: whether scanners differ; else all are the one of `FIXED`.
    noise: SD of the noise, HU, log-uniform.
    grain: correlation of the noise between neighbouring pixels, 0 (a sharp kernel) to 0.6 (a soft one).
    streaks: SD of streaks along the rows, HU.
    sharpness: what a filter (−s, 1 + 2 s, −s) along rows and columns adds: negative blurs, positive sharpens.
    scale: factor on HU + 1000.
    offset: added to all HU.
    """

    randomised: bool = True
    noise: tuple[float, float] = (4.0, 45.0)
    grain: tuple[float, float] = (0.0, 0.6)
    streaks: tuple[float, float] = (0.0, 15.0)
    sharpness: tuple[float, float] = (-0.2, 0.25)
    scale: tuple[float, float] = (0.92, 1.08)
    offset: tuple[float, float] = (-35.0, 35.0)

    def __post_init__(self) -> None:
        for name, (low, high) in _ends(self).items():
            least, most = _LEGAL[name]
            if not least <= low <= high <= most:
                raise InputError(
                    f"config.data.twin.{name} is ({low:g}, {high:g}): two ascending values from {least:g} to {most:g}"
                )


RANDOMISED = Ranges()
"""Scanners, kernels and doses of many kinds: the default."""

FIXED = Ranges(
    noise=(16.0, 16.0),
    grain=(0.5, 0.5),
    streaks=(0.0, 0.0),
    sharpness=(0.0, 0.0),
    scale=(1.0, 1.0),
    offset=(0.0, 0.0),
)
"""One scanner, kernel and dose for all scans."""


def from_config(config: Mapping[str, Any]) -> Ranges:
    """Returns the ranges of `config.data.twin`.

    Raises:
        InputError: if a range has no legal values.
    """
    ranges = {name: tuple(config[name]) for name in _LEGAL if name in config}
    return dataclasses.replace(RANDOMISED, randomised=bool(config["randomised"]), **ranges)


@dataclasses.dataclass(frozen=True)
class Appearance:
    """The appearance of one scan; the fields are those of `Ranges`."""

    noise: float
    grain: float
    streaks: float
    sharpness: float
    scale: float
    offset: float


def draw(rng: np.random.Generator, ranges: Ranges) -> Appearance:
    """Draws the appearance of a scan: every field uniform in its range, noise on a logarithmic scale."""
    ranges = ranges if ranges.randomised else FIXED
    values: dict[str, Any] = {name: rng.uniform(*ends) for name, ends in _ends(ranges).items()}
    low, high = np.log(ranges.noise)
    return Appearance(**values | {"noise": float(np.exp(rng.uniform(low, high)))})


def develop(rng: np.random.Generator, hu: np.ndarray, look: Appearance) -> np.ndarray:
    """Returns a slice (Y, X) float32 as the scanner shows it: sharpened or blurred, scaled, with noise and streaks."""
    if look.sharpness:
        hu = _filtered(_filtered(hu, look.sharpness, 0), look.sharpness, 1)
    hu = hu + noise(rng, hu.shape, look.noise, look.grain)
    if look.streaks:
        hu += streaks(rng, hu.shape, look.streaks)
    if (look.scale, look.offset) != (1.0, 0.0):
        hu = (hu + np.float32(1000)) * np.float32(look.scale) + np.float32(look.offset - 1000)
    return hu


def noise(rng: np.random.Generator, shape: tuple[int, ...], sd: float, grain: float) -> np.ndarray:
    """Returns noise (Y, X) float32 of that SD (HU); neighbours correlate by `grain`, over two pixels by little.

    It is white noise through (a, 1, a) along rows and columns: neighbours then correlate by 2 a / (1 + 2 a²).
    """
    a = np.float32((1 - np.sqrt(1 - 2 * grain**2)) / (2 * grain)) if grain else np.float32(0)
    white = rng.standard_normal((shape[0] + 2, shape[1] + 2), np.float32)
    white = white[1:-1] + a * (white[:-2] + white[2:])
    white = white[:, 1:-1] + a * (white[:, :-2] + white[:, 2:])
    return white * np.float32(sd / (1 + 2 * a * a))


def streaks(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> np.ndarray:
    """Returns streaks (Y, X) float32 of that SD (HU): lines close to the rows that swell and fade along their way."""
    slope, bend = rng.uniform(-_SLOPE, _SLOPE, 2)
    x = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)
    reach = int((abs(slope) + abs(bend)) * shape[1]) + 2
    shift = np.rint(shape[1] * (slope * x + bend * (x * x - 0.125)) + reach / 2).astype(int)
    profile = rng.standard_normal(shape[0] + 2 * reach).astype(np.float32)
    lines = profile[(np.arange(shape[0])[:, None] + shift).clip(0, len(profile) - 1)]
    where = rng.uniform(-0.5, 0.5)
    envelope = np.exp(-((x - np.float32(where)) ** 2) / np.float32(0.08))
    return lines * (envelope * np.float32(sd / np.sqrt((envelope**2).mean())))


def _filtered(hu: np.ndarray, s: float, axis: int) -> np.ndarray:
    """Filters by (−s, 1 + 2 s, −s) along an axis; the border stays as it is."""
    made = hu * np.float32(1 + 2 * s)
    ahead, back = (
        np.take(hu, np.clip(np.arange(hu.shape[axis]) + o, 0, hu.shape[axis] - 1), axis) for o in (1, -1)
    )
    return made - np.float32(s) * (ahead + back)
