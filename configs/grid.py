"""Searches learning rate, decay and batch size of each weakly supervised network, as the paper did.

python main.py --config=configs/grid.py --workdir=runs/table1 --config.data.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns the paper's config with the values to try."""
    config = table1.get_config()
    config.task = "grid"
    config.models = ("gap1", "gap2", "gap3")
    config.grid = grid = ConfigDict()
    # Learning rates of the new layers, factors on them per epoch, slices per batch: each is tried with each.
    grid.rates = (1e-2, 2e-3, 1e-3)
    grid.decays = (0.95, 0.99)
    grid.batches = (15, 30)
    return config
