"""One pmapped training step and one pmapped evaluation step, for every network of the project.

This is the only module that knows `jax.pmap`. Batches carry a weight per example, zero for padding; sums and
weights are added over all devices before they are divided, so that the number of devices doesn't matter.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = Any
Batch = dict[str, Any]
Sums = dict[str, Any]
AXIS = "devices"
_COUNTED = "counted "
PER_STEP = {"gradient_norm": "steps"}
"""What a training epoch adds up per step, by the name of the steps' count."""
PLAN = ("row", "position", "weight")
"""What a batch says about its examples: their rows in the data, their places in the whole batch, 0 for padding."""


class PerExample(NamedTuple):
    """Loss and score of each example of a batch, each (B,); `counts` (B,) says how much a score counts.

    `more` holds further scores by name, each with how much it counts; of an objective that isn't trained on.
    """

    loss: jax.Array
    score: jax.Array
    counts: jax.Array
    more: Mapping[str, tuple[jax.Array, jax.Array]] = {}


Objective = Callable[[Params, Batch], PerExample]
Augmentation = Callable[[Batch, jax.Array, jax.Array], Batch]
"""From images by name, the step's key and the examples' positions to the images moved."""


class State(NamedTuple):
    """All that training carries from step to step; one copy per device inside the loop.

    `key` is the data of the random key of the run, `sums` what was added up since the epoch began.
    """

    step: jax.Array
    params: Params
    opt_state: Any
    key: jax.Array
    sums: Sums


def init_state(params: Params, optimiser: optax.GradientTransformation, seed: int = 0) -> State:
    """Returns the state before the first step."""
    key = jax.random.key_data(jax.random.key(seed))
    return State(jnp.zeros((), jnp.int32), params, optimiser.init(params), key, no_sums())


def no_sums() -> Sums:
    """Returns the sums of no example."""
    of_examples = ("loss", "examples", "score", "counted")
    return {name: np.zeros((), np.float32) for name in (*of_examples, "gradient_norm", "steps")}


def replicate(tree: Any, devices: int) -> Any:
    """Stacks a copy of every array per device: leaves (…) become (devices, …)."""
    return jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), (devices, *np.shape(leaf))), tree)


def place(tree: Any, devices: int) -> Any:
    """Puts a copy of every array into the memory of each device: leaves (…) become (devices, …)."""
    return _placed()(replicate(tree, devices))


def unreplicate(tree: Any) -> Any:
    """Returns the first device's copy of every array, on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_shards[0].data)[0], tree)


def shard(batch: Batch, devices: int) -> Batch:
    """Cuts a batch into equal parts: leaves (B, …) become (devices, B/devices, …)."""
    return {name: value.reshape(devices, -1, *value.shape[1:]) for name, value in batch.items()}


def make_train_step(
    objective: Objective,
    optimiser: optax.GradientTransformation,
    *,
    portions: int = 1,
    augmentation: Augmentation | None = None,
) -> Callable:
    """Returns `step(state, batch, data) -> (state, shown)`, pmapped over the leading axis of all.

    `batch` holds what `PLAN` names, (B,) each, and the examples themselves; or `data` holds arrays (N, …) in which
    the batch's rows are looked up. `shown` is 'loss' and 'score' over the whole batch and the gradient's norm, the
    same on every device.

    Args:
        objective: loss and score per example.
        optimiser: an optax transformation.
        portions: the device works its part of a batch off in so many portions and adds their gradients up: less
            memory, the same step.
        augmentation: moves the images (B, S, S) or (B, C, S, S).
    """

    def step(state: State, batch: Batch, data: Batch) -> tuple[State, dict[str, jax.Array]]:
        total = jax.lax.psum(batch["weight"].sum(), AXIS)
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)

        def work(portion: Batch) -> tuple[Params, Sums]:
            examples = _look_up(portion, data)
            if augmentation:
                images = {name: values for name, values in examples.items() if values.ndim >= 3}
                examples |= augmentation(images, key, portion["position"])

            def share_of_loss(params: Params) -> tuple[jax.Array, PerExample]:
                out = objective(params, examples)
                return (out.loss * portion["weight"]).sum() / total, out

            gradients, out = jax.grad(share_of_loss, has_aux=True)(state.params)
            return gradients, _sums(out, portion["weight"])

        gradients, sums = jax.lax.psum(_add_up(work, batch, portions), AXIS)
        updates, opt_state = optimiser.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        norm = optax.tree.norm(gradients)
        own = sums | {"gradient_norm": norm, "steps": jnp.ones_like(norm)}
        added = jax.tree.map(jnp.add, state.sums, own)
        shown = means(sums) | {"gradient_norm": norm}
        return State(state.step + 1, params, opt_state, state.key, added), shown

    return jax.pmap(step, axis_name=AXIS, donate_argnums=0)


def make_eval_step(objective: Objective) -> Callable:
    """Returns `step(params, batch, data) -> sums`, pmapped; `sums` are added over all devices, ready for `means`."""

    def step(params: Params, batch: Batch, data: Batch) -> Sums:
        return jax.lax.psum(_sums(objective(params, _look_up(batch, data)), batch["weight"]), AXIS)

    return jax.pmap(step, axis_name=AXIS)


def means(sums: dict[str, Any]) -> dict[str, Any]:
    """Turns added sums into the mean loss, the mean score and those of `more` (0 where nothing counted).

    Of a training epoch also into the mean of the steps' gradient norms.
    """
    of = {"loss": "examples", "score": "counted"}
    of |= {name: counted for name, counted in PER_STEP.items() if name in sums}
    of |= {name.removeprefix(_COUNTED): name for name in sums if name.startswith(_COUNTED)}
    return {name: sums[name] / jnp.maximum(sums[counted], 1) for name, counted in of.items()}


@functools.cache
def _placed() -> Callable:
    """Returns one function for all calls: a new one would be compiled anew each time."""
    return jax.pmap(lambda leaves: leaves, axis_name=AXIS, donate_argnums=0)


def _look_up(batch: Batch, data: Batch) -> Batch:
    return batch | {name: values[batch["row"]] for name, values in data.items()}


def _add_up(work: Callable[[Batch], Any], batch: Batch, portions: int) -> Any:
    """Returns the sum of what `work` returns for each portion of a batch."""
    if portions == 1:
        return work(batch)
    parts = {name: value.reshape(portions, -1, *value.shape[1:]) for name, value in batch.items()}
    shape = jax.eval_shape(work, {name: value[0] for name, value in parts.items()})
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)
    return jax.lax.scan(lambda sums, part: (jax.tree.map(jnp.add, sums, work(part)), None), nothing, parts)[0]


def _sums(out: PerExample, weight: jax.Array) -> Sums:
    counts = out.counts * weight
    sums = {
        "loss": (out.loss * weight).sum(),
        "examples": weight.sum(),
        "score": (out.score * counts).sum(),
        "counted": counts.sum(),
    }
    for name, (score, own) in out.more.items():
        sums |= {name: (score * own * weight).sum(), f"{_COUNTED}{name}": (own * weight).sum()}
    return sums
