"""Which of a scope's candidates is the result: the object by Eq. 4, its outline by a second rule."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from wsns.errors import InputError
from wsns.ops.morphology import box, shrunk

WINDOW = (-1000.0, 200.0)
SIGMA = 1.0
REACH = 4


def compactness(mask: np.ndarray) -> float:
    """Returns how compact a mask (S, S) is: 1 for an ellipse, less the more ragged.

    Area / (4 pi sqrt(l1 l2)), l the eigenvalues of the pixels' covariance + 1/12 (a pixel's own extent).
    """
    pixels = np.argwhere(mask)
    spread = np.cov(pixels.T, bias=True) + np.eye(2) / 12
    return float(len(pixels) / (4 * np.pi * np.sqrt(np.linalg.det(spread))))


def edge_gradients(hu: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Returns how steep the HU are along each candidate's outline: (M,) in HU per pixel.

    The mean, over the pixels of a candidate that touch its outside, of the gradient's magnitude after a Gaussian
    of 1 pixel, of the HU clipped to the window.

    Args:
        hu: (S, S) in HU.
        candidates: (M, S, S) bool, none empty.
    """
    if not len(candidates):
        return np.zeros(0)
    rows, columns = box(np.any(candidates, axis=0), REACH)
    clipped = np.clip(hu[rows, columns].astype(float), *WINDOW)
    steep = ndimage.gaussian_gradient_magnitude(clipped, SIGMA, mode="nearest", truncate=REACH / SIGMA)
    return np.array([steep[mask & ~shrunk(mask)].mean() for mask in candidates[:, rows, columns]])


def agreement(candidates: np.ndarray) -> np.ndarray:
    """Returns each candidate's mean Dice with the others: (M,) for (M, S, S) bool; 1 for a single one."""
    count = len(candidates)
    if count == 1:
        return np.ones(1)
    flat = candidates.reshape(count, -1).astype(np.float32)
    area = flat.sum(axis=1)
    dice = 2 * (flat @ flat.T) / (area[:, None] + area)
    return (dice.sum(axis=1) - 1) / (count - 1)


def same_object(candidates: np.ndarray, index: int) -> np.ndarray:
    """Returns which candidates (M,) share at least half of the smaller one's area with candidate `index`."""
    flat = candidates.reshape(len(candidates), -1)
    area = flat.sum(axis=1)
    common = (flat & flat[index]).sum(axis=1)
    return 2 * common >= np.minimum(area, area[index])


def most_compact(scores: np.ndarray, candidates: np.ndarray, edges: np.ndarray | None) -> int:
    """Returns the most compact of the winning object's candidates (M, S, S), by index; arguments as `Outline` has."""
    near, rivals = _rivals(scores, candidates)
    return _best(near, rivals, np.array([compactness(near[r]) for r in rivals]))


def steepest_agreed(scores: np.ndarray, candidates: np.ndarray, edges: np.ndarray | None) -> int:
    """Returns that of the winning object's candidates (M, S, S) of the greatest `agreement` times edge, by index.

    The arguments are those of every rule, see `Outline`.

    Raises:
        ValueError: without `edges`.
    """
    if edges is None:
        raise ValueError("the outline 'edge' needs the candidates' edge gradients")
    near, rivals = _rivals(scores, candidates)
    return _best(near, rivals, agreement(near[rivals]) * edges[rivals])


def winner(scores: np.ndarray, candidates: np.ndarray, edges: np.ndarray | None) -> int:
    """Returns the candidate of the highest score (M,) by Eq. 4, by index; arguments as `Outline` has."""
    return int(np.argmax(scores))


class Outline(NamedTuple):
    """A rule for the result.

    `function(scores (M,) by Eq. 4, candidates (M, S, S) bool, edges (M,) as from `edge_gradients`, or None)` returns
    the chosen one's index, M at least 1; `title` is what a report says of it.
    """

    function: Callable[[np.ndarray, np.ndarray, np.ndarray | None], int]
    title: str


OUTLINES: Mapping[str, Outline] = {
    "compact": Outline(most_compact, "object by Eq. 4, of its nested outlines the most compact"),
    "edge": Outline(
        steepest_agreed,
        "object by Eq. 4, of its nested outlines that of the greatest product of agreement with the others (mean "
        "Dice) and mean HU gradient along it",
    ),
    "eq4": Outline(winner, "the candidate of greatest change (Eq. 4)"),
}
"""By the words of `config.segment.outline`."""


def choose(
    scores: np.ndarray, candidates: np.ndarray, outline: str = "compact", edges: np.ndarray | None = None
) -> int | None:
    """Picks the object by Eq. 4, then its outline; ties go to the larger one.

    Args:
        scores: (M,) by Eq. 4.
        candidates: (M, S, S) bool.
        outline: of the candidates of the winning object the most 'compact', or 'edge': that of the greatest product
            of `agreement` and `edge_gradients`; or 'eq4', the winner itself. See `OUTLINES`.
        edges: (M,) as from `edge_gradients`; 'edge' needs them.

    Returns:
        The index, or None where there is no candidate.

    Raises:
        InputError: on any other `outline`.
        ValueError: for 'edge' without `edges`.
    """
    if outline not in OUTLINES:
        raise InputError(f"outline is {outline!r}: use one of {', '.join(OUTLINES)}")
    if not len(candidates):
        return None
    return OUTLINES[outline].function(scores, candidates, edges)


def cut(candidates: np.ndarray) -> np.ndarray:
    """Returns candidates (M, S, S) cut to the box that holds them all."""
    rows, columns = box(np.any(candidates, axis=0))
    return candidates[:, rows, columns]


def _rivals(scores: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the candidates, cut to what holds them, and which of them (indices) are of the winner's object."""
    near = cut(candidates)
    return near, np.flatnonzero(same_object(near, int(np.argmax(scores))))


def _best(near: np.ndarray, rivals: np.ndarray, merit: np.ndarray) -> int:
    """Returns the rival of the greatest merit, of equal ones the largest."""
    best = max(range(len(rivals)), key=lambda n: (merit[n], near[rivals[n]].sum()))
    return int(rivals[best])
