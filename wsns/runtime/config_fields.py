"""Whether a config's fields are of the kind that a config with legal ones has, each named if it is not."""

import math
from collections.abc import Mapping
from typing import Any

from wsns.errors import InputError

RANGES = ("data.thickness", "data.twin.", "model.window")
"""Two values, of which the first is smaller."""
CHOSEN = ("config.tune.fields",)
"""Sections of which a config has as many fields as it wants."""
OF_GIVEN_LENGTH = (*RANGES, "train.rates")
"""Tuples with as many values as the default has; the others may have any number."""
EQUAL_ENDS = ("data.thickness", "data.twin.")
"""Ranges whose ends may be equal."""


def check(config: Mapping[str, Any], default: Mapping[str, Any], name: str = "config") -> None:
    """Compares each field with a default's: it must be there, of that type, finite, and as long.

    Args:
        config: to be checked; what it has beyond the default is passed over.
        default: a config whose fields are legal.
        name: what the fields' names begin with.

    Raises:
        InputError: naming the field.
    """
    for key, legal in default.items():
        field = f"{name}.{key}"
        if key not in config and name in CHOSEN:
            continue
        if key not in config:
            raise InputError(
                f"{field} is missing: configs/table1.py has every field; begin with its get_config()"
            )
        value = config[key]
        if isinstance(legal, Mapping):
            if not isinstance(value, Mapping):
                raise InputError(f"{field}={value!r}: has fields of its own: set {field}.FIELD")
            check(value, legal, field)
        elif isinstance(legal, tuple | list):
            _check_tuple(field, value, legal)
        else:
            _check_one(field, value, value, legal)


def _check_tuple(field: str, value: Any, legal: Any) -> None:
    own = field.removeprefix("config.")
    if not isinstance(value, tuple | list):
        raise InputError(f"{field}={value!r}: must be several values, as {tuple(legal)!r}")
    if own.startswith(OF_GIVEN_LENGTH) and len(value) != len(legal):
        raise InputError(f"{field}={tuple(value)!r}: must have {len(legal)} values, as {tuple(legal)!r}")
    if legal:
        for part in value:
            if isinstance(legal[0], tuple | list):
                if not isinstance(part, tuple | list):
                    raise InputError(
                        f"{field}={tuple(value)!r}: each must be several values, as {tuple(legal)!r}"
                    )
                # Named settings, as ('beta 1', {…}), are looked at by those who read them.
                if all(type(one) is type(legal[0][0]) for one in legal[0]):
                    for one in part:
                        _check_one(field, tuple(value), one, legal[0][0])
            else:
                _check_one(field, tuple(value), part, legal[0])
    if own.startswith(RANGES):
        low, high = value
        if low > high or (low == high and not own.startswith(EQUAL_ENDS)):
            raise InputError(f"{field}={tuple(value)!r}: the first value must be smaller than the second")


def _check_one(field: str, shown: Any, value: Any, legal: Any) -> None:
    """A whole number will do for a fraction, nothing else for what it isn't."""
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
    kind = type(legal)
    if kind not in names:
        return
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits and not (kind is float and isinstance(value, int) and not isinstance(value, bool)):
        raise InputError(f"{field}={shown!r}: {value!r} is not {names[kind]}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{field}={shown!r}: {value!r} is no finite number")
