"""How much a person should worry about a scan: what is unusual in its records, each with a level by a stated rule."""

from typing import NamedTuple

from wsns.data.records.extract import ScanFacts

MUST, MINOR, FINE = "must look", "minor", "fine"
CROP_LOST, HULL_LOST, LUNG_LOST = 0.05, 0.25, 0.10
"""Of the nodules' pixels outside the crop and outside the lungs' hull, and of the lungs outside the crop: shares from
which on a person must look."""
LEAST_HULL, LEAST_LUNG = 0.02, 0.03
"""Up to these shares nothing is said; of nodules outside the crop each pixel is."""

RULES = {
    MUST: "a lung, or a part of it, was not found or is cut; "
    f"or the crop leaves out {100 * CROP_LOST:g} % or more of the nodules’ pixels, or {100 * LUNG_LOST:g} % or more of "
    "the lungs; or the lungs’ closed hull, in which the method searches, leaves out "
    f"{100 * HULL_LOST:g} % or more of the nodules’ pixels",
    MINOR: f"the crop leaves out less of the nodules, or more than {100 * LEAST_LUNG:g} % of the lungs; "
    f"or the hull more than {100 * LEAST_HULL:g} % of the nodules’ pixels; "
    "or files were handled, or right and left are exchanged",
    FINE: "none of this",
}
"""By level, from the worst on: when a scan has it. A scan has the level of its worst sign."""


class Sign(NamedTuple):
    """Something unusual: how much it weighs (1 and more: a person must look), and a sentence."""

    weight: float
    text: str

    @property
    def level(self) -> str:
        """MUST or MINOR."""
        return MUST if self.weight >= 1 else MINOR


def signs(scan: ScanFacts) -> list[Sign]:
    """Returns what is unusual in a scan, the worst first."""
    crop, hull = (part / max(scan.voxels, 1) for part in (scan.outside_crop, scan.outside_hull))
    found = [Sign(float("inf"), text) for text in scan.warnings]
    if scan.outside_crop:
        text = f"The crop leaves out {scan.outside_crop:,} of {scan.voxels:,} pixels of nodules."
        found.append(Sign(crop / CROP_LOST, text))
    if hull > LEAST_HULL:
        text = (
            f"The lungs' closed hull leaves out {scan.outside_hull:,} of {scan.voxels:,} pixels of nodules."
        )
        found.append(Sign(hull / HULL_LOST, text))
    if scan.lung_outside_crop > LEAST_LUNG:
        text = f"The crop leaves out {100 * scan.lung_outside_crop:.1f} % of the lungs."
        found.append(Sign(scan.lung_outside_crop / LUNG_LOST, text))
    if scan.right == "right":
        found.append(Sign(0.0, "The patient's right is at the right of its pictures."))
    found += [Sign(0.0, f"{note}.") for note in scan.notes]
    return sorted(found, key=lambda sign: -sign.weight)


def level(found: list[Sign]) -> str:
    """Returns a scan's level, that of its worst sign: one of `RULES`."""
    return found[0].level if found else FINE
