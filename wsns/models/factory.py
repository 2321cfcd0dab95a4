"""From a config to a network: module, first parameters, input preparation."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.models import head_scale
from wsns.models.preprocess import LUNG, Preprocessing, prepare
from wsns.models.unet import UNet
from wsns.models.vgg_gap import POOLS, VGG
from wsns.models.weights import start as pretrained
from wsns.models.weights.files import LAYERS

CHANNELS = ("same", "neighbours")
HEAD_SCALES = ("unit", "none")
TITLES = {"gap1": "1-GAP", "gap2": "2-GAP", "gap3": "3-GAP", "unet": "U-Net"}
"""What tables call each network."""
MODELS = tuple(TITLES)


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A module, how its input is made from crops (B, S, S) or (B, 3, S, S) in HU, and what its parameters start from.

    `head_rms()` measures by what each head's input is divided before training, see `wsns.models.head_scale`; empty
    where nothing is.

    `apply(params, images)` is the forward pass. Keep one `Network` per model: jitted functions that take
    `apply` or `prepare` compile anew for a new one.
    """

    module: nn.Module
    prepare: Callable[[jax.Array], jax.Array]
    start: pretrained.Trunk | None
    head_rms: Callable[[], Mapping[str, float]] = dict

    @property
    def loaded(self) -> frozenset[str]:
        """The trunk's layers that don't start at random."""
        return frozenset(LAYERS).intersection(self.start.layers) if self.start else frozenset()

    def apply(self, params: Any, images: jax.Array) -> Any:
        """Runs the network on prepared images."""
        return self.module.apply({"params": params}, images)

    def first_params(self, seed: int, size: int) -> dict[str, Any]:
        """Returns the parameters before training, for inputs of `size` pixels.

        Raises:
            InputError: if the trunk does not fit the network.
        """
        params = self.module.init(jax.random.key(seed), jnp.zeros((1, size, size, 3)))["params"]
        if not self.start:
            return params
        merged = pretrained.with_trunk(params, self.start)
        for head, factor in head_scale.factors(self.head_rms()).items():
            merged[head] = merged[head] | factor
        return merged


def build(config: ConfigDict, name: str, trained: Preprocessing | None = None) -> Network:
    """Returns the network `name` ('gap1', 'gap2', 'gap3' or 'unet') of a config.

    Args:
        config: of a run.
        name: which.
        trained: the preprocessing of a weakly supervised network that is trained already: it needs no start.

    Raises:
        InputError: for another name or for impossible settings.
    """
    model = config.model
    _check(config, name)
    if trained and name != "unet":
        return Network(_vgg(config, name), _prepare(config, trained), None)
    if name == "unet" and config.unet.encoder == "unet":
        return Network(_unet(config), _prepare(config, LUNG), None)
    trunk = pretrained.load_trunk(model.start, model.weights)
    if trunk.channels not in ("", model.channels):
        raise InputError(
            f"config.model.channels={model.channels!r}: the {model.start} start was made with {trunk.channels!r}; make "
            f"another with `python main.py --config=configs/pretrain_{model.start}.py "
            f"--config.model.channels={model.channels}` and name it as config.model.weights, or set "
            "config.model.start='shapes'"
        )
    if name == "unet":
        return Network(_unet(config), _prepare(config, trunk.preprocessing), trunk)
    vgg = _vgg(config, name)
    return Network(vgg, _prepare(config, trunk.preprocessing), trunk, _head_rms(config, trunk, vgg.gaps))


def _vgg(config: ConfigDict, name: str) -> VGG:
    model = config.model
    return VGG(
        gaps=int(name[-1]), width=model.width, head_filters=model.head_filters, pool=model.pool,
        dtype=jnp.dtype(model.dtype),
    )  # fmt: skip


def _unet(config: ConfigDict) -> UNet:
    unet = config.unet
    module = UNet(
        width=unet.width,
        encoder=unet.encoder,
        trunk_width=config.model.width,
        group=unet.group,
        bias=unet.bias,
        dtype=jnp.dtype(config.model.dtype),
    )
    if wrong := next((n for n in module.normalised() if n < 1 or n % unet.group), None):
        raise InputError(
            f"config.unet.group={unet.group}, config.unet.width={unet.width:g}: a layer of {wrong} filters can't be "
            "normalised in such groups; choose a group that divides all, or another width"
        )
    return module


def _head_rms(config: ConfigDict, trunk: pretrained.Trunk, gaps: int) -> Callable[[], Mapping[str, float]]:
    """Returns how the rms of the heads' sources is measured, if the trunk is ImageNet's and the config asks for it."""
    model = config.model
    if model.start != "imagenet" or model.head_scale == "none":
        return dict
    how = {
        "size": model.size,
        "factor": config.data.crop // model.size,
        "window": tuple(model.window),
        "gaps": gaps,
    }
    return functools.cache(lambda: head_scale.source_rms(trunk.layers, trunk.preprocessing, **how))


def _prepare(config: ConfigDict, preprocessing: Preprocessing) -> Callable[[jax.Array], jax.Array]:
    return functools.partial(
        prepare, size=config.model.size, window=tuple(config.model.window), preprocessing=preprocessing
    )


def _check(config: ConfigDict, name: str) -> None:
    if name not in MODELS:
        raise InputError(f"config.models names {name!r}; there are {', '.join(MODELS)}")
    size, crop = config.model.size, config.data.crop
    if size % 16 or crop % size:
        raise InputError(
            f"config.model.size={size}, config.data.crop={crop}: the input must be a multiple of 16 and divide the crop"
        )
    for section in ("model", "unet"):
        if config[section].width <= 0:
            raise InputError(f"config.{section}.width={config[section].width:g}: must be above 0")
    channels = config.model.channels
    if channels not in CHANNELS:
        raise InputError(f"config.model.channels={channels!r}: choose 'same' or 'neighbours'")
    if channels == "neighbours" and config.data.neighbours <= 0:
        raise InputError(
            "config.model.channels='neighbours' needs records with the slices below and above: set "
            "config.data.neighbours to their distance in mm"
        )
    if config.model.pool not in POOLS:
        raise InputError(f"config.model.pool={config.model.pool!r}: choose one of {', '.join(POOLS)}")
    if config.model.head_scale not in HEAD_SCALES:
        raise InputError(f"config.model.head_scale={config.model.head_scale!r}: choose 'unit' or 'none'")
    if config.model.dtype not in ("float32", "bfloat16"):
        raise InputError(f"config.model.dtype={config.model.dtype!r}: choose 'float32' or 'bfloat16'")
