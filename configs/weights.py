"""Fetches ImageNet's weights of VGG16 from Keras, or checks a file that you have, and says what they are.

python main.py --config=configs/weights.py
python main.py --config=configs/weights.py --config.model.weights=vgg16-397923af.pth
"""

from ml_collections import ConfigDict

from configs import table1


def get_config() -> ConfigDict:
    """Returns the paper's config with the weights as its task."""
    config = table1.get_config()
    config.task = "weights"
    return config
