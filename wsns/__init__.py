"""Weakly-supervised nodule segmentation. Importing the package settles how JAX and XLA compute.

What is set here holds whatever the environment says: results must not depend on a variable that another project left
in a shell. Where the work is done (JAX_PLATFORMS, CUDA_VISIBLE_DEVICES) stays the user's.
"""

import importlib.metadata
import os
import sys
from typing import Any

from wsns.errors import InputError

__all__ = ("VERSION", "InputError", "predict")
VERSION = "0.1.0"
SETTINGS = {
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_numpy_dtype_promotion": "standard",
    "jax_disable_jit": False,
}
"""JAX's settings that would change numbers, or break the code, all at their defaults."""


def __getattr__(name: str) -> Any:
    """Finds `predict` when it is asked for: it brings everything else with it."""
    if name == "predict":
        from wsns.prediction.api import predict

        return predict
    raise AttributeError(f"module 'wsns' has no attribute {name!r}")


def _keep_jax_settings() -> None:
    """Sets them in the environment, for a later import of jax and for processes, and in a jax that is there."""
    for name, value in SETTINGS.items():
        os.environ[name.upper()] = str(int(value)) if isinstance(value, bool) else str(value)
    if "jax" in sys.modules:
        config = sys.modules["jax"].config
        for name, value in SETTINGS.items():
            config.update(name, value)


def _turn_off_miscompiled_fusions() -> None:
    """Adds the flag that keeps jaxlib 0.10.2 from miscompiling reductions on the CPU (jax issue 39103).

    XLA aborts on a flag that it does not know, hence the versions; it reads the variable when the first
    backend starts, so importing jax earlier does no harm.
    """
    version = tuple(int(part) for part in importlib.metadata.version("jaxlib").split(".")[:3])
    name = "--xla_cpu_experimental_ynn_fusion_type"
    flags = os.environ.get("XLA_FLAGS", "")
    if version >= (0, 10, 2) and name not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {name}=".strip()


_keep_jax_settings()
_turn_off_miscompiled_fusions()
