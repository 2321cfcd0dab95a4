"""The task 'release': a finished run's networks in one file, and a card that says how they were made."""

import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.prediction import networks
from wsns.prediction.search import RESEARCH_ONLY
from wsns.report.html import flatten
from wsns.runtime import workdir as files

MADE = "networks.npz"


def check(config: ConfigDict) -> None:
    """Refuses a config that names no run.

    Raises:
        InputError: with the field.
    """
    if "release" not in config or "predict" not in config:
        raise InputError("config.release: this config has no such fields; take configs/release.py")
    if not pathlib.Path(config.predict.run).is_dir() or not config.predict.run:
        raise InputError(
            f"config.predict.run={config.predict.run!r}: name the folder of a finished run whose networks are packed"
        )


def release(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes `networks.npz` and `model_card.md`.

    Raises:
        InputError: if there is no such run.
    """
    of_run = networks.of_run(pathlib.Path(config.predict.run))
    card = {"command": config.release.command} if config.release.command else {}
    packed = networks.pack(of_run, card)
    files.write_bytes(workdir / MADE, packed)
    made = networks.load(str(workdir / MADE))
    files.write_text(workdir / "model_card.md", card_text(made, len(packed)))
    print(f"{workdir / MADE}: {', '.join(made.trained)}, {len(packed) / 1e6:.1f} MB")
    print(f"use it with --config.predict.run={workdir / MADE}")


def card_text(made: networks.Networks, size: int) -> str:
    """Returns a card as Markdown.

    Args:
        made: the networks.
        size: of their file in bytes.
    """
    own = made.config.to_dict()
    facts: dict[str, Any] = {"networks": ", ".join(made.trained), "bytes": size, **flatten(dict(made.card))}
    lines = ["# Model card", "", RESEARCH_ONLY, "", *_table("", facts)]
    for section in ("model", "train"):
        lines += ["", f"## config.{section}", "", *_table(f"{section}.", flatten(own[section]))]
    return "\n".join(lines) + "\n"


def _table(prefix: str, facts: Mapping[str, Any]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {prefix}{name} | {value} |" for name, value in facts.items())]
