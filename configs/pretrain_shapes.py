"""Makes the shapes trunk: 1/8 of VGG16's width, trained to find blobs among tubes and walls in drawn patches.

python main.py --config=configs/pretrain_shapes.py --workdir=runs/shapes
cp runs/shapes/shapes_trunk.npz wsns/models/weights/
"""

from ml_collections import ConfigDict

from configs import demo


def get_config() -> ConfigDict:
    """Returns the demo's config with drawn patches in the place of slices."""
    config = demo.get_config()
    config.task = "pretrain"
    config.models = ("gap3",)
    config.data.crop = 96
    config.model.size = 96
    config.model.channels = "same"
    config.model.start = "random"
    config.train.batch = 30
    config.train.epochs = 10
    config.train.flip = True
    config.pretrain = ConfigDict()
    # What is drawn: 'shapes', or 'patches' of synthetic chests with procedural nodules.
    config.pretrain.on = "shapes"
    # Patches to train on; a tenth more are held out.
    config.pretrain.patches = 10000
    # Adam's learning rate.
    config.pretrain.rate = 1e-3
    return config
