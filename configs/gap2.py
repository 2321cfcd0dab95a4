"""Trains the 2-GAP network of the paper at full size.

python main.py --config=configs/gap2.py --workdir=runs/table1 --config.data.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns the paper's config with one network to train."""
    config = table1.get_config()
    config.task = "train"
    config.models = ("gap2",)
    return config
