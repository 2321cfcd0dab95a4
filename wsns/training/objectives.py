"""What each network minimises, and by which score its best epoch is chosen (section 3.2)."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import optax

from wsns.models.vgg import HEAD_BLOCKS, Output
from wsns.segmentation.nam import nam, nodule_weights
from wsns.training.faults import LIVE
from wsns.training.step import Batch, Objective, Params, PerExample

Prepare = Callable[[jax.Array], jax.Array]


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


def pointing(apply: Callable, prepare: Prepare, contrast: str) -> Objective:
    """As `checking`, and as `hit` whether the peak of the NAM lies near a nodule; for validation only.

    Batches hold `where` (B, S, S) too, as `wsns.evaluation.findings.where_to_point` makes it; a slice in which it is 0
    all over doesn't count.

    Args:
        apply: the network.
        prepare: turns HU into its input.
        contrast: of the NAM's weights.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        output, where = apply(params, prepare(batch["hu"])), batch["where"]
        seen = nam(output.maps, nodule_weights(params["classifier"]["kernel"], contrast), where.shape[-1])
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
    """Dice coefficient of each (B, H, W) probability map with its reference; 0 where the reference is empty."""
    axes = (1, 2)
    overlap = 2 * (probability * reference).sum(axis=axes)
    return overlap / jnp.maximum(probability.sum(axis=axes) + reference.sum(axis=axes), 1e-6)


def segmentation(apply: Callable, prepare: Prepare) -> Objective:
    """Negative mean soft Dice over the batch; the score is the Dice of the outline on slices with a nodule.

    Batches hold `hu` (B, S, S) and `nodules` (B, S, S), 0 outside any; both are compared at the network's resolution.
    """

    def objective(params: Params, batch: Batch) -> PerExample:
        logits = apply(params, prepare(batch["hu"]))
        size = logits.shape[1]
        factor = batch["nodules"].shape[1] // size
        fine = (batch["nodules"] > 0).astype(jnp.float32).reshape(-1, size, factor, size, factor)
        reference = fine.mean(axis=(2, 4))
        loss = -soft_dice(jax.nn.sigmoid(logits), reference)
        result, truth = (logits > 0), reference >= 0.5
        overlap = 2 * (result & truth).sum(axis=(1, 2))
        area = result.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
        has_nodule = truth.any(axis=(1, 2)).astype(jnp.float32)
        return PerExample(loss, overlap / jnp.maximum(area, 1), has_nodule)

    return objective


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

    def in_trunk(params: Params) -> Params:
        return {name: _filled(layer, name in trunk) for name, layer in params.items()}

    return optax.chain(
        optax.sgd(schedule, momentum=momentum), optax.masked(optax.scale(trunk_factor), in_trunk)
    )


def _filled(tree: Params, value: bool) -> Params:
    return jax.tree.map(lambda _: value, tree)


def adam(rate: float, decay: float, steps_per_epoch: int) -> Any:
    """Adam whose rate falls by `decay` per epoch."""
    return optax.adam(optax.exponential_decay(rate, steps_per_epoch, decay, staircase=True))
