"""What the terminal says of a run's records; imports nothing that only the data stage needs."""

import pathlib
from collections.abc import Mapping
from typing import Any


def summary(facts: Mapping[str, Any], directory: pathlib.Path) -> str:
    """Returns what a person should know of the records in a directory, from accounting.json: a few lines."""
    slices = facts["slices"]
    positives = sum(counts.get("positive", 0) for counts in slices.values())
    negatives = sum(counts.get("negative", 0) for counts in slices.values())
    lines = [
        f"records: {facts['source']}, {facts['patients']} patients, {facts['scans']} scans, {positives} slices with "
        f"a nodule and {negatives} without, {facts['bytes'] / 1e6:.0f} MB"
    ]
    if facts["scans_missing"]:
        lines.append(f"  {facts['scans_missing']} scans are not in the folder: {directory / 'missing.txt'}")
    for where in ("crop", "hull"):
        if number := facts[f"voxels_outside_{where}"]:
            lines.append(f"  {number} of {facts['voxels']} pixels of nodules lie outside the {where}")
    if many := len(facts["warnings"]):
        lines.append(f"  {many} scan{'s' if many > 1 else ''} to look at: {directory / 'check.html'}")
    return "\n".join(lines)
