"""What work costs before it is done: operations of an epoch, portions of a batch, seconds at a rate."""

from collections.abc import Callable

TRAINING = 3
"""Forward passes that a training step is worth: one, and the gradients of inputs and of weights."""


def epoch_flops(forward: int, training: int, validation: int) -> int:
    """Returns the operations of an epoch.

    Args:
        forward: operations of a pass of one slice, see `wsns.models.size.flops`.
        training: slices of the training split, each a training step's part.
        validation: slices of the validation split, each a forward pass.
    """
    return forward * (TRAINING * training + validation)


def portions(batch: int, devices: int = 1) -> list[int]:
    """Returns the numbers of portions worth trying for a batch, ascending.

    Of those that leave a device equally many slices at once, the smallest; the last leaves it one.
    """
    own = -(-batch // devices)
    return sorted({-(-own // at_once) for at_once in range(1, own + 1)})


def fewest(fits: Callable[[int], bool], choices: list[int]) -> int | None:
    """Returns the first of ascending numbers of portions that fits, or None where not even the last does.

    Args:
        fits: says whether so many portions fit; more portions never need more room. It is asked seldom.
        choices: ascending.
    """
    if fits(choices[0]):
        return choices[0]
    if not fits(choices[-1]):
        return None
    low, high = 0, len(choices) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(choices[middle]) else (middle, high)
    return choices[high]
