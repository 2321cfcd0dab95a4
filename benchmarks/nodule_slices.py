"""Slices with a nodule, as the records hold them, without records."""

import numpy as np

from wsns.data.records import plan
from wsns.data.records.extract import scan_records
from wsns.data.records.schema import NAMES, Slices


def nodule_slices(folder: str, scans: int, most: int) -> Slices:
    """Returns crops of scans in a folder, or of the twin, evenly taken from each, at most `most`.

    Raises:
        InputError: if the folder holds no scan that can be used.
    """
    choice = plan.Options(manual_dir=folder, max_scans=scans)
    made = plan.make_plan(choice, lambda items, _: items)
    parts = []
    for uid in made.source.series:
        slices = scan_records(made.scans[uid], made.source.read(uid), choice.rules).slices
        positive = np.flatnonzero(slices.label)
        parts.append(
            slices.take(positive[np.unique(np.linspace(0, len(positive) - 1, most).round().astype(int))])
        )
    return Slices(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))
