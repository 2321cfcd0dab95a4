"""The config's file as the command line names it, and what its fields must be."""

import difflib
import importlib.util
import os
import pathlib
import traceback
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from wsns.errors import InputError
from wsns.runtime import config_fields

PATHS = ("real", "data.manual_dir", "model.weights", "predict.input", "predict.run")
"""Fields that name a file or folder."""
CONFIGS = pathlib.Path("configs")


def given(argv: Sequence[str], name: str = "config") -> str:
    """Returns what the command line gives for a flag, '' if nothing."""
    for n, word in enumerate(argv):
        if word in (f"--{name}", f"-{name}"):
            return argv[n + 1] if n + 1 < len(argv) else ""
        for dashes in ("--", "-"):
            if word.startswith(f"{dashes}{name}="):
                return word.split("=", 1)[1]
    return ""


def load(name: str, configs: pathlib.Path = CONFIGS) -> ConfigDict:
    """Returns the config of a file, as it is without overrides.

    Args:
        name: path of the file.
        configs: folder with the project's own, among which a misspelled one is looked for.

    Raises:
        InputError: if there is no such file, or it gives no config.
    """
    path = pathlib.Path(name)
    if not path.is_file():
        raise InputError(f"--config={name}: there is no such file{_near(path, configs)}")
    try:
        spec = importlib.util.spec_from_file_location("given_config", path)
        if not spec or not spec.loader:
            raise ImportError("the name must end in .py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made = module.get_config()
    except Exception as error:  # whatever a file of Python may raise
        raise InputError(
            f"--config={name}: can't be loaded{_line(error, path)} ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); it must be Python with get_config(), as configs/table1.py"
        ) from error
    if not isinstance(made, ConfigDict):
        raise InputError(f"--config={name}: get_config() returns no ConfigDict; configs/table1.py does")
    return made


def check(config: ConfigDict, *defaults: ConfigDict) -> None:
    """Compares all fields with those of default configs.

    Raises:
        InputError: naming the field.
    """
    for default in defaults:
        config_fields.check(config.to_dict(), default.to_dict())


def home(config: ConfigDict) -> None:
    """Puts the home folder in the place of `~` in all fields that name a path; the shell does not within a word.

    Raises:
        InputError: if there is no such home.
    """
    for field in PATHS:
        section, _, name = field.rpartition(".")
        part: Any = config.get(section, {}) if section else config
        if str(part.get(name, "")).startswith("~"):
            part[name] = str(at_home(part[name], f"config.{field}"))


def at_home(path: str, name: str) -> pathlib.Path:
    """Returns a path with the home folder in the place of a leading `~` or `~user`.

    Args:
        path: as it was given.
        name: of the flag or field, for the error.

    Raises:
        InputError: if there is no such home.
    """
    found = pathlib.Path(os.path.expanduser(path))
    if path.startswith("~") and str(found).startswith("~"):
        raise InputError(
            f"{name}={path}: {path.split('/')[0]} has no home folder here; write ./{path} for that name"
        )
    return found


def _near(path: pathlib.Path, configs: pathlib.Path) -> str:
    known = sorted(file.stem for file in configs.glob("*.py") if file.stem != "__init__")
    near = [] if path.is_dir() else difflib.get_close_matches(path.stem, known, 3, 0.5)
    folder = os.path.relpath(configs)
    if near:
        return "; did you mean " + " or ".join(f"{folder}/{name}.py" for name in near) + "?"
    return f"; there are {', '.join(known)} in {folder}/" if known else "; give the path of a config's file"


def _line(error: Exception, path: pathlib.Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f", line {lines[-1]}" if lines else ""
