"""VGG16's weights as random numbers, and written in every format that people have them in."""

import h5py
import numpy as np
import safetensors.numpy

from wsns.models import vgg_gap

LAYERS = [f"conv{b}_{i}" for b, (_, depth) in enumerate(vgg_gap.BLOCKS, start=1) for i in range(1, depth + 1)]
# As torchvision's documentation prints VGG16: the place of each convolution in `features`.
TORCH_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
TOP = {"fc1": (3, 5), "predictions": (5, 7)}


def random_layers(seed=0):
    """Random weights of VGG16's shapes, scaled (He) so that activations neither vanish nor grow."""
    rng = np.random.default_rng(seed)
    layers, channels = {}, 3
    for name in LAYERS:
        filters = vgg_gap.BLOCKS[int(name[4]) - 1][0]
        scale = np.float32(np.sqrt(2 / (9 * channels)))
        layers[name] = {
            "kernel": rng.standard_normal((3, 3, channels, filters), np.float32) * scale,
            "bias": rng.standard_normal(filters, np.float32) / 10,
        }
        channels = filters
    return layers


def real_layers(folder, seed=0):
    """Random weights with the real arrays of the original VGG16 in the place of those that are exact.

    Returns the layers, first kernel in BGR order, and the names of the exact arrays.
    """
    layers, exact = random_layers(seed), []
    with np.load(folder / "vgg16_blocks1-3_keras.npz") as file:
        for key in file:
            name = key.removeprefix("block").replace("_conv", "_")
            layer, part = f"conv{name}".split("/")
            if layer < "conv3" or layer == "conv5_3":
                layers[layer][part] = file[key]
                exact.append(f"{layer}/{part}")
    return layers, exact


def torchvision_first_layer(folder):
    """The real first kernel of torchvision's VGG16, (3, 3, 3, 64), RGB."""
    with np.load(folder / "vgg16_conv1_1_torchvision.npz") as file:
        return file["block1_conv1/kernel"]


def keras_layer(name):
    return f"block{name[4]}_conv{name[6]}"


def write_keras(path, layers, style="today"):
    """Writes Keras's HDF5 file in the layout of '2016', of 'today', with the top, of a whole model or of 'keras3'."""
    with h5py.File(path, "w") as file:
        for n, (layer, arrays) in enumerate(layers.items()):
            name = keras_layer(layer)
            kernel, bias = {
                "2016": (f"{name}/{name}_W_1:0", f"{name}/{name}_b_1:0"),
                "today": (f"{name}/{name}/kernel:0", f"{name}/{name}/bias:0"),
                "top": (f"{name}/{name}/kernel:0", f"{name}/{name}/bias:0"),
                "whole": (f"model_weights/{name}/{name}/kernel", f"model_weights/{name}/{name}/bias"),
                "keras3": tuple(f"layers/conv2d{f'_{n}' if n else ''}/vars/{part}" for part in (0, 1)),
            }[style]
            file[kernel], file[bias] = arrays["kernel"], arrays["bias"]
        if style == "top":
            for name, shape in TOP.items():
                file[f"{name}/{name}/kernel:0"] = np.zeros(shape, np.float32)
        if style == "whole":
            file[f"optimizer_weights/momentum/{keras_layer('conv1_1')}/kernel"] = np.zeros((3, 3, 3, 64))


def torch_arrays(layers, dtype=np.float32):
    """The arrays in torchvision's names and order of axes, with a piece of the classifier."""
    arrays = {"classifier.0.weight": np.zeros((2, 3), dtype)}
    for name, layer in layers.items():
        place = TORCH_PLACES[LAYERS.index(name)]
        arrays[f"features.{place}.weight"] = np.ascontiguousarray(
            layer["kernel"].transpose(3, 2, 0, 1), dtype
        )
        arrays[f"features.{place}.bias"] = layer["bias"].astype(dtype)
    return arrays


def write_numpy(path, layers):
    """Writes arrays in Keras's names, as many parts as each layer has."""
    np.savez(path, **{f"{keras_layer(name)}/{part}": array for name, parts in layers.items()
                      for part, array in parts.items()})  # fmt: skip


def write_safetensors(path, layers, dtype=np.float32):
    safetensors.numpy.save_file(torch_arrays(layers, dtype), path)


def write_torch(path, layers, *, old=False, half=False):
    """Writes a state dict as `torch.save` does since 1.6, as a zip file, or as before."""
    import torch

    state = {name: torch.from_numpy(array) for name, array in torch_arrays(layers).items()}
    if half:
        state = {name: tensor.bfloat16() for name, tensor in state.items()}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
