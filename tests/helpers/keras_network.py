"""Keras's real VGG16 with random weights: writes its files, and its activations on an image.

    python keras_network.py FOLDER

FOLDER/grey.npy is (H, W) in 0…255. Run in a process of its own: Keras sets itself up at import.
"""

import pathlib
import sys

import h5py
import keras
import numpy as np


def main(folder: pathlib.Path) -> None:
    grey = np.load(folder / "grey.npy")
    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(*grey.shape, 3))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.weights
            scale = np.sqrt(2 / np.prod(kernel.shape[:3]))
            layer.set_weights([rng.normal(size=kernel.shape) * scale, rng.normal(size=bias.shape)])
    model.save_weights(folder / "keras3.weights.h5")
    model.save(folder / "whole.h5")
    # What Keras publishes is the group of the weights alone, as the file's root.
    with h5py.File(folder / "whole.h5") as whole, h5py.File(folder / "notop.h5", "w") as file:
        for layer in whole["model_weights"]:
            whole.copy(f"model_weights/{layer}", file)
    images = keras.applications.vgg16.preprocess_input(np.repeat(grey[None, ..., None], 3, axis=-1))
    stages = {layer.name: layer.output for layer in model.layers[1:]}
    outputs = keras.Model(model.input, stages)(images)
    np.savez(folder / "activations.npz", **{name: np.asarray(value) for name, value in outputs.items()})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
