"""What to call scans in a table: by their patient."""

import collections
from collections.abc import Iterable


def scan_names(scans: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the name by series of scans (patient, series): the patient, with the UID's end where that has several."""
    listed = list(dict.fromkeys(scans))
    times = collections.Counter(patient for patient, _ in listed)
    return {
        series: patient if times[patient] == 1 else f"{patient} {series[-6:]}" for patient, series in listed
    }
