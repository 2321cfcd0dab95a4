"""What `python main.py` says without a config: every config, every task, and where to begin."""

import ast
import pathlib
import textwrap

from wsns import VERSION
from wsns.runtime import environment

WIDTH = 80
EXAMPLES = (
    ("the whole method on synthetic scans, in minutes", "python main.py --config=configs/demo.py"),
    (
        "the paper's experiment on an archive of LIDC-IDRI",
        "python main.py --config=configs/table1.py --config.data.manual_dir=ARCHIVE",
    ),
    (
        "nodules in your own CT, opened in a viewer",
        "python main.py --config=configs/predict.py --config.predict.input=PATH",
    ),
    (
        "what that would take here, before anything is done",
        "python main.py --config=configs/table1.py --config.data.manual_dir=ARCHIVE --config.task=plan",
    ),
)
USAGE = "usage: python main.py --config=configs/NAME.py [--workdir=DIR] [--config.FIELD=VALUE …]"


def answer(arguments: list[str], configs: pathlib.Path, tasks: tuple[str, ...]) -> str | None:
    """Returns what is said to no argument, to --help and to --version; None to all else. See `overview`."""
    asked = arguments[0] if arguments else "--help"
    if asked == "--version":
        return f"wsns {VERSION} ({environment.commit()})"
    return overview(configs, tasks) if asked in ("--help", "-help", "-h", "help") else None


def overview(configs: pathlib.Path, tasks: tuple[str, ...]) -> str:
    """Returns the page that is printed without arguments.

    Args:
        configs: the folder of the configs; the first line of each one's docstring says what it is.
        tasks: the values of `config.task`.
    """
    lines = [USAGE, "", "configs:"]
    for path in sorted(configs.glob("*.py")):
        if path.stem != "__init__":
            lines += _item(path.stem, first_line(path))
    lines += ["", "config.task, to do a single step of a config:"]
    lines += textwrap.wrap(", ".join(tasks), WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += ["", "examples:"]
    for what, command in EXAMPLES:
        lines += [f"  {what}:", f"    {command}"]
    lines += [
        "",
        "All fields, each with its meaning: configs/table1.py. All flags: python main.py --helpfull",
    ]
    return "\n".join(lines)


def first_line(path: pathlib.Path) -> str:
    """Returns the first line of a Python file's docstring, empty where it has none."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<18}", subsequent_indent=" " * 20) or [
        f"  {name}"
    ]
