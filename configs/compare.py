"""Puts several runs into one table, each paired with the first over patients; reads their files only.

python main.py --config=configs/compare.py --config.compare.workdirs="('runs/a','runs/b')" --workdir=runs/compare
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns what to compare."""
    config = ConfigDict()
    config.task = "compare"
    config.compare = compare = ConfigDict()
    # The runs' folders; the first is what the others are compared with.
    compare.workdirs = ()
    # What they are called in the table; empty for their folders' names.
    compare.names = ()
    config.evaluate = evaluate = ConfigDict()
    # Draws of patients behind each interval.
    evaluate.draws = 2000
    evaluate.seed = 0
    return config
