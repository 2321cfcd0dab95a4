"""Why a result is not what it should be: each slice with one nodule gets one cause."""

from wsns.evaluation.cases import Case

GOOD = 0.5
"""Dice from which on an outline is good, and the share of a nodule in the scope from which on the blob is right."""

CAUSES = {
    "good": f"Dice of at least {GOOD:g}",
    "not detected": "the slice was not declared a nodule slice",
    "wrong blob": f"less than {GOOD:g} of the nodule lies in the scope (U-Net: the result overlaps no nodule)",
    "no candidate": "no candidate overlaps the nodule",
    "wrong candidate": "the nodule was among the candidates, another object was chosen",
    "bad outline": f"the right object, with a Dice under {GOOD:g}",
}
"""In the order in which the method can fail; a slice has the first that applies."""


def cause(case: Case) -> str:
    """Returns the cause of a slice with one nodule, one of `CAUSES`.

    A coarse result is the union of all candidates: with the nodule among them it can only have a bad outline.

    Raises:
        ValueError: for a slice without a nodule or with several.
    """
    if case.nodules != 1:
        raise ValueError(f"a cause is a slice's with one nodule, and this one has {case.nodules}")
    if not case.detected:
        return "not detected"
    if (case.dice or 0) >= GOOD:
        return "good"
    if case.method == "U-Net":
        return "bad outline" if case.tp else "wrong blob"
    if (case.in_scope or 0) < GOOD:
        return "wrong blob"
    if not case.best_dice:
        return "no candidate"
    if case.method.endswith("fine") and not case.same_object:
        return "wrong candidate"
    return "bad outline"
