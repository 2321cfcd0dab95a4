"""Parameters of networks that nobody has trained, for timing them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


def he_params(module: nn.Module, size: int) -> Any:
    """Returns random parameters that keep the scale of activations, so that logits can be compared."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))["params"]
    rng = np.random.default_rng(0)

    def draw(shape: Any) -> np.ndarray:
        fan_in = max(1, np.prod(shape.shape[:-1]))
        return (rng.normal(size=shape.shape) * np.sqrt(2 / fan_in) * (len(shape.shape) > 1)).astype(
            np.float32
        )

    return jax.tree.map(draw, shapes)
