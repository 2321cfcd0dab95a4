"""Packs a finished run's networks into one file for configs/predict.py, with a card that says how they were made.

python main.py --config=configs/release.py --config.predict.run=RUN --workdir=OUT
"""

from ml_collections import ConfigDict

from configs import predict


def get_config() -> ConfigDict:
    """Returns what to pack."""
    config = predict.get_config()
    config.task = "release"
    # What the card says besides what the run knows: the command that made it, in words.
    config.release = release = ConfigDict()
    release.command = ""
    return config
