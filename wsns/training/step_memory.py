"""A training step compiled but not taken: how much of a device's memory it needs."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from wsns.training import step as steps
from wsns.training.loop import Subject

Shapes = Mapping[str, jax.ShapeDtypeStruct]


def compile_step(subject: Subject, example: Shapes, batch: int, portions: int = 1) -> Any:
    """Returns a compiled `step(state, batch, {})`, see `wsns.training.step.make_train_step`.

    Args:
        subject: what is trained.
        example: shape and type of one example's arrays by name, without the batch's axis.
        batch: examples in a batch, over all devices.
        portions: in which a device works its part of a batch off.
    """
    local, size = jax.local_device_count(), -(-batch // (jax.device_count() * portions)) * portions
    one = {"row": _shape((), jnp.int32), "position": _shape((), jnp.int32), "weight": _shape((), jnp.float32)}
    parts = {name: _shape((local, size, *of.shape), of.dtype) for name, of in {**one, **example}.items()}
    state = jax.eval_shape(lambda params: steps.init_state(params, subject.optimiser), subject.params)
    state = jax.tree.map(lambda leaf: _shape((local, *leaf.shape), leaf.dtype), state)
    step: Any = steps.make_train_step(subject.objective, subject.optimiser, portions=portions)
    return step.lower(state, parts, {}).compile()


def step_bytes(compiled: Any) -> int:
    """Returns the bytes on each device that a compiled step takes: state, batch, and all between them.

    What the process takes besides, and slices that wait in the device's memory, come on top.
    """
    took = compiled.memory_analysis()
    return int(
        took.argument_size_in_bytes
        + took.output_size_in_bytes
        - took.alias_size_in_bytes
        + took.temp_size_in_bytes
    )


def _shape(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
