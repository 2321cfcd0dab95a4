"""What the choice of an epoch by hit rate needs of the validation split: where peaks are sought, and where they hit."""

import functools

import numpy as np
from ml_collections import ConfigDict

from wsns.data.lungs.hull import hull
from wsns.evaluation.localisation import where_to_point
from wsns.runtime.background import threads
from wsns.training.batching import Arrays, Examples

MADE_FROM = ("lungs", "nodules", "spacing")
SETTINGS = ("contrast", "hull_closing", "hull_part")
"""What it depends on in `config.segment`."""


class Pointed:
    """Slices that are asked for in portions, each with its `where`."""

    def __init__(self, examples: Examples, segment: ConfigDict):
        """Takes slices with what `where` is made from, and how the method finds the lungs' hull."""
        self._examples, self._segment = examples, segment

    def __len__(self) -> int:
        return len(self._examples)

    def take(self, rows: np.ndarray) -> Arrays:
        """Returns the slices at `rows` (B,)."""
        return with_where(self._examples.take(rows), self._segment)


def with_where(arrays: Arrays, segment: ConfigDict) -> Arrays:
    """Returns slices with the map `where` (N, S, S) of each in the place of what it is made from."""
    own = functools.partial(_where, closing=segment.hull_closing, min_part=segment.hull_part)
    with threads() as each:
        where = np.stack(list(each(own, *(arrays[name] for name in MADE_FROM))))
    return {name: values for name, values in arrays.items() if name not in MADE_FROM} | {"where": where}


def _where(
    lungs: np.ndarray, nodules: np.ndarray, spacing: float, *, closing: float, min_part: float
) -> np.ndarray:
    reference = nodules > 0
    # Of a slice without a nodule the hull, which takes time, is not asked for.
    inside = hull(lungs, float(spacing), closing, min_part) if reference.any() else reference
    return where_to_point(inside, reference, float(spacing))
