"""Makes the patches start: after the shapes trunk, trained to find procedural nodules in patches of synthetic chests.

python main.py --config=configs/pretrain_patches.py --workdir=runs/patches
cp runs/patches/patches_trunk.npz wsns/models/weights/
"""

from ml_collections import ConfigDict

from configs import demo, pretrain_shapes


def get_config() -> ConfigDict:
    """Returns the config of the shapes trunk with patches and the demo's channels."""
    config = pretrain_shapes.get_config()
    config.pretrain.on = "patches"
    config.pretrain.patches = 18000
    config.data.crop = 192
    config.model.channels = demo.get_config().model.channels
    config.model.start = "shapes"
    config.train.epochs = 3
    config.train.decay = 0.5
    return config
