"""What each network minimises, and by which score its best epoch is chosen (section 3.2)."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import optax

from wsns.models.vgg_gap import HEAD_BLOCKS, Output
from wsns.segmentation.nam import nam, nodule_weights
from wsns.training.health import LIVE
from wsns.training.step import AXIS, Batch, Objective, Params, PerExample

Prepare = Callable[[jax.Array], jax.Array]
LOSSES = ("slice", "batch")
SMOOTHING = 1.0


def classification(apply: Callable, prepare: Prepare) -> Objective:
    """Cross-entropy of the slice labels; the score is accuracy.

    Batches hold `hu` (B, S, S), or (B, 3, S, S) with the slices below and above, and `label` (B,) of 0 or 1.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        return _classified(apply(params, prepare(batch["hu"])).logits, batch["label"])

    return objective


def checking(apply: Callable, prepare: Prepare) -> Objective:
    """As `classification`, and as `live_gap5` … which share of a head's units answers; for validation only."""

    def objective(params: Params, batch: Batch) -> PerExample:
        return _checked(apply(params, prepare(batch["hu"])), batch["label"])

    return objective


def pointing(apply: Callable, prepare: Prepare, contrast: str, pool: str = "mean") -> Objective:
    """As `checking`, and as `hit` whether the peak of the NAM lies near a nodule; for validation only.

    Batches hold `where` (B, S, S) too, as `wsns.evaluation.localisation.where_to_point` makes it; a slice in
    which it is 0 all over doesn't count.

    Args:
        apply: the network.
        prepare: turns HU into its input.
        contrast: of the NAM's weights.
        pool: the network's global pooling.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        output, where = apply(params, prepare(batch["hu"])), batch["where"]
        weights = nodule_weights(params["classifier"]["kernel"], contrast)
        seen = nam(output.maps, weights, where.shape[-1], pool)
        codes = where.reshape(len(where), -1)
        peak = jnp.where(codes > 0, seen.reshape(codes.shape), -jnp.inf).argmax(axis=1)
        hit = (jnp.take_along_axis(codes, peak[:, None], axis=1)[:, 0] == 2).astype(jnp.float32)
        counts = (codes > 0).any(axis=1).astype(jnp.float32)
        checked = _checked(output, batch["label"])
        return checked._replace(more={"hit": (hit, counts), **checked.more})

    return objective


def localisation(apply: Callable, prepare: Prepare, blob_weight: float = 5.0) -> Objective:
    """Cross-entropy at every position of every scale: is a blob here? For pretraining on drawn shapes only.

    The logit of a position is the NAM there (Eq. 2) plus the bias, so that each head's features must say
    where a blob is, not only that there is one. The score is the share of patches in which the most certain
    position of the coarsest scale is right about there being a blob.

    Batches hold `hu` (B, S, S) and `mask` (B, S, S), 1 inside a blob.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        maps = apply(params, prepare(batch["hu"])).maps
        dense = params["classifier"]
        weights, bias = dense["kernel"][:, 1] - dense["kernel"][:, 0], dense["bias"][1] - dense["bias"][0]
        side, losses, start = batch["mask"].shape[1], [], 0
        certain = []
        for scale in maps:
            logits = scale @ weights[start : start + scale.shape[-1]] + bias
            start += scale.shape[-1]
            cells = logits.shape[1]
            blocks = batch["mask"].reshape(-1, cells, side // cells, cells, side // cells)
            there = blocks.max(axis=(2, 4)).astype(jnp.float32)
            entropy = optax.sigmoid_binary_cross_entropy(logits, there)
            losses.append((entropy * (1 + (blob_weight - 1) * there)).mean(axis=(1, 2)))
            certain.append(logits.max(axis=(1, 2)))
        any_blob = batch["mask"].max(axis=(1, 2)) > 0
        right = ((certain[0] > 0) == any_blob).astype(jnp.float32)
        return PerExample(sum(losses[1:], start=losses[0]), right, jnp.ones_like(right))

    return objective


def soft_dice(probability: jax.Array, reference: jax.Array) -> jax.Array:
    """Dice coefficient of each (B, H, W) probability map with its reference, smoothed by `SMOOTHING` pixels.

    Smoothed, that of two empty maps is 1: a slice without a nodule has something to teach.
    """
    overlap, area = _overlap_and_area(probability, reference)
    return (overlap + SMOOTHING) / (area + SMOOTHING)


def batch_dice_loss(probability: jax.Array, reference: jax.Array, weight: jax.Array) -> jax.Array:
    """Negative smoothed Dice of a whole batch's pixels taken together, as a loss (B,) per example.

    Overlaps and areas are added up over the batch, on all devices, before they are divided. Each example's loss has
    that value, and such a gradient that the weighted mean over the batch has the gradient of the whole batch's loss,
    however it is spread over devices. For use inside a step of `wsns.training.step`.

    Args:
        probability: (B, H, W).
        reference: (B, H, W).
        weight: (B,) of the examples, 0 for padding.
    """
    overlap, area = _overlap_and_area(probability, reference)
    sums = jnp.stack([(overlap * weight).sum(), (area * weight).sum(), weight.sum()])
    all_overlap, all_area, count = jax.lax.stop_gradient(jax.lax.psum(jax.lax.stop_gradient(sums), AXIS))
    above, below = all_overlap + SMOOTHING, all_area + SMOOTHING
    # Of a quotient of sums, the derivative with respect to one example's share of each.
    share = overlap / below - area * above / below**2
    return -above / below - count * (share - jax.lax.stop_gradient(share))


def segmentation(apply: Callable, prepare: Prepare, loss: str = "slice") -> Objective:
    """Negative soft Dice; the score is the slice-level quality of the outlines, which punishes false alarms too.

    The score is Kirillov's panoptic quality with Dice in the place of IoU and slices in the place of segments: twice
    the sum of the slices' Dice, by the number of slices with a nodule plus the number of slices in which something is
    marked. It is 1 where every nodule and nothing else is outlined exactly, and 0 for a network that marks nothing, or
    nothing right; a mark in a slice without a nodule costs as much as a slice that is missed.

    Batches hold `hu` (B, S, S), or (B, 3, S, S) with the slices below and above, and `nodules` (B, S, S), 0 outside
    any; both are compared at the network's resolution.

    Args:
        apply: the network.
        prepare: turns HU into its input.
        loss: of 'slice', the mean of `soft_dice` over the batch; or of 'batch', `batch_dice_loss`.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        logits = apply(params, prepare(batch["hu"]))
        size = logits.shape[1]
        factor = batch["nodules"].shape[1] // size
        fine = (batch["nodules"] > 0).astype(jnp.float32).reshape(-1, size, factor, size, factor)
        probability, reference = jax.nn.sigmoid(logits), fine.mean(axis=(2, 4))
        if loss == "batch":
            losses = batch_dice_loss(probability, reference, batch["weight"])
        else:
            losses = -soft_dice(probability, reference)
        return PerExample(losses, *_quality(logits > 0, reference >= 0.5))

    return objective


def _quality(result: jax.Array, truth: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the Dice of each slice, and how much the slice counts: half for a nodule, half for a mark."""
    overlap, area = _overlap_and_area(result.astype(jnp.float32), truth.astype(jnp.float32))
    counts = (truth.any(axis=(1, 2)).astype(jnp.float32) + result.any(axis=(1, 2))) / 2
    return overlap / jnp.maximum(area, 1), counts


def _overlap_and_area(one: jax.Array, other: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns, (B,) each, what is above and below the line in the Dice coefficient of maps (B, H, W)."""
    axes = (1, 2)
    return 2 * (one * other).sum(axis=axes), one.sum(axis=axes) + other.sum(axis=axes)


def _classified(logits: jax.Array, label: jax.Array) -> PerExample:
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    correct = (logits.argmax(axis=-1) == label).astype(jnp.float32)
    return PerExample(loss, correct, jnp.ones_like(correct))


def _checked(output: Output, label: jax.Array) -> PerExample:
    out = _classified(output.logits, label)
    live = {
        f"{LIVE}gap{block}": (head > 0).any(axis=(1, 2)).mean(axis=-1)
        for block, head in zip(HEAD_BLOCKS, output.maps)
    }
    return out._replace(more={name: (share, jnp.ones_like(share)) for name, share in live.items()})


def falling(rate: float, decay: float, steps_per_epoch: int) -> Callable[[int], float]:
    """Returns from the steps taken to the learning rate of the next, as `sgd` and `adam` have it: on the host."""
    return lambda taken: rate * decay ** (taken // steps_per_epoch)


def sgd(
    rate: float,
    decay: float,
    steps_per_epoch: int,
    momentum: float,
    trunk_factor: float,
    trunk: Collection[str],
) -> Any:
    """SGD with momentum; the rate falls by `decay` per epoch, and layers of `trunk` learn at `trunk_factor` of it."""
    schedule = optax.exponential_decay(rate, steps_per_epoch, decay, staircase=True)
    return _with_slower_trunk(optax.sgd(schedule, momentum=momentum), trunk_factor, trunk)


def _with_slower_trunk(learner: Any, trunk_factor: float, trunk: Collection[str]) -> Any:
    def in_trunk(params: Params) -> Params:
        return {name: _filled(layer, name in trunk) for name, layer in params.items()}

    return optax.chain(learner, optax.masked(optax.scale(trunk_factor), in_trunk))


def _filled(tree: Params, value: bool) -> Params:
    return jax.tree.map(lambda _: value, tree)


def adam(
    rate: float, decay: float, steps_per_epoch: int, trunk_factor: float = 1.0, trunk: Collection[str] = ()
) -> Any:
    """Adam whose rate falls by `decay` per epoch; layers of `trunk` learn at `trunk_factor` of it."""
    learner = optax.adam(optax.exponential_decay(rate, steps_per_epoch, decay, staircase=True))
    return _with_slower_trunk(learner, trunk_factor, trunk) if trunk else learner
