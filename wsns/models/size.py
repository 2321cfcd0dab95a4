"""How large a network is: parameters, and operations of a forward pass."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


def parameters(module: nn.Module, size: int) -> int:
    """Returns the number of parameters for images of `size` pixels."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(_shapes(module, size)["params"]))


def flops(module: nn.Module, size: int) -> int:
    """Returns the operations of a forward pass of one image of `size` pixels.

    Two per multiplication with a weight, in convolutions and dense layers; nothing else counts.
    """
    shapes = _shapes(module, size)
    total = 0
    for name, layer in shapes["params"].items():
        if "kernel" in layer:
            *_, filters = layer["kernel"].shape
            output = shapes["intermediates"][name]["__call__"][0]
            total += 2 * math.prod(layer["kernel"].shape) * math.prod(output.shape) // filters
    return total


def _shapes(module: nn.Module, size: int) -> Any:
    """Returns the shapes of parameters and of what each layer gives, without computing anything."""
    images = jnp.zeros((1, size, size, 3))
    return jax.eval_shape(
        lambda key: module.init_with_output(key, images, capture_intermediates=True)[1], jax.random.key(0)
    )
