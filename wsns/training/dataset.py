"""The slices that a network learns from: in the devices' memory, in the host's, or decoded from disk."""

import os
import pathlib

import jax
import numpy as np
from ml_collections import ConfigDict

from wsns.data.records import loading as records
from wsns.errors import InputError
from wsns.models.unet import ENCODERS
from wsns.runtime import multihost, progress
from wsns.training import hit_rate
from wsns.training.batching import Examples, InMemory
from wsns.training.losses import LOSSES

PLACES = ("device", "host", "stream")
PARTS = ("train", "validation")
CHOOSE = ("accuracy", "hit")
SLICES = ("all", "nodule")
SHARE = 1 / 3
"""Of a memory, at most, is for slices: networks and all else need the rest."""


def open_examples(config: ConfigDict, directory: pathlib.Path, name: str) -> tuple[list[Examples], bool]:
    """Opens the training and the validation slices; also says whether they belong into the devices' memory.

    A weak network sees the slice labels only, never a mask; the U-Net the masks, of all slices, or of the training
    split those that have an outline (`unet.slices`). Where the epoch is chosen by hit rate, the validation slices of a
    weak network come with `where`, which is made from their outlines.

    Args:
        config: of the run.
        directory: of the records.
        name: of the network.

    Raises:
        InputError: if there are no such records, or none to learn from.
    """
    outlines = name == "unet"
    names = ("hu", "nodules" if outlines else "label")
    neighbours = config.model.channels == "neighbours"
    count = sum(len(records.data_source(directory, part)) for part in PARTS)
    place = choose_place(config.fit.input, count * slice_bytes(config, name))
    watch = progress.through if multihost.is_first() else lambda items, _: items
    opened: list[Examples] = []
    for part in PARTS:
        drawn = outlines and part == "train" and config.unet.slices == "nodule"
        pointed = not outlines and part == "validation" and config.train.choose == "hit"
        read = (*names, *hit_rate.MADE_FROM) if pointed else names
        if place == "stream":
            slices = records.stream(directory, part, read, drawn=drawn, neighbours=neighbours, progress=watch)
            found = slices.drawn
            opened.append(hit_rate.Pointed(slices, config.segment) if pointed else slices)
        else:
            arrays = records.load_arrays(directory, part, read, watch, neighbours=neighbours)
            if pointed:
                arrays = hit_rate.with_where(arrays, config.segment)
            own = arrays["nodules"].any(axis=(1, 2)) if outlines else np.ones(len(arrays["hu"]), bool)
            found = int(own.sum())
            opened.append(
                InMemory({name: values[own] for name, values in arrays.items()} if drawn else arrays)
            )
        if outlines and not found:
            raise InputError(
                f"the U-Net has nothing to learn from: no slice of the {part} split in {directory} has an outline; "
                "take more scans (config.data.max_scans), or leave 'unet' out of config.models"
            )
    return opened, place == "device"


def slice_bytes(config: ConfigDict, name: str) -> int:
    """Returns the bytes of memory that a slice takes which a network learns from."""
    neighbours = config.model.channels == "neighbours"
    return int(config.data.crop**2) * ((6 if neighbours else 2) + (name == "unet"))


def check(config: ConfigDict) -> None:
    """Refuses settings that no training can have, before anything else is done.

    Raises:
        InputError: with the field.
    """
    if config.train.choose not in CHOOSE:
        raise InputError(f"config.train.choose={config.train.choose!r}: choose 'accuracy' or 'hit'")
    for name, legal in (("slices", SLICES), ("loss", LOSSES), ("encoder", ENCODERS)):
        if config.unet[name] not in legal:
            raise InputError(f"config.unet.{name}={config.unet[name]!r}: choose one of {', '.join(legal)}")
    if "unet" in config.models and config.unet.loss == "batch" and config.fit.portions > 1:
        raise InputError(
            f"config.fit.portions={config.fit.portions}: Dice over the batch (config.unet.loss='batch') needs it "
            "whole; choose config.unet.loss='slice'"
        )
    if config.fit.input not in ("auto", *PLACES):
        raise InputError(f"config.fit.input={config.fit.input!r}: choose one of auto, {', '.join(PLACES)}")
    for section, name, least in (
        ("fit", "portions", 1), ("fit", "save_minutes", 0), ("train", "batch", 1), ("unet", "batch", 1),
        ("train", "epochs", 1), ("unet", "epochs", 1), ("train", "shift", 0), ("unet", "shift", 0),
        ("unet", "group", 1), ("unet", "trunk_factor", 0),
    ):  # fmt: skip
        if config[section][name] < least:
            raise InputError(f"config.{section}.{name}={config[section][name]}: must be at least {least}")
    if config.task == "grid" and not (config.grid.rates and config.grid.decays and config.grid.batches):
        raise InputError("config.grid: rates, decays and batches need a value each")


def choose_place(asked: str, size: int) -> str:
    """Returns where slices of `size` bytes wait: 'device', 'host' or 'stream', or what was asked for.

    On a CPU the host's memory is the device's, and a second copy of no use.
    """
    if asked != "auto":
        return asked
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    if size <= SHARE * limit:
        return "device"
    return "host" if size <= SHARE * memory() else "stream"


def memory() -> int:
    """Returns the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
