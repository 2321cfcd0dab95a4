"""A search for the method's thresholds, one field after another, by Dice against the outlines of some slices."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.evaluation.bootstrap import DRAWS, Estimate, Resampled, nested_weights
from wsns.evaluation.metrics import dice
from wsns.segmentation.batches import blocks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network, Slices, propose_slices, read_slices
from wsns.segmentation.regions import Screen, choose_regions, score_regions
from wsns.segmentation.results import SliceResult


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One value of a field: its mean `dice` over slices, and the `gain` over the value held before."""

    field: str
    value: Any
    dice: Estimate
    gain: Estimate
    chosen: bool


def compare(
    slices: Slices,
    outlines: np.ndarray,
    networks: Mapping[int, Network],
    screen: Screen,
    options: Sequence[Options],
    each: Callable[..., Iterator[Any]] = map,
) -> Iterator[np.ndarray]:
    """Segments slices with several options, sharing what they have in common, a block at a time.

    Args:
        slices: N of them.
        outlines: (N, S, S) bool, what should be found.
        networks: see `wsns.segmentation.pipeline.segment_slices`.
        screen: likewise.
        options: K of them; the first one's `batch` counts.
        each: likewise.

    Yields:
        (K, n) for the next n slices: the fine result's Dice, mean over the networks.
    """
    for block in blocks(len(slices.hu), options[0].batch):
        part = slices.take(block)
        seen = part.seen
        readings = read_slices(seen, networks, options[0].batch)
        found = [result for own in options for result in propose_slices(part, readings, own, each)]
        count = len(seen)
        scored = score_regions(found, [*range(count)] * len(options), seen, readings[1], screen)
        values = [
            _dice(choose_regions(result, options[number // count]), outlines[block][number % count])
            for number, result in enumerate(scored)
        ]
        yield np.reshape(values, (len(options), count))


def search(
    start: Options,
    fields: Mapping[str, Sequence[Any]],
    score: Callable[[Sequence[Options]], np.ndarray],
    patients: Sequence[str],
    nodules: Sequence[str],
    *,
    least: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[Trial]:
    """Goes through the fields once, in their order; each keeps the best of its values.

    Args:
        start: what every field has at first.
        fields: the values to try besides.
        score: of K options the Dice (K, N) on N slices.
        patients: (N,), whose slice each is.
        nodules: (N,), what slices are drawn together.
        least: a value replaces the one held only where it raises the mean Dice by more than this.
        draws: behind each interval.
        seed: of the draws.

    Yields:
        A trial for each value of each field, the one held before first. The chosen ones, together, are the result.
    """
    number, kind = len(set(patients)), np.zeros(len(patients))
    weights = nested_weights(np.array(patients), kind, np.array(nodules), draws=draws, seed=seed)
    total = weights.sum(axis=1)
    for field, values in fields.items():
        held = getattr(start, field)
        tried = [held, *(value for value in values if value != held)]
        options = [dataclasses.replace(start, **{field: value}) for value in tried]
        found = score(options) @ weights.T / total
        means = [Resampled(own, number) for own in found]
        best = int(np.argmax(found[:, 0]))
        if found[best, 0] <= found[0, 0] + least:
            best = 0
        for row, value in enumerate(tried):
            gain = (means[row] - means[0]).estimate
            yield Trial(field, value, means[row].estimate, gain, row == best)
        start = options[best]


def _dice(result: SliceResult, outline: np.ndarray) -> float:
    return float(np.mean([dice(result.fine(gaps), outline) for gaps in result.probabilities]))
