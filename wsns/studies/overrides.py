"""Lists of named overrides in a config: ways to read the annotations, ways to make candidates."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from wsns.errors import InputError


def named_overrides(
    field: str,
    entries: Iterable[tuple[str, Mapping[str, Any]]],
    known: Collection[str],
    taken: Collection[str] = (),
) -> dict[str, Mapping[str, Any]]:
    """Returns the overrides by name.

    Args:
        field: of the config, for the errors.
        entries: each a name and what it sets.
        known: what may be set.
        taken: names that are not free.

    Raises:
        InputError: if something is set that doesn't exist, or two have one name.
    """
    named: dict[str, Mapping[str, Any]] = {}
    for name, overrides in entries:
        unknown = sorted(set(overrides) - set(known))
        if unknown:
            raise InputError(f"{field}: {name!r} sets {unknown[0]!r}, which is none of {', '.join(known)}")
        if name in named or name in taken:
            raise InputError(f"{field}: {name!r} is taken already: give each its own name")
        named[name] = overrides
    return named
