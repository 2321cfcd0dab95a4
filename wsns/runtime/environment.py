"""What a run stood on: versions, devices, the state of the code."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax

from wsns.runtime import multihost

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-image", "SimpleITK", "pylidc",
    "tensorflow-datasets", "array_record", "pydicom", "nibabel", "highdicom",
)  # fmt: skip


def describe(*, devices: bool = True) -> dict[str, Any]:
    """Returns versions, devices and the git state as values of JSON's types.

    Args:
        devices: whether the task uses them; for one that doesn't they aren't started.
    """
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": [
            f"{device.platform}:{device.device_kind}" for device in (jax.local_devices() if devices else ())
        ],
        "processes": multihost.count(),
        "git": commit(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """Returns commit and whether files were changed; 'unknown' outside a checkout of this project's own."""
    root = pathlib.Path(__file__).resolve().parents[2]
    try:
        # A copy may lie inside another project's checkout, tracked there or not.
        if pathlib.Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return "unknown"
        _git(root, "ls-files", "--error-unmatch", pathlib.Path(__file__).resolve().relative_to(root))
        found = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return "unknown"
    return found + (" with uncommitted changes" if changed else "")


def _git(root: pathlib.Path, *arguments: str | pathlib.Path) -> str:
    """Asks git about a folder's own checkout, not about one that a variable names, as within a hook."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", root, *arguments],
        capture_output=True,
        check=True,
        env=own,
        encoding="utf-8",
        errors="replace",
    )
    return done.stdout.strip()
