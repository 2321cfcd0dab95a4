"""Names of files as messages print them, whatever bytes they hold."""

from collections.abc import Sequence

NAMED = 3


def shown(path: str) -> str:
    r"""Returns a path on one line that any terminal and file takes: bytes that are not UTF-8 and line ends as \x."""
    return "".join(c if c.isprintable() else _escaped(c) for c in path)


def some(names: Sequence[str]) -> str:
    """Returns the first of some texts, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def is_text(path: str) -> bool:
    """Says whether a path is UTF-8, as libraries want it; other bytes are surrogates in Python's text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    raw = character.encode("utf-8", "surrogateescape")
    return {"\n": "\\n", "\t": "\\t"}.get(character) or "".join(f"\\x{byte:02x}" for byte in raw)
