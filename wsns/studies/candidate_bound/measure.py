"""How good a segmentation can get: the best candidate in a disc around each nodule, without any network."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from wsns.data.records.schema import Slices
from wsns.evaluation.metrics import area_mm2, dice
from wsns.ops.morphology import dilated
from wsns.segmentation.regions import find_candidates
from wsns.segmentation.selection import OUTLINES, choose, edge_gradients, same_object
from wsns.studies.candidate_bound.schemes import Scheme, hulls_of, labels_of

RULES = tuple(rule for rule in OUTLINES if rule != "eq4")
FIGURES = ("best", "random", "largest", *RULES)
"""Of a nodule's candidates the best; of those of the best one's object a random, the largest, each rule's.

They are columns: no rule may have a name that another figure has.
"""


@dataclasses.dataclass(frozen=True)
class Nodule:
    """One nodule in one slice; `number` is its own in the scan, by ascending z."""

    patient: str
    series: str
    z: float
    slice_index: int
    number: int
    area_mm2: float


@dataclasses.dataclass(frozen=True)
class Row:
    """What one scheme gives for a nodule: how many candidates, how many more were cut, and Dice by `FIGURES`."""

    scheme: str
    nodule: Nodule
    candidates: int
    cut: int
    dice: Mapping[str, float]


def measure_slices(
    slices: Slices,
    schemes: Sequence[Scheme],
    radius: float,
    each: Callable[..., Iterator[Any]] = map,
) -> Iterator[Row]:
    """Measures every nodule of some slices by every scheme; one that the crop leaves out has no row.

    Args:
        slices: N of them.
        schemes: what to compare.
        radius: pixels around a nodule's consensus that make up its scope.
        each: like `map`, over the slices; one with threads uses the processor's other cores.
    """
    phases = labels_of(slices, schemes)

    def rows(n: int) -> list[Row]:
        return list(_measure_slice(slices, n, [labels[n] for labels in phases], schemes, radius))

    for found in each(rows, range(len(slices))):
        yield from found


def nodules(slices: Slices, n: int) -> Iterator[tuple[Nodule, np.ndarray]]:
    """Yields the nodules of slice `n` with their consensus (S, S) bool, those that the crop leaves out apart."""
    for instance in range(1, int(slices.count[n]) + 1):
        wanted = slices.nodules[n] == instance
        if wanted.any():
            yield (
                Nodule(
                    str(slices.patient[n]),
                    str(slices.series[n]),
                    float(slices.z[n]),
                    int(slices.slice_index[n]),
                    int(slices.cluster[n, instance - 1]),
                    area_mm2(wanted, float(slices.spacing[n])),
                ),
                wanted,
            )


def measure(masks: np.ndarray, wanted: np.ndarray, hu: np.ndarray) -> dict[str, float]:
    """Returns the `FIGURES`, all Dice; 0 where there are no candidates.

    Args:
        masks: (M, S, S) bool, the candidates.
        wanted: (S, S) bool, the nodule.
        hu: (S, S) in HU.
    """
    if not len(masks):
        return dict.fromkeys(FIGURES, 0.0)
    values = np.array([dice(mask, wanted) for mask in masks])
    own = np.flatnonzero(same_object(masks, int(values.argmax())))
    largest = max(own, key=lambda n: int(masks[n].sum()))
    figures = {"best": values.max(), "random": values[own].mean(), "largest": values[largest]}
    # With the Dice in the place of Eq. 4's score, the right object is the winner.
    edges = edge_gradients(hu, masks)
    figures |= {rule: values[choose(values, masks, rule, edges)] for rule in RULES}
    return {name: float(value) for name, value in figures.items()}


def reader_dice(masks: np.ndarray) -> float:
    """Returns the mean Dice of each reader of a nodule in a slice with the majority of the others.

    Half of the others are a majority, as in the consensus.

    Args:
        masks: (R, I, J) bool; who has no pixel in the slice doesn't count. NaN for fewer than two who do.
    """
    drawn = masks[masks.any(axis=(1, 2))]
    if len(drawn) < 2:
        return float("nan")
    votes = drawn.sum(axis=0)
    return float(np.mean([dice(own, 2 * (votes - own) >= len(drawn) - 1) for own in drawn]))


def _measure_slice(
    slices: Slices, n: int, labels: Sequence[np.ndarray], schemes: Sequence[Scheme], radius: float
) -> Iterator[Row]:
    hu, spacing = slices.hu[n], float(slices.spacing[n])
    hulls = hulls_of(slices.lungs[n], spacing, schemes)
    for nodule, wanted in nodules(slices, n):
        scope = dilated(wanted, radius)
        for scheme, phases, inside in zip(schemes, labels, hulls, strict=True):
            found = find_candidates(hu, phases, scope, inside, spacing, scheme.options)
            yield Row(scheme.name, nodule, len(found.masks), found.cut, measure(found.masks, wanted, hu))
