"""Weakly-supervised nodule segmentation. Importing the package settles how XLA compiles for the CPU."""

import importlib.metadata
import os


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


_turn_off_miscompiled_fusions()
