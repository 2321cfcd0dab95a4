"""A run beside others that differ from it in a few fields: phases, masking, scope, outline, start of the networks.

    python main.py --config=configs/ablations.py --workdir=runs/table1 --config.data.manual_dir=DIR

Another config's run: `--config=configs/ablations.py:demo --workdir=runs/demo`.
"""

import importlib.util
import operator
from typing import Any

from absl import flags
from ml_collections import ConfigDict

ABLATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("2 phases", {"segment.means": (-900.0, -500.0)}),
    ("3 phases", {"segment.means": (-900.0, -600.0, -200.0)}),
    ("6 phases", {"segment.means": (-900.0, -780.0, -680.0, -560.0, -380.0, -60.0)}),
    ("means re-estimated", {"segment.reestimate": True}),
    ("beta 0.1", {"segment.beta": 0.1}),
    ("beta 1", {"segment.beta": 1.0}),
    ("full candidates", {"segment.candidates": "full"}),
    ("fill floor", {"segment.fill": "floor"}),
    ("fill mean", {"segment.fill": "mean"}),
    ("outline eq4", {"segment.outline": "eq4"}),
    ("outline compact", {"segment.outline": "compact"}),
    ("tau 0.3", {"segment.tau": 0.3}),
    ("tau 0.7", {"segment.tau": 0.7}),
    ("sigma 2", {"segment.sigma": 2.0}),
    ("sigma 6", {"segment.sigma": 6.0}),
    ("reach 0.3", {"segment.reach": 0.3}),
    ("reach 0.7", {"segment.reach": 0.7}),
    ("contrast nodule", {"segment.contrast": "nodule"}),
    # From here on networks are trained anew.
    ("random start", {"model.start": "random"}),
    ("pool mean", {"model.pool": "mean"}),
    ("pool lse", {"model.pool": "lse"}),
    ("another seed", {"seed": 1}),
)


def get_config(base: str = "table1") -> ConfigDict:
    """Returns a config with its ablations.

    Args:
        base: name of the config that they start from; what changes nothing there is left out.

    Raises:
        IllegalFlagValueError: if there is no such config; any other error would come with a traceback.
    """
    if not importlib.util.find_spec(f"configs.{base}"):
        raise flags.IllegalFlagValueError(f"configs/ablations.py:{base}: there is no configs/{base}.py")
    config = importlib.import_module(f"configs.{base}").get_config()
    config.task = "ablations"
    # Whole scans take no part.
    config.scans.most = 0
    # Each a name and the fields in which it differs from this config, by their dotted names. The runs share the
    # records, and all networks that these fields don't change.
    config.ablations = tuple(
        (name, overrides)
        for name, overrides in ABLATIONS
        if any(operator.attrgetter(field)(config) != value for field, value in overrides.items())
    )
    return config
