"""What the task 'plan' prints."""

from collections.abc import Mapping
from typing import Any

from wsns.evaluation.tables import Table, text_lines
from wsns.models.factory import TITLES


def render(content: Mapping[str, Any]) -> str:
    """Returns the plan for a terminal, from what `plan.json` holds."""
    model, given = content["model"], content["given"]
    lines = [
        f"{content['counts']['source']}",
        *_splits(content["counts"]),
        "",
        f"{model['size']} × {model['size']} pixels, width {model['width']:g}, {model['dtype']}; matrix product here "
        f"{content['matmul_tflops']:.3g} TFLOP/s ({', '.join(content['devices'])})",
        *_networks(content),
        "",
        *_segmentation(content["segmentation"], given),
        *_remarks(content),
    ]
    return "\n".join(lines) + "\n"


def _splits(counts: Mapping[str, Any]) -> list[str]:
    heads = ("split", "patients", "scans", "slices with a nodule", "without")
    keys = ("patients", "scans", "positive", "negative")
    parts = {**counts["parts"], "all": {key: sum(p[key] for p in counts["parts"].values()) for key in keys}}
    return text_lines(
        Table(heads, [[name, *(f"{part[key]:,}" for key in keys)] for name, part in parts.items()])
    )


def _networks(content: Mapping[str, Any]) -> list[str]:
    rate = content["given"]["rate"]
    heads = [
        "network", "million parameters", "GFLOP: pass", "training", "PFLOP per epoch", "batch", "GiB: batch",
        "room", "fit.portions", "GiB then", "epochs", "share of rate", "hours here",
    ]  # fmt: skip
    rows = []
    for name, own in content["networks"].items():
        fit = own["memory"]
        rows.append([
            TITLES[name], f"{own['parameters'] / 1e6:.3g}", f"{own['forward_flops'] / 1e9:.3g}",
            f"{own['training_flops'] / 1e9:.3g}", f"{own['epoch_flops'] / 1e15:.3g}", str(own["batch"]),
            _gib(fit["whole"]), _gib(fit["room"]), str(fit["portions"] or "none"), _gib(fit["bytes"]),
            str(own["epochs"]), f"{100 * own['share']:.0f} %", f"{own['hours']:.3g}",
        ])  # fmt: skip
        if rate:
            rows[-1].append(f"{own['hours_given']:.3g}")
    return text_lines(Table([*heads, f"at {rate:g} TFLOP/s"] if rate else heads, rows))


def _segmentation(found: Mapping[str, Any] | None, given: Mapping[str, Any]) -> list[str]:
    if found is None:
        return []
    other = f", {found['hours_given']:.3g} at {given['rate']:g} TFLOP/s" if given["rate"] else ""
    return [
        f"segmentation: {found['test_slices']:,} test slices and {found['whole_slices']:,} of whole scans, at most: "
        f"{found['hours']:.3g} hours here{other}"
    ]


def _remarks(content: Mapping[str, Any]) -> list[str]:
    given, assumed = content["given"], content["assumed"]
    lines = [
        "hours here: from steps that were timed now; what else this machine does meanwhile counts",
        f"assumed: {100 * assumed['searched']:.0f} % of the slices are searched",
    ]
    if given["rate"]:
        lines.append(
            f"assumed: networks reach {100 * given['share']:g} % of {given['rate']:g} TFLOP/s (plan.share)"
        )
    if given["memory"]:
        lines.append(
            f"assumed: {100 * assumed['gpu_share']:.0f} % of {given['memory']:g} GiB can be had, as JAX takes by "
            "default, and a step takes there what this machine's compiler needs"
        )
    if any(own["memory"]["portions"] is None for own in content["networks"].values()):
        lines.append("fit.portions none: not even one slice at a time fits")
    return lines


def _gib(number: int) -> str:
    return f"{number / 2**30:.3g}"
