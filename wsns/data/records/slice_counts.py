"""How many slices a run works on: from the annotations before its records are built, or from the records."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wsns.data.lidc.annotations import Scan
from wsns.data.records.split import SPLITS

if TYPE_CHECKING:  # it stands on what a machine that has the records may lack
    from wsns.data.records.plan import Plan


@dataclasses.dataclass(frozen=True)
class Part:
    """What one split holds: patients and scans with a nodule slice or without, slices with a nodule and without."""

    patients: int
    scans: int
    positive: int
    negative: int

    @property
    def slices(self) -> int:
        """All slices of the split."""
        return self.positive + self.negative


@dataclasses.dataclass(frozen=True)
class Counts:
    """The splits by name; `whole_scans` test scans are searched whole, which are `whole_slices` slices, at most."""

    source: str
    parts: Mapping[str, Part]
    whole_scans: int
    whole_slices: int


def of_plan(plan: "Plan", whole: Collection[Scan]) -> Counts:
    """Counts what a build of records will make, from the annotations alone.

    As many slices without a nodule are drawn as there are with one, if nobody has drawn in so many. Whether the lungs
    reach that many only the pixels tell.

    Args:
        plan: of the build.
        whole: the test scans that will be searched whole.
    """
    free = {uid: len(scan.z) - len(_drawn(scan)) for uid, scan in plan.scans.items()}
    parts = {}
    for name in SPLITS:
        own = [uid for uid, scan in plan.scans.items() if plan.parts[scan.patient] == name]
        parts[name] = Part(
            patients=sum(part == name for part in plan.parts.values()),
            scans=len(own),
            positive=sum(plan.positives[uid] for uid in own),
            negative=sum(min(plan.positives[uid], free[uid]) for uid in own),
        )
    slices = sum(plan.positives[scan.series] + free[scan.series] for scan in whole)
    return Counts(f"{plan.source.name}, by the readers' annotations", parts, len(whole), slices)


def of_records(
    facts: Mapping[str, Any], parts: Mapping[str, str], scans: Sequence[Mapping[str, str]], most: int
) -> Counts:
    """Counts what finished records hold.

    Args:
        facts: of `accounting.json`.
        parts: the split of each patient, of `split.json`.
        scans: rows of `scans.csv`; scans without a nodule slice have none.
        most: test scans that are searched whole, at most.
    """
    made = {}
    for name in SPLITS:
        slices = facts["slices"].get(name, {})
        patients = sum(part == name for part in parts.values())
        number = sum(row["split"] == name for row in scans)
        made[name] = Part(patients, number, slices.get("positive", 0), slices.get("negative", 0))
    depths = [int(row["slices"]) - int(row["too_many"]) for row in scans if row["split"] == "test"]
    number = min(most, len(depths))
    whole = round(sum(depths) * number / max(len(depths), 1))
    return Counts(f"{facts['source']}, finished records", made, number, whole)


def _drawn(scan: Scan) -> set[int]:
    return {contour.k for annotation in scan.annotations for contour in annotation.contours}
