"""Signs that a classifier learns no more, read from the means of an epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Epoch = Mapping[str, Mapping[str, Any]]
LIVE = "live_"
"""Before a head's name: the share of its units that are above 0 anywhere in a slice, mean over the validation split."""
CHANCE = math.log(2)
"""Loss of a classifier that takes normal and nodule for equally likely in every slice."""
NEAR_CHANCE = 0.003
"""So near to it is no better: for a shift of all logits that gives 0.54 : 0.46 the loss already rises by as much."""
VANISHED = 1.0
"""Times 1/sqrt(batch): what the norm of a gradient must reach. Where no feature tells slices apart only the
classifier's bias has one, from the batch's uneven share of nodules: 0.57/sqrt(batch) in the mean."""
STAYS = 2
"""Epochs in a row: a small network that starts at random may spend its first one there and learn afterwards."""
STUCK = "stuck"
DEAD = "dead "
"""Before a head's name."""


def faults(epochs: Sequence[Epoch], batch: int) -> list[str]:
    """Returns what is wrong after an epoch: 'dead gap5' for a head, 'stuck' for the whole network.

    A head is dead if none of its units is above 0 anywhere in any validation slice: behind the ReLU no gradient
    reaches it, and it stays so. A network is stuck if in `STAYS` epochs the mean loss of both splits is that of
    chance and the mean gradient norm is no more than what chance gives.

    Args:
        epochs: the last ones, by split ('train', 'validation') its means: 'loss', of training 'gradient_norm', of
            validation `LIVE` and name of each head where that is measured.
        batch: slices per step.
    """
    newest = epochs[-1]["validation"]
    found = [
        DEAD + name.removeprefix(LIVE)
        for name, share in newest.items()
        if name.startswith(LIVE) and not share
    ]
    last = epochs[-STAYS:]
    if len(last) == STAYS and all(_at_chance(epoch, batch) for epoch in last):
        found.append(STUCK)
    return found


def words(fault: str) -> str:
    """Returns what a fault is, as a sentence's predicate."""
    if fault == STUCK:
        return "the loss stays at ln 2, that of chance, and the gradient vanishes"
    return f"head {fault.removeprefix(DEAD)} is dead: all its units are 0 in every validation slice"


def _at_chance(epoch: Epoch, batch: int) -> bool:
    near = all(abs(epoch[split]["loss"] - CHANCE) < NEAR_CHANCE for split in ("train", "validation"))
    # Logs of earlier versions have no norm.
    return near and epoch["train"].get("gradient_norm", math.inf) < VANISHED / math.sqrt(batch)
