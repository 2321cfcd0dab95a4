"""One pmapped training step and one pmapped evaluation step, for every network of the project.

This is the only module that knows `jax.pmap`. Batches carry a weight per example, zero for padding; sums and
weights are added over all devices before they are divided, so that the number of devices doesn't matter.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = Any
Batch = dict[str, Any]
AXIS = "devices"


class PerExample(NamedTuple):
    """Loss and score of each example of a batch, each (B,); `counts` (B,) says how much a score counts."""

    loss: jax.Array
    score: jax.Array
    counts: jax.Array


Objective = Callable[[Params, Batch], PerExample]


class State(NamedTuple):
    """All that training carries from step to step; one copy per device inside the loop."""

    step: jax.Array
    params: Params
    opt_state: Any


def init_state(params: Params, optimiser: optax.GradientTransformation) -> State:
    """Returns the state before the first step."""
    return State(jnp.zeros((), jnp.int32), params, optimiser.init(params))


def replicate(tree: Any, devices: int) -> Any:
    """Stacks a copy of every array per device: leaves (…) become (devices, …)."""
    return jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), (devices, *np.shape(leaf))), tree)


def unreplicate(tree: Any) -> Any:
    """Returns the first device's copy of every array, on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_shards[0].data)[0], tree)


def shard(batch: Batch, devices: int) -> Batch:
    """Cuts a batch into equal parts: leaves (B, …) become (devices, B/devices, …)."""
    return {name: value.reshape(devices, -1, *value.shape[1:]) for name, value in batch.items()}


def make_train_step(objective: Objective, optimiser: optax.GradientTransformation) -> Callable:
    """Returns `step(state, batch) -> (state, means)`, pmapped over the leading axis of both.

    `batch['weight']` is (B,): 1, or 0 for padding. `means` holds 'loss' and 'score' over the whole batch, the
    same on every device.
    """

    def step(state: State, batch: Batch) -> tuple[State, dict[str, jax.Array]]:
        total = jax.lax.psum(batch["weight"].sum(), AXIS)

        def share_of_loss(params: Params) -> tuple[jax.Array, PerExample]:
            out = objective(params, batch)
            return (out.loss * batch["weight"]).sum() / total, out

        (_, out), gradients = jax.value_and_grad(share_of_loss, has_aux=True)(state.params)
        gradients = jax.lax.psum(gradients, AXIS)
        updates, opt_state = optimiser.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(state.step + 1, params, opt_state), _means(_sums(out, batch))

    return jax.pmap(step, axis_name=AXIS, donate_argnums=0)


def make_eval_step(objective: Objective) -> Callable:
    """Returns `step(params, batch) -> sums`, pmapped; `sums` are added over all devices, ready for `means`."""

    def step(params: Params, batch: Batch) -> dict[str, jax.Array]:
        return _sums(objective(params, batch), batch)

    return jax.pmap(step, axis_name=AXIS)


def means(sums: dict[str, Any]) -> dict[str, float]:
    """Turns added sums into the mean loss and the mean score (0 where nothing counted)."""
    return {name: float(value) for name, value in _means(sums).items()}


def _sums(out: PerExample, batch: Batch) -> dict[str, jax.Array]:
    weight = batch["weight"]
    counts = out.counts * weight
    sums = {
        "loss": (out.loss * weight).sum(),
        "examples": weight.sum(),
        "score": (out.score * counts).sum(),
        "counted": counts.sum(),
    }
    return jax.lax.psum(sums, AXIS)


def _means(sums: dict[str, Any]) -> dict[str, Any]:
    return {
        "loss": sums["loss"] / jnp.maximum(sums["examples"], 1),
        "score": sums["score"] / jnp.maximum(sums["counted"], 1),
    }
