"""Counts the whole of LIDC-IDRI by several readings, beside the paper's figures; needs no pixels.

python main.py --config=configs/accounting.py --workdir=runs/accounting
"""

from typing import Any

from ml_collections import ConfigDict

from configs import table1

AUTHORS = {"contour": "inside", "single_contours": False}
READINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("two readers overlap (default)", {}),
    ("authors' script", AUTHORS),
    ("authors' script, one scan per patient", AUTHORS | {"one_scan_per_patient": True}),
    ("authors' script, three readers overlap", AUTHORS | {"agreement": 3}),
    ("authors' script, slices up to 2.5 mm", AUTHORS | {"thickness": (0.0, 2.5)}),
    ("three readers overlap", {"agreement": 3}),
    ("four readers overlap", {"agreement": 4}),
    ("half of them, of at least two", {"agreement": 1, "agreement_share": 0.5, "min_readers": 2}),
    ("half of them, of at least three", {"agreement": 1, "agreement_share": 0.5, "min_readers": 3}),
    ("any reader", {"agreement": 1}),
)


def get_config() -> ConfigDict:
    """Returns the paper's config with the readings to count."""
    config = table1.get_config()
    config.task = "accounting"
    config.accounting = ConfigDict()
    # Each a name and the fields of config.data in which it differs from the defaults. The reading of config.data
    # itself comes first if it isn't among them.
    config.accounting.readings = READINGS
    return config
