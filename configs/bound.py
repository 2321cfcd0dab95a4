"""How good a segmentation can get by its candidates, for several ways to make them; needs no network.

python main.py --config=configs/bound.py --workdir=runs/bound --config.data.manual_dir=DIR
"""

from typing import Any

from ml_collections import ConfigDict

from configs import table1

BARE: dict[str, Any] = {"hull": False, "openings": (0.0,)}
SCHEMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as configured", {}),
    ("2 phases, cut at -700 HU", {"means": (-900.0, -500.0)}),
    ("3 phases, at -750, -400", {"means": (-900.0, -600.0, -200.0)}),
    ("5 phases, at -825, -700, -550, -275", {"means": (-900.0, -750.0, -650.0, -450.0, -100.0)}),
    ("6 phases, at -840, -730, -620, -470, -220", {"means": (-900.0, -780.0, -680.0, -560.0, -380.0, -60.0)}),
    ("means by each slice's k-means", {"slice_means": True}),
    ("means re-estimated", {"reestimate": True}),
    ("beta 0.1", {"beta": 0.1}),
    ("beta 1", {"beta": 1.0}),
    ("without hull", {"hull": False}),
    ("without openings", {"openings": (0.0,)}),
    ("without both", BARE),
    ("without both, k-means, beta 1", BARE | {"slice_means": True, "beta": 1.0}),
    ("one threshold, opened by 1.5 px", {"means": (-900.0, -500.0), "beta": 0.0, "openings": (1.5,)}),
    ("full", {"candidates": "full", "max_candidates": 16}),
    ("full, hull closed by 20 mm", {"candidates": "full", "max_candidates": 16, "hull_closing": 20.0}),
    ("full, up to 32", {"candidates": "full", "max_candidates": 32}),
)


def get_config() -> ConfigDict:
    """Returns the paper's config with the ways to compare."""
    config = table1.get_config()
    config.task = "bound"
    config.bound = bound = ConfigDict()
    # Pixels around each nodule's consensus that make up its scope.
    bound.radius = 24.0
    # Each a name and the fields of config.segment in which it differs; besides these 'hull' (whether it
    # cuts) and 'slice_means' (by k-means, from 'means').
    bound.schemes = SCHEMES
    return config
