"""Rows of a slice that a transfer lost: of one value, where the slices beside it show a body."""

import numpy as np

TISSUE_ABOVE_HU = -500
MIN_SHARE = 0.05  # of a row's pixels
MIN_ROWS = 8
_SPARSE = 64


def lost_rows(hu: np.ndarray) -> dict[int, np.ndarray]:
    """Finds slices with rows that are lost.

    A row is lost if it has one value throughout and is tissue in the nearest slice where it has not; rows that are
    of one value in all slices are padding.

    Args:
        hu: (Z, Y, X) int16, by ascending z.

    Returns:
        The numbers of the rows, by slice; fewer than `MIN_ROWS` count for nothing.
    """
    flat = np.array([_flat(plane) for plane in hu])
    rows = np.flatnonzero(flat.any(axis=0) & ~flat.all(axis=0))
    if len(rows) < MIN_ROWS:
        return {}
    flat = flat[:, rows]
    tissue = (hu[:, rows] > TISSUE_ABOVE_HU).mean(axis=2) >= MIN_SHARE
    found = {}
    for k in np.flatnonzero(flat.sum(axis=1) >= MIN_ROWS):
        away = np.abs(np.arange(len(hu)) - k)[:, None] + len(hu) * flat
        lost = flat[k] & tissue[away.argmin(axis=0), np.arange(len(rows))]
        if np.count_nonzero(lost) >= MIN_ROWS:
            found[int(k)] = rows[lost]
    return found


def _flat(plane: np.ndarray) -> np.ndarray:
    """Returns which rows are of one value, (Y,) bool."""
    flat = (plane[:, ::_SPARSE] == plane[:, :1]).all(axis=1)
    flat[flat] = (plane[flat] == plane[flat, :1]).all(axis=1)
    return flat
