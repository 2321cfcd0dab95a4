"""Differences between methods, paired: both sides under the same draws."""

import dataclasses
from collections.abc import Mapping, Sequence

from wsns.evaluation.bootstrap import Estimate
from wsns.evaluation.cases import COARSE, FINE
from wsns.evaluation.resampled import Drawn, Figures

COMPARED = ("tpr", "fpr", "dice", "tp_dice", "tp_doa")
"""The columns of Table 1 whose differences are shown."""

PAIRS = (
    *zip(FINE, COARSE, strict=True),
    *((one, FINE[0]) for one in FINE[1:]),
    *((one, COARSE[0]) for one in COARSE[1:]),
    *((one, "U-Net") for one in FINE),
)
"""What is asked of Table 1: does screening help, do more GAPs, and how far is full supervision."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A method's figures minus another's. TP columns are the difference of two means, each over its own positives."""

    one: str
    other: str
    figures: Mapping[str, Estimate]


def difference(
    one: str, of_one: Figures, other: str, of_other: Figures, names: Sequence[str] = COMPARED
) -> Difference:
    """Returns the difference of two methods' figures under the same draws."""
    return Difference(one, other, {name: (of_one[name] - of_other[name]).estimate for name in names})


def differences(drawn: Drawn) -> tuple[Difference, ...]:
    """Returns the differences of all `PAIRS` whose methods are there."""
    return tuple(
        difference(one, drawn.methods[one], other, drawn.methods[other])
        for one, other in PAIRS
        if one in drawn.methods and other in drawn.methods
    )
