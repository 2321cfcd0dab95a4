"""What went into a run's records, what was left out and why: for accounting.json and check.html."""

import collections
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from wsns.data.records import qc_levels
from wsns.data.records.extract import ScanFacts
from wsns.data.records.plan import Options, Plan
from wsns.data.records.schema import VERSION
from wsns.data.records.split import SPLITS, fingerprint
from wsns.data.synthetic import twin


def account(
    plan: Plan, choice: Options, rows: Sequence[Mapping[str, Any]], facts: Sequence[ScanFacts]
) -> dict[str, Any]:
    """Counts what went in, what was left out and why.

    Args:
        plan: the scans that were chosen.
        choice: the options they were chosen by.
        rows: one per record, as in slices.csv.
        facts: one per scan with a record.
    """
    slices: dict[str, collections.Counter[str]] = {part: collections.Counter() for part in SPLITS}
    for row in rows:
        slices[row["split"]]["positive" if row["label"] else "negative"] += 1
    levels = collections.Counter(qc_levels.level(qc_levels.signs(scan)) for scan in facts)
    return {
        "source": plan.source.name,
        "synthetic": plan.source.synthetic,
        "patients": len(plan.parts),
        "scans": len(plan.scans),
        "scans_without_positive_slice": sum(not number for number in plan.positives.values()),
        "scans_missing": len(plan.missing),
        "packed_files": list(plan.source.packed) if plan.missing else [],
        "excluded": choice.exclude,
        "slices": {part: dict(counts) for part, counts in slices.items()},
        "patients_per_split": dict(collections.Counter(plan.parts.values())),
        "slices_with_two_nodules": sum(row["nodules"] == 2 for row in rows),
        "slices_with_more_nodules_left_out": sum(scan.too_many for scan in facts),
        "negatives_missing": sum(scan.positives - scan.negatives for scan in facts),
        "consensus_empty_used_overlap": sum(scan.fallbacks for scan in facts),
        "nodules_of_two_readers": sum(scan.of_two for scan in facts),
        "nodules_of_two_readers_as_intersection": sum(scan.as_intersection for scan in facts),
        "positive_slices_outside_crop": sum(
            0 < row["voxels"] == row["outside_crop"] for row in rows if row["label"]
        ),
        "voxels": sum(scan.voxels for scan in facts),
        "voxels_outside_crop": sum(scan.outside_crop for scan in facts),
        "voxels_outside_hull": sum(scan.outside_hull for scan in facts),
        "lung_outside_crop_mean": round(sum(scan.lung_outside_crop for scan in facts) / len(facts), 4),
        "lung_outside_crop_largest": round(max(scan.lung_outside_crop for scan in facts), 4),
        "scans_to_look_at": levels[qc_levels.MUST],
        "scans_with_minor_warnings": levels[qc_levels.MINOR],
        "notes": [
            {"patient": scan.patient, "series": scan.series, "note": note}
            for scan in facts
            for note in scan.notes
        ],
        "split_fingerprint": fingerprint(plan.parts),
        "versions": {
            "records": VERSION,
            "twin": twin.VERSION,
            **{
                name: importlib.metadata.version(name)
                for name in ("pylidc", "SimpleITK", "tensorflow-datasets")
            },
        },
    }


def scan_rows(plan: Plan, facts: Sequence[ScanFacts]) -> list[dict[str, Any]]:
    """Returns one row per scan with a record, for scans.csv and `wsns.report.qc_page`."""
    found = {scan.series: qc_levels.signs(scan) for scan in facts}
    return [
        {
            "patient": scan.patient,
            "series": scan.series,
            "split": plan.parts[scan.patient],
            "thickness": plan.scans[scan.series].thickness,
            "spacing": plan.scans[scan.series].spacing,
            "slices": scan.slices,
            "positives": scan.positives,
            "negatives": scan.negatives,
            "too_many": scan.too_many,
            "voxels": scan.voxels,
            "outside_crop": scan.outside_crop,
            "outside_hull": scan.outside_hull,
            "lung_outside_crop": round(scan.lung_outside_crop, 4),
            "lung_1_ml": round(scan.lungs_ml[0]),
            "lung_2_ml": round(scan.lungs_ml[1]),
            "right": scan.right,
            "picture": f"check/{scan.series}.jpg",
            "level": qc_levels.level(found[scan.series]),
            "weight": round(max((sign.weight for sign in found[scan.series]), default=0.0), 2),
            "warnings": [sign.text for sign in found[scan.series]],
        }
        for scan in sorted(facts, key=lambda scan: (scan.patient, scan.series))
    ]
