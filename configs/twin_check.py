"""Sets the synthetic twin beside real scans: the same figures of both, and how well their crops are told apart.

python main.py --config=configs/twin_check.py --config.data.manual_dir=DIR --workdir=runs/twin_check
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns what to compare; `config.data` chooses the real scans."""
    config = ConfigDict()
    config.task = "twin_check"
    config.data = table1.get_config().data
    config.check = check = ConfigDict()
    # Scans of the twin: of other patients than the real ones, with pixels and slices of sizes that the real ones have.
    check.twins = 12
    # Slices of each scan, at equal distances; nodules are measured in all of theirs.
    check.slices = 12
    # Crops of each scan that are to be told apart.
    check.crops = 200
    # Of the crops and of the bootstrap.
    check.seed = 0
    # Draws of scans behind each interval.
    check.draws = 2000
    return config
