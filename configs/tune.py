"""Searches the thresholds of the segmentation on the validation split, with the networks that a run has trained.

    python main.py --config=configs/tune.py --workdir=runs/table1 --config.data.manual_dir=DIR

Another config's networks: `--config=configs/demo.py --config.task=tune`.
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns the paper's config with this task."""
    config = table1.get_config()
    config.task = "tune"
    return config
