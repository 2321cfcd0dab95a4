"""Draws the synthetic chest of one scan so that its lungs hold the nodules."""

import dataclasses

import numpy as np

from wsns.data.synthetic.anatomy import Anatomy, lung_distance

_TRIALS = 160  # chests tried per scan; the second half varies the best of the first
_TOO_DEEP = 0.3  # what a mm too far inside weighs beside one outside
_RIM = 18.0  # mm between the lungs and the edge of the field of view


def draw(
    rng: np.random.Generator,
    z: np.ndarray,
    view: float,
    centres: np.ndarray,
    depths: np.ndarray,
    most: np.ndarray | float = np.inf,
) -> Anatomy:
    """Draws a chest whose lungs hold the given nodules.

    Random chests are drawn, the one that leaves the least of the nodules outside, or too far inside, is refined by
    small changes, and what still lies outside gets a local bulge of the lung.

    Args:
        rng: the source of chance.
        z: (Z,) ascending slice positions, mm.
        view: width of the image, mm; the lungs stay inside.
        centres: (N, 3) nodule centres (x, y, z), mm.
        depths: (N,) how far inside the lungs each centre should lie, mm; half of it is made sure of.
        most: (N,) how far inside at most, mm, as far as other nodules allow it.
    """
    best = _random(rng, z, view)
    miss = _misplaced(best, centres, depths, most)
    for trial in range(_TRIALS):
        if miss == 0:
            break
        other = _random(rng, z, view) if trial < _TRIALS // 2 else _varied(best, rng, z, view)
        missed = _misplaced(other, centres, depths, most)
        if missed < miss:
            best, miss = other, missed
    return dataclasses.replace(best, bulges=_bulges(best, rng, centres, depths))


def _random(rng: np.random.Generator, z: np.ndarray, view: float) -> Anatomy:
    x, y = rng.normal(0, 0.03, 2) * view / 2 + (0, 0.015 * view)
    length = z[-1] - z[0]
    apex = z[-1] - min(rng.uniform(12, 45), 0.12 * length)
    base = max(apex - rng.uniform(215, 275), z[0] + 0.02 * length)
    return Anatomy(
        centre=(x, y),
        half=(min(rng.uniform(108, 138), _widest(view, x)), min(rng.uniform(80, 97), _widest(view, y))),
        base=base,
        apex=apex,
        domes=(rng.uniform(50, 75), rng.uniform(40, 65)),
        heart=(rng.uniform(48, 62), rng.uniform(36, 46), rng.uniform(45, 60)),
        column=rng.uniform(21, 29),
        wall=(rng.uniform(26, 46), rng.uniform(28, 44)),
        fat=rng.uniform(6, 20),
        contrast=rng.choice([45.0, rng.uniform(110, 280)]),
        bulges=np.zeros((0, 7)),
    )


def _varied(a: Anatomy, rng: np.random.Generator, z: np.ndarray, view: float) -> Anatomy:
    """Returns the chest moved and stretched a little, inside the scan and inside plausible limits."""
    end = 0.01 * (z[-1] - z[0])
    base, apex = a.base + rng.normal(0, 10), a.apex + rng.normal(0, 6)
    stretch = rng.normal(1, 0.05, 2)
    x, y = a.centre + rng.normal(0, 6, 2)
    return dataclasses.replace(
        a,
        centre=(x, y),
        half=(
            float(np.clip(a.half[0] * stretch[0], 85, min(155, _widest(view, x)))),
            float(np.clip(a.half[1] * stretch[1], 68, min(110, _widest(view, y)))),
        ),
        base=max(base, z[0] + end),
        apex=min(apex, z[-1] - end),
        domes=(max(a.domes[0] + rng.normal(0, 8), 25.0), max(a.domes[1] + rng.normal(0, 8), 20.0)),
        column=max(a.column * rng.normal(1, 0.05), 17.0),
    )


def _widest(view: float, centre: float) -> float:
    """Returns the largest half axis of lungs with that centre (x or y) that the image holds, mm."""
    return view / 2 - abs(centre) - _RIM


def _misplaced(a: Anatomy, centres: np.ndarray, depths: np.ndarray, most: np.ndarray | float) -> float:
    """Returns by how much the nodules miss their depth in the lungs, mm summed; too far inside weighs less."""
    distance = lung_distance(a, *centres.T)
    return float((np.maximum(distance + depths, 0) + _TOO_DEEP * np.maximum(-distance - most, 0)).sum())


def _bulges(a: Anatomy, rng: np.random.Generator, centres: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Returns capsules from each nodule outside the lungs to the middle of its lung's section."""
    distance = lung_distance(a, *centres.T)
    rows = []
    for centre, depth, out in zip(centres, depths, distance):
        if out + 0.5 * depth <= 0:
            continue
        local = centre - [*a.centre, 0]
        side = 1 if local[0] > 0 else -1
        inner = np.array(
            [side * 0.55 * a.half[0], 0.15 * a.half[1], np.clip(centre[2], a.base + 90, a.apex - 40)]
        )
        reach = min((max(out, 0) + 12) / max(float(np.linalg.norm(inner - local)), 1.0), 1.0)
        rows.append([*local, *(local + reach * (inner - local)), depth + rng.uniform(1, 6)])
    return np.array(rows).reshape(-1, 7)
