"""Networks that see synthetic scans only, for several seeds, tried on real ones; nothing is trained on those.

python main.py --config=configs/transfer.py --workdir=runs/transfer --config.data.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import demo


def get_config() -> ConfigDict:
    """Returns the demo's config; `data.manual_dir` is the folder of the real scans, which the twin never reads."""
    config = demo.get_config()
    config.task = "transfer"
    return config
