"""Names that are unique in the world and yet follow from what they name."""

import hashlib
import uuid

import numpy as np

ROOT = "2.25"
"""Under which DICOM (PS3.5, B.2) has UIDs that are made of UUIDs, without a registered organisation."""


def derived_uid(*parts: str) -> str:
    """Returns a UID that follows from some texts: the same for the same ones, on any machine."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).digest()
    return f"{ROOT}.{uuid.UUID(bytes=digest[:16], version=5).int}"


def content_of(labels: np.ndarray) -> str:
    """Returns 64 hexadecimal digits that tell a label map (Z, Y, X) from others, whatever its type of integers."""
    where = np.flatnonzero(labels)
    content = hashlib.sha256(repr(labels.shape).encode())
    content.update(where.astype("<i8").tobytes())
    content.update(labels.reshape(-1)[where].astype("<u2").tobytes())
    return content.hexdigest()
