"""Ways to make candidates, to be compared on the same scopes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.cluster.vq import kmeans

from wsns.data.lungs.hull import hull
from wsns.data.records.schema import Slices
from wsns.segmentation.energy import WINDOW, lung_box
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import compute_labels


@dataclasses.dataclass(frozen=True)
class Scheme:
    """One way to make candidates.

    `hull`: whether the closed lungs cut them; `slice_means`: whether the phases'
    means are those of the slice, see `means_of_slice`, instead of the options' own.
    """

    name: str
    options: Options
    hull: bool = True
    slice_means: bool = False


def labels_of(slices: Slices, schemes: Sequence[Scheme]) -> list[np.ndarray]:
    """Returns the phases (N, S, S) int8 of slices by scheme; schemes that differ in other things share them."""
    found: dict[tuple[Any, ...], np.ndarray] = {}
    for scheme in schemes:
        if _key(scheme) not in found:
            found[_key(scheme)] = _phases(slices, scheme)
    return [found[_key(scheme)] for scheme in schemes]


def hulls_of(lungs: np.ndarray, spacing: float, schemes: Sequence[Scheme]) -> list[np.ndarray]:
    """Returns the closed lungs (S, S) bool of a slice by scheme, everything where they don't cut."""
    found: dict[tuple[float, float] | None, np.ndarray] = {None: np.ones(lungs.shape, bool)}
    keys = [(s.options.hull_closing, s.options.hull_part) if s.hull else None for s in schemes]
    for key in keys:
        if key and key not in found:
            found[key] = hull(lungs, spacing, *key)
    return [found[key] for key in keys]


def means_of_slice(hu: np.ndarray, lungs: np.ndarray, means: Sequence[float]) -> tuple[float, ...]:
    """Returns the k-means, ascending, of the HU in the lungs' box, clipped to the phases' window.

    Args:
        hu: (S, S) in HU.
        lungs: (S, S), not 0 inside the lungs.
        means: HU to start from, one per phase; a phase that loses its last pixel is gone.
    """
    values = np.clip(hu[np.asarray(lung_box(jnp.asarray(lungs)))].astype(float), *WINDOW)
    found, _ = kmeans(values[:, None], np.asarray(means, float)[:, None])
    return tuple(np.sort(found[:, 0]).tolist())


def _key(scheme: Scheme) -> tuple[Any, ...]:
    options = scheme.options
    return (
        options.candidates,
        options.means,
        options.beta,
        options.sweeps,
        options.reestimate,
        scheme.slice_means,
    )


def _phases(slices: Slices, scheme: Scheme) -> np.ndarray:
    if not scheme.slice_means:
        return compute_labels(slices.hu, slices.lungs, scheme.options)
    labels = []
    for hu, lungs in zip(slices.hu, slices.lungs, strict=True):
        means = means_of_slice(hu, lungs, scheme.options.means)
        labels += [
            *compute_labels(hu[None], lungs[None], dataclasses.replace(scheme.options, means=means, batch=1))
        ]
    return np.array(labels)
