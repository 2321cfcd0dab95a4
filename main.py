"""Runs one task of a config: `python main.py --config=configs/demo.py --workdir=runs/demo`.

This file is short on purpose: it parses flags and hands over to `wsns.dispatch`, where a test or a notebook can
import everything.
"""

import os
import pathlib
import re
import sys

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

# A notebook's own, which a shell started there inherits, may be none that matplotlib finds here.
os.environ["MPLBACKEND"] = "agg"

from configs import table1
from wsns import dispatch
from wsns.errors import OF_THE_DISK, InputError
from wsns.runtime import config_file, multihost, progress, usage

_CONFIG = config_flags.DEFINE_config_file("config", None, "File of the configuration.", lock_config=True)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder for everything that the run writes; runs/ and the config's name if it isn't given.",
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first of several processes that train as one, or 'auto'."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "How many processes there are.")
_PROCESS = flags.DEFINE_integer("process", None, "Number of this one, from 0.")
_CONFIGS = pathlib.Path(__file__).parent / "configs"


def main(argv: list[str]) -> None:
    """Hands config and workdir to the task that the config names."""
    if len(argv) > 1:
        sys.exit(f"error: unknown argument {argv[1]!r}: fields are set as --config.FIELD=VALUE")
    logging.set_verbosity(logging.ERROR)
    file = config_flags.get_config_filename(flags.FLAGS["config"])
    workdir = pathlib.Path(_WORKDIR.value or "runs")
    try:
        config, name = _CONFIG.value, pathlib.Path(file).stem
        check_fields(config, config_file.load(file, _CONFIGS))
        workdir = config_file.at_home(_WORKDIR.value or f"runs/{name}", "--workdir")
        if _COORDINATOR.value:
            multihost.join(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
        dispatch.run(config, workdir)
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # Who read what is printed has gone; nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        sys.exit(
            f"error: {error.filename or workdir}: {error.strerror}; what is done is kept, and the same command goes on"
        )
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def check_fields(config: ConfigDict, default: ConfigDict) -> None:
    """Compares all fields with those of the config's file, a run's with configs/table1.py too, and finds homes.

    Raises:
        InputError: naming the field.
    """
    whole = () if config.get("task") in dispatch.OWN_FIELDS else (table1.get_config(),)
    config_file.check(config, default, *whole)
    config_file.home(config)


def parse_flags(argv: list[str]) -> list[str]:
    """Parses the command line; what is wrong with it is one line, not a traceback."""
    progress.accept_any_text()
    if (said := usage.answer(argv[1:], _CONFIGS, dispatch.TASKS)) is not None:
        print(said)
        sys.exit(0)
    try:
        if file := config_file.given(argv[1:]):
            config_file.load(file, _CONFIGS)
        return flags.FLAGS(argv)
    except (KeyError, AttributeError) as error:
        text = str(error.args[0])
        named = re.search(r"[\"'](\w+)\\?[\"']", text)
        if not named:
            raise
        field, better = named[1], re.search(r'Did you mean "(\w+)"', text)
        given = next((word for word in argv if field in word.split("=")[0].split(".")), field)
        hint = f"; did you mean {better[1]!r}?" if better else "; configs/table1.py lists all fields"
        sys.exit(f"error: {given}: the config has no field {field!r}{hint}")
    except (InputError, flags.Error, TypeError, ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=parse_flags)
