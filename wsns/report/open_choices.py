"""What the paper leaves open, and what a run chose there."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.evaluation.localisation import NEAR_MM
from wsns.evaluation.mark_scores import SCORES
from wsns.models.vgg_gap import POOLS
from wsns.segmentation.selection import OUTLINES
from wsns.training.health import words
from wsns.training.losses import SMOOTHING


def choices(config: ConfigDict, accounting: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """Returns what was chosen where the paper is silent, as this run has it.

    Args:
        config: of the run.
        accounting: of its records, for what the readers' consensus comes to.
    """
    segment, model = config.segment, config.model
    return [
        ("HU window of the networks' input", f"{model.window[0]:g} to {model.window[1]:g} HU, {_channels(config)}"),
        ("Crop", f"one of {config.data.crop} × {config.data.crop} pixels per scan, centred on its lungs' box"),
        ("Global pooling", POOLS[model.pool].title),
        ("First values of heads and classifier", _heads(model)),
        ("Scale of the heads' input", _head_scale(model)),
        ("NAM", {"difference": "weights of the nodule class minus those of the normal class, signed",
                 "nodule": "weights of the nodule class, signed"}[segment.contrast]
         + {"mean": "; scales summed as they are, so that the map's mean is the score (Eq. 3)",
            "sum": "; scales weighed by their numbers of cells, so that the map's mean times the coarsest scale's "
            "number of cells is the score (Eq. 3)"}.get(
                model.pool, "; scales summed as they are, which is not the score: Eq. 3 does not hold")),
        (
            "Detection",
            f"1-GAP probability of at least {segment.detect:g}, for all weakly supervised rows",
        ),
        (
            "Scope",
            f"NAM smoothed by {segment.sigma:g} px, above {segment.tau:g} of its maximum, inside the closed lungs; "
            "the basin of greatest peak-to-saddle height",
        ),
        (
            "Scope of 2- and 3-GAP",
            "the most prominent blob whose peak lies in the 1-GAP scope and reaches "
            f"{segment.reach:g} of that map's maximum, cut by the 1-GAP scope; else the 1-GAP scope",
        ),
        (
            "Candidates",
            "nested pieces of the phases, opened"
            if segment.candidates == "phases"
            else "pieces of thresholds of the HU and the smoothed HU, opened",
        ),
        ("Coarse row", "the union of all candidates in the scope, without screening"),
        (
            "Phases",
            f"{'means, re-estimated from' if segment.reestimate else 'fixed means'} "
            f"{', '.join(f'{m:g}' for m in segment.means)} HU, β = {segment.beta:g}, "
            f"at most {segment.sweeps} sweeps"
            if segment.candidates == "phases"
            else "none",
        ),
        ("Masking", {"parenchyma": "candidate grown by a pixel, filled with the median HU of the lung around it",
                     "floor": "filled with the window's floor", "mean": "filled with the slice's mean"}[segment.fill]),
        ("Outline", OUTLINES[segment.outline].title),
        ("Two nodules", "where the consensus has two, the two most prominent blobs, screened one by one"),
        *_unet(config),
        ("Reference", _reading(config.data) + _of_two(config.data, accounting or {})),
        ("Score of a mark in a whole scan", SCORES[config.scans.score]),
        ("Negatives", "as many as positives, without any reader's mark; nodules under 3 mm can't be excluded"),
    ]  # fmt: skip


def _head_scale(model: ConfigDict) -> str:
    if model.start != "imagenet":
        return "as the start has it"
    if model.head_scale == "none":
        return "as ImageNet's trunk gives it, in hundreds"
    return (
        "divided by the rms that ImageNet's trunk gives there on CT, a constant per head that is not trained"
    )


def _channels(config: ConfigDict) -> str:
    if config.model.channels == "same":
        return "three equal channels"
    return f"the slice between those {config.data.neighbours:g} mm below and above it"


def _heads(model: ConfigDict) -> str:
    if model.start == "patches":
        return "those of the patches start"
    return "normal, of variance 1 / inputs (LeCun); biases 0"


def _unet(config: ConfigDict) -> list[tuple[str, str]]:
    """Returns what the U-Net was given, and what in it is not the original's."""
    if "unet" not in config.models:
        return []
    unet, model = config.unet, config.model
    trunk = f"VGG16's trunk, which starts as the weakly supervised networks' does ({model.start})"
    return [
        (
            "U-Net, training slices",
            {"all": "all, as many with a nodule as without", "nodule": "those with a nodule only"}[
                unet.slices
            ],
        ),
        (
            "U-Net, loss",
            f"negative soft Dice, smoothed by {SMOOTHING:g} pixel, of "
            + {"slice": "each slice", "batch": "all pixels of the mini-batch together"}[unet.loss],
        ),
        (
            "U-Net, steps",
            f"{unet.epochs} epochs in batches of {unet.batch}, by Adam; the weakly supervised networks: "
            f"{config.train.epochs} in batches of {config.train.batch}",
        ),
        (
            "U-Net, epoch",
            "of best validation quality: twice the sum of the slices' Dice, by the number of slices with a nodule plus "
            "that of slices in which something is marked",
        ),
        (
            "U-Net, network",
            f"way down: {trunk if unet.encoder == 'vgg' else 'as the original, from random numbers'}; way up: bilinear "
            f"enlargement and a convolution, from random numbers; group normalisation of {unet.group} channels; first "
            f"bias {unet.bias:g}",
        ),
        ("U-Net, detection", "one pixel of a probability over 0.5"),
    ]


def _reading(data: ConfigDict) -> str:
    """Returns who must agree on a nodule in a slice, and what belongs to it."""
    parts = [f"{data.consensus} of the readers; at least {data.agreement} overlap in the slice"]
    if data.agreement_share:
        parts.append(f"and {100 * data.agreement_share:g} % of those who marked the nodule")
    if data.min_readers > 1:
        parts.append(f"who are at least {data.min_readers}")
    inside = data.contour == "inside"
    parts.append(f"; the line itself {'belongs' if inside else 'does not belong'} to the nodule")
    if not data.single_contours:
        parts.append("; annotations of a single contour are left out")
    if data.one_scan_per_patient:
        parts.append("; one scan per patient")
    return ", ".join(parts).replace(", ;", ";")


def _of_two(data: ConfigDict, accounting: Mapping[str, Any]) -> str:
    """Returns how often STAPLE of two readers is no compromise but their intersection."""
    number = accounting.get("nodules_of_two_readers")
    if not number or data.consensus != "staple":
        return ""
    same = accounting["nodules_of_two_readers_as_intersection"]
    return (
        f". Of two readers STAPLE often is just what both drew, their intersection: here of {same:,} of the {number:,} "
        f"nodules that two readers marked ({100 * same / number:.0f} %)"
    )


def notes(config: ConfigDict) -> list[str]:
    """Returns further remarks that belong beside a run's figures."""
    remarks = []
    if config.model.width != 1 or config.model.size != 384:
        remarks.append(
            f"The networks have {config.model.width:g} of VGG16's width and see {config.model.size} × "
            f"{config.model.size} pixels: a small stand-in for the paper's."
        )
    if config.model.dtype != "float32":
        remarks.append(f"The networks compute in {config.model.dtype}; their parameters are float32.")
    if config.train.choose == "hit":
        remarks.append(
            "Of each weakly supervised network the epoch was kept in which the map's peak most often lay within "
            f"{NEAR_MM:g} mm of a nodule of the validation split. The outlines of that split were used for this, which "
            "a lab with slice labels alone does not have; those of the test split were not."
        )
    return remarks


def training_notes(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Returns a remark for each fault that the training logs name.

    Args:
        logs: rows of `metrics.jsonl` by the network's title.
    """
    remarks = []
    for title, rows in logs.items():
        checked = [row for row in rows if row["split"] == "validation"]
        for fault in dict.fromkeys(fault for row in checked for fault in row.get("faults", ())):
            epochs = [row["epoch"] for row in checked if fault in row.get("faults", ())]
            remarks.append(
                f"In {len(epochs)} of {len(checked)} epochs of {title}, first in epoch {epochs[0]}, {words(fault)}. "
                "Its figures may be those of a network that learned nothing."
            )
    return remarks
