"""Patches of synthetic chests with procedural nodules, to pretrain on: the twin's own renderer, no reader's mask.

Each comes with the place of its nodules. A network that starts from them knows what a nodule looks like and where it
is: whatever stands on such a start must say so.
"""

from typing import NamedTuple

import numpy as np

from wsns.data.lidc.annotations import Cluster, Scan
from wsns.data.records.neighbours import nearest
from wsns.data.synthetic import anatomy, procedural_nodules, scanner
from wsns.data.synthetic import placement as twin_fit
from wsns.data.synthetic.lidc_nodules import paint
from wsns.data.synthetic.renderer import SIZE, Renderer

VERSION = 2
SLICES, PER_SLICE = 6, 6
"""Of one chest, and patches of one slice."""
PER_CHEST = SLICES * PER_SLICE
_NUMBER = (0.35, 0.35, 0.2, 0.1)  # chance of so many nodules in a slice
_AT_PLEURA = 0.25
_GAPS = (1.25, 2.5, 3.0)  # mm between slices


class Patches(NamedTuple):
    """N patches: `hu` (N, S, S) or (N, 3, S, S) int16 HU, `mask` (N, S, S) uint8, 1 inside a nodule."""

    hu: np.ndarray
    mask: np.ndarray


def patches(
    seed: int, chests: int, *, size: int, factor: int, looks: scanner.Ranges, beside: float = 0.0
) -> Patches:
    """Draws `PER_CHEST` patches from each of some chests, half of them with a nodule where the slice has one.

    Args:
        seed: the same seed gives the same patches.
        chests: how many.
        size: S, pixels of a patch, each the mean of `factor` squared pixels of the scan.
        factor: see `size`.
        looks: of the scanners.
        beside: mm to the slices below and above that go with each patch (N, 3, S, S); 0 for none (N, S, S).
    """
    rng = np.random.default_rng([0xBA7C, VERSION, seed])
    drawn = [_chest(rng, size, factor, looks, beside) for _ in range(chests)]
    return Patches(*(np.concatenate(parts) for parts in zip(*drawn)))


def _chest(rng: np.random.Generator, size: int, factor: int, looks: scanner.Ranges, beside: float) -> Patches:
    gap = rng.choice(_GAPS)
    spacing = rng.uniform(0.58, 0.85)
    z = np.arange(-160.0, 160.0, gap)
    scan = Scan("", "", "", spacing, gap, z, ())
    chest = twin_fit.draw(rng, z, SIZE * spacing, np.zeros((0, 3)), np.zeros(0))
    blur = rng.uniform(0.45, 0.75)
    renderer = Renderer(rng, scan, chest, blur, scanner.draw(rng, looks))
    hu, masks = [], []
    for level in rng.uniform(0.03, 0.97, SLICES):
        k = int(np.abs(z - (chest.base + level * (chest.apex - chest.base))).argmin())
        clusters = _nodules(rng, scan, chest, k)
        painted = [paint(rng, scan, own, blur) for own in clusters]
        below, above = nearest(z, k, beside)
        levels = [below, k, above] if beside else [k]
        planes = np.stack([renderer.slice(n, painted) for n in levels])
        mask = _mask(clusters, k)
        for corner in _corners(rng, chest, scan, k, mask, size * factor):
            window = np.s_[..., corner[0] : corner[0] + size * factor, corner[1] : corner[1] + size * factor]
            hu.append(_blocks(planes[window], factor).mean(axis=(-3, -1)))
            masks.append(_blocks(mask[window], factor).mean(axis=(-3, -1)) >= 0.5)
    stacked = np.rint(np.stack(hu)).astype(np.int16)
    return Patches(stacked if beside else stacked[:, 0], np.stack(masks).astype(np.uint8))


def _nodules(rng: np.random.Generator, scan: Scan, chest: anatomy.Anatomy, k: int) -> list[Cluster]:
    """Draws the nodules that slice k cuts."""
    clusters = []
    for _ in range(rng.choice(len(_NUMBER), p=_NUMBER)):
        radius = procedural_nodules.draw_radius(rng)
        place = procedural_nodules.draw_place(
            rng, chest, scan.z[k], radius, at_pleura=bool(rng.random() < _AT_PLEURA)
        )
        if place is not None:
            clusters.append(procedural_nodules.draw_nodule(rng, scan, place, radius))
    return clusters


def _mask(clusters: list[Cluster], k: int) -> np.ndarray:
    """Returns where in slice k nodules are, (512, 512) bool."""
    mask = np.zeros((SIZE, SIZE), bool)
    for own in clusters:
        drawn = own.in_slice(k)
        if drawn is not None:
            i, j = own.origin[1:]
            rows, columns = (slice(max(o, 0), o + n) for o, n in zip((i, j), drawn.shape[1:]))
            view = mask[rows, columns]
            view |= drawn[0, max(-i, 0) :, max(-j, 0) :][: view.shape[0], : view.shape[1]]
    return mask


def _corners(
    rng: np.random.Generator, chest: anatomy.Anatomy, scan: Scan, k: int, mask: np.ndarray, side: int
) -> list[tuple[int, int]]:
    """Draws the patches' corners: around a place in the lungs, and every other one so that it holds a nodule."""
    there = np.argwhere(mask)
    corners = []
    for number in range(PER_SLICE):
        if number % 2 and len(there):
            middle = there[rng.integers(len(there))] + rng.uniform(-0.4, 0.4, 2) * side
        else:
            place = procedural_nodules.draw_place(rng, chest, scan.z[k], 1.0, at_pleura=False)
            middle = np.full(2, SIZE / 2) if place is None else place[1::-1] / scan.spacing + SIZE / 2
        row, column = np.clip(np.rint(middle - side / 2), 0, SIZE - side).astype(int)
        corners.append((int(row), int(column)))
    return corners


def _blocks(image: np.ndarray, factor: int) -> np.ndarray:
    *rest, rows, columns = image.shape
    return image.reshape(*rest, rows // factor, factor, columns // factor, factor)
