"""A small picture of what a network attends to while it learns: NAMs over a few validation slices."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from wsns.segmentation.nam import ReadFunction
from wsns.training.batching import Arrays, Examples

EACH = 2
"""Slices with a nodule that are shown, and slices without one."""
SEARCHED = 32
"""Slices in which these are sought, spread evenly over the split."""
HOT = np.array([255, 140, 0], np.float32)
"""The colour of a NAM where it is highest."""

Look = Callable[[Any], np.ndarray]
"""From a network's parameters to a picture (H, W, 3) uint8; changes nothing."""


def look(read: ReadFunction, examples: Examples, window: tuple[float, float]) -> Look:
    """Returns what draws a few slices with their NAMs, those with a nodule at the left.

    Args:
        read: of the network, with NAMs whose side divides the crops'.
        examples: of the validation split, with `hu` (B, S, S) or (B, 3, S, S) and `label`.
        window: the HU drawn black and white.
    """
    hu = pick(examples)["hu"]
    middle = hu[:, hu.shape[1] // 2] if hu.ndim == 4 else hu
    jitted = jax.jit(read)

    def drawn(params: Any) -> np.ndarray:
        return overlay(middle, np.asarray(jitted(params, hu).nam), window)

    return drawn


def pick(examples: Examples) -> Arrays:
    """Returns the first slices with a nodule and the first without, `EACH` at most, of an even selection."""
    rows = np.unique(np.linspace(0, len(examples) - 1, SEARCHED).astype(int))
    found = examples.take(rows)
    chosen = np.concatenate([np.flatnonzero(found["label"] == label)[:EACH] for label in (1, 0)])
    return {name: values[chosen] for name, values in found.items()}


def overlay(hu: np.ndarray, nams: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Returns slices side by side (s, N·s, 3) uint8, each with the positive part of its NAM in orange.

    Args:
        hu: (N, S, S); drawn as block means of the NAMs' side.
        nams: (N, s, s), signed; S is a multiple of s.
        window: the HU drawn black and white.
    """
    low, high = window
    count, side, _ = nams.shape
    blocks = hu.reshape(count, side, hu.shape[1] // side, side, -1).mean(axis=(2, 4))
    grey = np.clip((blocks - low) / (high - low), 0, 1)[..., None] * 255
    top = np.maximum(nams.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    share = 0.7 * (np.maximum(nams, 0) / top)[..., None]
    pictures = ((1 - share) * grey + share * HOT).round().astype(np.uint8)
    return np.concatenate(list(pictures), axis=1)
