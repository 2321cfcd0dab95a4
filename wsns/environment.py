"""What a run stood on: versions, devices, the state of the code."""

import importlib.metadata
import pathlib
import platform
import subprocess
from typing import Any

import jax

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-image", "SimpleITK", "pylidc",
    "tensorflow-datasets", "array_record",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Returns versions, devices and the git state as values of JSON's types."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.local_devices()],
        "processes": jax.process_count(),
        "git": _git_state(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_state() -> str:
    """Returns commit and whether files were changed; 'unknown' outside a checkout."""
    here = pathlib.Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", here, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + (" with uncommitted changes" if changed else "")
