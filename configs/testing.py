"""The whole path in a minute, for the tests: three scans of the twin, 1/16 of the width, one epoch.

    python main.py --config=configs/testing.py --workdir=runs/testing

Its results mean nothing.
"""

from ml_collections import ConfigDict

from configs import demo


def get_config() -> ConfigDict:
    """Returns the demo's config, made tiny."""
    config = demo.get_config()
    config.data.max_scans = 3
    config.data.workers = 1
    config.model.width = 1 / 16
    config.model.size = 128
    config.model.start = "random"
    config.train.rates = (3e-3, 3e-3, 3e-3)
    config.train.epochs = 1
    config.train.batch = 10
    config.unet.width = 1 / 32
    config.unet.epochs = 1
    config.unet.batch = 10
    # A network that has learnt nothing detects nothing, and nothing would be searched.
    config.segment.detect = 0.0
    config.scans.detect = 0.0
    config.tune.fields = ConfigDict({"tau": (0.5, 0.8), "outline": ("edge", "eq4")})
    config.evaluate.draws = 50
    return config
