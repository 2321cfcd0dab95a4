"""One mask from several readers' masks of the same nodule."""

import numpy as np
import SimpleITK as sitk

RULES = ("staple", "majority", "union", "intersection")
STAPLE_ITERATIONS = 100


def consensus(masks: np.ndarray, rule: str) -> np.ndarray:
    """Combines the readers' masks of one nodule.

    The extent is the box as given: for STAPLE, which estimates from it how much background there is, that
    is the tight box of all contour points in three dimensions, without a margin. Ties belong to the nodule:
    a STAPLE probability of exactly one half counts, and half of the readers are a majority.

    Args:
        masks: (R, K, I, J) bool, one per reader.
        rule: 'staple' (Warfield et al. 2004, at most 100 iterations), 'majority', 'union' or 'intersection'.

    Returns:
        (K, I, J) bool.

    Raises:
        ValueError: for an unknown rule.
    """
    votes = masks.sum(axis=0)
    if rule == "union":
        return votes > 0
    if rule == "intersection":
        return votes == len(masks)
    if rule == "majority":
        return 2 * votes >= max(len(masks), 1)
    if rule != "staple":
        raise ValueError(f"unknown consensus rule {rule!r}: one of {', '.join(RULES)}")
    # Where all agree everywhere, the readers' estimated errors are 0 and EM divides by them.
    if (votes == len(masks)).sum() == (votes > 0).sum():
        return votes > 0
    return _staple(masks)


def _staple(masks: np.ndarray) -> np.ndarray:
    estimate = sitk.STAPLEImageFilter()
    estimate.SetForegroundValue(1)
    estimate.SetMaximumIterations(STAPLE_ITERATIONS)
    estimate.SetNumberOfThreads(1)  # sums in one order: the same result on any machine
    probability = estimate.Execute([sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks])
    return sitk.GetArrayViewFromImage(probability) >= 0.5 - 1e-9
