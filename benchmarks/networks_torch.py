"""The same networks in PyTorch, for `networks.py`; needs PyTorch, which the project itself does without."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from wsns.runtime.processes import cores

HEADS = (5, 4, 3)


class VGG(nn.Module):
    """VGG16 with Conv+GAP heads, from the parameters of ours: convolutions by name and a classifier."""

    def __init__(self, params: Mapping[str, Any]):
        """Copies kernels (h, w, in, out) to (out, in, h, w)."""
        super().__init__()
        self.convs = nn.ModuleDict()
        for name, layer in params.items():
            if name == "classifier":
                continue
            kernel, bias = torch.tensor(layer["kernel"]), torch.tensor(layer["bias"])
            conv = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
            conv.weight.data, conv.bias.data = kernel.permute(3, 2, 0, 1).contiguous(), bias
            self.convs[name] = conv
        dense = params["classifier"]
        self.classifier = nn.Linear(*dense["kernel"].shape)
        self.classifier.weight.data = torch.tensor(np.ascontiguousarray(dense["kernel"].T))
        self.classifier.bias.data = torch.tensor(dense["bias"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps images (B, 3, H, W) to logits (B, 2)."""
        ends = {}
        for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
            if block > 1:
                x = nn.functional.max_pool2d(x, 2)
            for layer in range(1, depth + 1):
                x = nn.functional.relu(self.convs[f"conv{block}_{layer}"](x))
            ends[block] = x
        pooled = [
            nn.functional.relu(self.convs[f"gap{block}"](ends[block])).float().mean(dim=(2, 3))
            for block in HEADS
            if f"gap{block}" in self.convs
        ]
        return self.classifier(torch.cat(pooled, dim=1))


def competitor(
    params: Mapping[str, Any],
    hu: np.ndarray,
    label: np.ndarray,
    *,
    window: tuple[float, float],
    preprocessing: Any,
    dtype: str,
    rate: float,
    momentum: float,
    trunk_factor: float,
    trunk: Collection[str],
) -> dict[str, Callable[[], Any]]:
    """Returns one forward pass and one training step as functions that wait for the result."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(cores())
    model = VGG(params).to(device, memory_format=torch.channels_last)
    groups: dict[bool, list[nn.Parameter]] = {True: list(model.classifier.parameters()), False: []}
    for name, conv in model.convs.items():
        groups[name not in trunk] += conv.parameters()
    optimiser = torch.optim.SGD(
        [{"params": groups[True], "lr": rate}, {"params": groups[False], "lr": rate * trunk_factor}],
        momentum=momentum,
    )
    run = torch.compile(model) if device == "cuda" else model
    crops, labels = torch.tensor(hu, device=device), torch.tensor(label, device=device, dtype=torch.long)
    mean, std = (
        torch.tensor(v, device=device)[:, None, None] for v in (preprocessing.mean, preprocessing.std)
    )

    def logits() -> torch.Tensor:
        grey = (crops.float().clip(*window) - window[0]) / (window[1] - window[0])
        images = (grey[:, None] * preprocessing.scale - mean) / std
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            return run(images.contiguous(memory_format=torch.channels_last)).float()

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            result = logits()
        wait()
        return result

    def train() -> None:
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits(), labels).backward()
        optimiser.step()
        wait()

    return {"logits": lambda: forward().cpu().numpy(), "forward": forward, "train": train}
