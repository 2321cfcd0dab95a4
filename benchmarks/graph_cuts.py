"""Minima of the phases' energy by graph cuts, for `phases.py` and the tests; needs PyMaxflow.

Everything is computed anew from the definition in `wsns.segmentation.energy`, in NumPy and float64. The pixels of a
box are a list, in the order of `image[box]`, and so is a labelling (pixels,).

Two phases: one cut is the minimum. More: alpha-expansion (Boykov, Veksler and Zabih, 2001), in which each move, to
let any pixels change to one phase, is the best one by an exact cut.
"""

import dataclasses
from collections.abc import Sequence

import maxflow
import numpy as np

WINDOW = (-1000, 400)
PAIRS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.5**0.5), (1, -1, 0.5**0.5))
ROUNDING = 1e-10


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A slice's energy.

    `cost` is (phases, pixels); pair k are the pixels `first[k]` and `second[k]`, and costs `weight[k]` where their
    labels differ.
    """

    cost: np.ndarray
    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray

    def energy(self, labels: np.ndarray) -> float:
        """Returns the energy of a labelling."""
        boundary = self.weight[labels[self.first] != labels[self.second]].sum()
        return float(np.take_along_axis(self.cost, labels[None], axis=0).sum() + boundary)


def problem(hu: np.ndarray, box: np.ndarray, means: Sequence[float] | np.ndarray, beta: float) -> Problem:
    """Sets up the energy of a slice.

    Args:
        hu: (S, S) in HU.
        box: (S, S) bool, not empty.
        means: (phases,) in HU.
        beta: weight of the boundary.
    """
    intensity = np.clip(hu[box].astype(np.float64), *WINDOW)
    deviation = intensity - np.asarray(means, np.float64)[:, None]
    # A margin below and at both sides is for pairs that leave the slice.
    number = np.full(np.add(box.shape, (1, 2)), -1)
    number[:-1, 1:-1][box] = np.arange(len(intensity))
    own = number[:-1, 1:-1]
    pairs = []
    for dy, dx, weight in PAIRS:
        there = number[dy : dy + box.shape[0], 1 + dx : 1 + dx + box.shape[1]]
        both = (own >= 0) & (there >= 0)
        pairs.append((own[both], there[both], np.full(both.sum(), beta * weight)))
    return Problem(deviation**2 / max(intensity.var(), 1), *(np.concatenate(part) for part in zip(*pairs)))


def minimum(two: Problem) -> np.ndarray:
    """Returns the labelling of least energy of all, for two phases."""
    return _cut(two.cost[1] - two.cost[0], two, two.weight, two.weight).astype(np.int64)


def expansion(of: Problem, labels: np.ndarray, phase: int) -> np.ndarray:
    """Returns the best labelling of those in which some pixels change to `phase` and the others keep theirs."""
    here, there = labels[of.first], labels[of.second]
    # A pair costs a if both keep their labels, b if the second changes, c if the first does, nothing if both do:
    # that is a + (c - a) x + (0 - c) y + (b + c - a) (1 - x) y, where x and y are 1 for a change.
    a, b, c = (of.weight * differ for differ in (here != there, here != phase, there != phase))
    change = of.cost[phase] - np.take_along_axis(of.cost, labels[None], axis=0)[0]
    change += np.bincount(of.first, c - a, len(labels)) - np.bincount(of.second, c, len(labels))
    return np.where(_cut(change, of, b + c - a, np.zeros_like(a)), phase, labels)


def alpha_expansion(of: Problem, start: np.ndarray) -> np.ndarray:
    """Returns a labelling that no expansion to any phase improves, reached from `start`."""
    labels, least, since = start, of.energy(start), 0
    phases = len(of.cost)
    move = 0
    while since < phases:
        moved = expansion(of, labels, move % phases)
        energy = of.energy(moved)
        since += 1
        if energy < least - ROUNDING * abs(least):
            labels, least, since = moved, energy, 1
        move += 1
    return labels


def _cut(change: np.ndarray, of: Problem, forth: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Minimises sum change x + sum forth (1 - x_first) x_second + back x_first (1 - x_second) over x (pixels,) bool."""
    graph = maxflow.GraphFloat(len(change), len(of.first))
    nodes = graph.add_grid_nodes(len(change))
    graph.add_grid_tedges(nodes, np.maximum(change, 0), np.maximum(-change, 0))
    graph.add_edges(of.first, of.second, forth, back)
    graph.maxflow()
    return graph.get_grid_segments(nodes)
