"""The records alone: from the archive, or the twin, to slices with labels, lungs, consensus and split.

python main.py --config=configs/records.py --workdir=runs/records --config.data.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns the paper's config, with the first step as its task."""
    config = table1.get_config()
    config.task = "records"
    return config
