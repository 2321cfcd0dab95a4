"""What the terminal says of a run's records; imports nothing that only the data stage needs."""

import pathlib
from collections.abc import Mapping
from typing import Any

NOTES = 3


def count(number: int, noun: str) -> str:
    """Returns "1 scan", "2 scans"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def summary(facts: Mapping[str, Any], directory: pathlib.Path) -> str:
    """Returns what a person should know of the records in a directory, from accounting.json: a few lines."""
    slices = facts["slices"]
    positives = sum(counts.get("positive", 0) for counts in slices.values())
    negatives = sum(counts.get("negative", 0) for counts in slices.values())
    lines = [
        f"records: {facts['source']}, {count(facts['patients'], 'patient')}, {count(facts['scans'], 'scan')}, "
        f"{count(positives, 'slice')} with a nodule and {negatives:,} without, {facts['bytes'] / 1e6:,.0f} MB"
    ]
    if facts["scans_missing"]:
        lines.append(
            f"  not in the folder: {count(facts['scans_missing'], 'scan')}, see {directory / 'missing.txt'}"
        )
    if packed := facts.get("packed_files"):
        lines.append(
            f"  not looked into: {count(len(packed), 'packed file')} ({packed[0]}): unpack them for their scans"
        )
    notes = [f"{row['patient']}: {row['note']}" for row in facts["notes"]]
    lines += [f"  {note}" for note in notes[:NOTES]]
    if len(notes) > NOTES:
        lines.append(f"  and {count(len(notes) - NOTES, 'more note')} in {directory / 'accounting.json'}")
    for where in ("crop", "hull"):
        if number := facts[f"voxels_outside_{where}"]:
            lines.append(f"  {number:,} of {facts['voxels']:,} pixels of nodules lie outside the {where}")
    if many := facts["scans_to_look_at"]:
        lines.append(f"  must be looked at: {count(many, 'scan')}, see {directory / 'check.html'}")
    return "\n".join(lines)


def is_synthetic(accounting: Mapping[str, Any]) -> bool:
    """Says whether records are of rendered volumes; those of version 0.1 say it by their source's name only."""
    return bool(accounting.get("synthetic", accounting["source"] == "LIDC twin"))
