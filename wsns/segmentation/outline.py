"""Which of a scope's candidates is the result: the object by Eq. 4, its outline by a second rule."""

import numpy as np

from wsns.errors import InputError

OUTLINES = ("compact", "eq4")


def compactness(mask: np.ndarray) -> float:
    """Returns how compact a mask is: 1 for an ellipse, less the more ragged.

    Area / (4 pi sqrt(l1 l2)), l the eigenvalues of the pixels' covariance + 1/12 (a pixel's own extent).
    """
    pixels = np.argwhere(mask)
    spread = np.cov(pixels.T, bias=True) + np.eye(2) / 12
    return float(len(pixels) / (4 * np.pi * np.sqrt(np.linalg.det(spread))))


def same_object(candidates: np.ndarray, index: int) -> np.ndarray:
    """Returns which candidates (M,) share at least half of the smaller one's area with candidate `index`."""
    flat = candidates.reshape(len(candidates), -1)
    area = flat.sum(axis=1)
    common = (flat & flat[index]).sum(axis=1)
    return 2 * common >= np.minimum(area, area[index])


def choose(scores: np.ndarray, candidates: np.ndarray, outline: str = "compact") -> int | None:
    """Picks the object by Eq. 4, then its outline.

    Args:
        scores: (M,) by Eq. 4.
        candidates: (M, S, S) bool.
        outline: 'compact' (of the candidates of the winning object the most compact, ties to the larger one)
            or 'eq4' (the winner itself).

    Returns:
        The index, or None where there is no candidate.

    Raises:
        InputError: on any other `outline`.
    """
    if outline not in OUTLINES:
        raise InputError(f"outline is {outline!r}: use one of {', '.join(OUTLINES)}")
    if not len(candidates):
        return None
    winner = int(np.argmax(scores))
    if outline == "eq4":
        return winner
    near = cut(candidates)
    rivals = np.flatnonzero(same_object(near, winner))
    return int(max(rivals, key=lambda r: (compactness(near[r]), near[r].sum())))


def cut(candidates: np.ndarray) -> np.ndarray:
    """Returns candidates (M, S, S) cut to the box that holds them all."""
    rows, columns = (np.flatnonzero(candidates.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    return candidates[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
