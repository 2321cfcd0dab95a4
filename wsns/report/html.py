"""Pieces of a page: every text is escaped here, and nothing else of the project writes a tag."""

import base64
import hashlib
import html
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

PAPERS = "the paper’s"
VOID = frozenset({"img", "input"})


class Markup(str):
    """HTML that is written already: `text` leaves it as it is."""

    __slots__ = ()


def text(value: Any) -> str:
    """Returns a value as escaped text."""
    return value if isinstance(value, Markup) else html.escape(str(value))


def element(name: str, *content: Any, **attributes: Any) -> Markup:
    """Returns an element; what of its content isn't `Markup` is escaped.

    Args:
        name: of the tag.
        content: in order.
        attributes: '_' stands for '-', and is left out at the end, as in `class_`; None and False leave an attribute
            out, True gives it no value.
    """
    given = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            given += f" {key.rstrip('_').replace('_', '-')}"
            given += "" if value is True else f'="{text(value)}"'
    end = "" if name in VOID else f"{''.join(text(part) for part in content)}</{name}>"
    return Markup(f"<{name}{given}>{end}")


def page(title: str, body: str, *, style: str = "", pictures: str = "data:", script: str = "") -> str:
    """Returns a whole page whose policy forbids all but styles and pictures of its own, and the script it is given.

    Args:
        title: of the page.
        body: its content, in HTML.
        style: rules on top of those that all pages share.
        pictures: where they may come from, as Content-Security-Policy puts it; only embedded ones by default.
        script: what runs once the page is there; the policy knows it by its hash, and no other script runs.
    """
    style = (importlib.resources.files("wsns.report") / "report.css").read_text(encoding="utf-8") + style
    policy = f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        script = f"<script>{script}</script>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{text(title)}</title>\n<style>\n{style}</style>\n'
        f"</head>\n<body>\n<main>\n{body}\n</main>\n{script}</body>\n</html>\n"
    )


def data(name: str, value: Any) -> Markup:
    """Returns a block of JSON that a page's script reads by its name; no text in it can end the block."""
    words = json.dumps(value, separators=(",", ":"), allow_nan=False)
    # Only inside of JSON's strings can these stand, where the escape means the same.
    for character in "<>&":
        words = words.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{text(name)}">{words}</script>')


def section(heading: str, *parts: str) -> str:
    """Returns a section under a second-level heading, which `contents` can link to; nothing if it has no content."""
    content = "\n".join(part for part in parts if part)
    return (
        f'<section id="{_name(heading)}">\n<h2>{text(heading)}</h2>\n{content}\n</section>' if content else ""
    )


def contents(body: str) -> str:
    """Returns a table of contents: a link to each section of a page's body."""
    found = re.findall(r'<section [^>]*id="([^"]+)"[^>]*>\n<h2>(.*?)</h2>', body)
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading in found)
    return f'<nav aria-label="Contents">\n<ul>{links}</ul>\n</nav>' if links else ""


def scrolling(label: str, content: str) -> str:
    """Returns wide content in a box that scrolls on its own, with the keyboard too."""
    return f'<div class="box" role="region" tabindex="0" aria-label="{text(label)}">\n{content}\n</div>'


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Returns a table whose first column names its row; the paper's own rows are marked.

    Args:
        caption: what it shows.
        heads: of the columns.
        rows: each a name and its cells; a pair is a figure and, below it, its interval.
    """
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in heads)
    lines = []
    for first, *others in rows:
        cells = "".join(cell(content) for content in others)
        kind = ' class="paper"' if str(first).startswith(PAPERS) else ""
        lines.append(f'<tr{kind}><th scope="row"{_long(first)}>{text(first)}</th>{cells}</tr>')
    body = "\n".join(lines)
    return scrolling(
        caption,
        f"<table>\n<caption><span>{text(caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>",
    )


def cell(content: Any) -> str:
    """Returns a cell of a table: a text, or a pair of a figure and, below it, its interval."""
    value, span = content if isinstance(content, tuple) else (content, "")
    below = f'<span class="span">{text(span)}</span>' if span else ""
    return f"<td{_long(value)}>{text(value)}{below}</td>"


def picture(png: bytes, alt: str, caption: str) -> str:
    """Returns a figure with its PNG embedded."""
    data = base64.b64encode(png).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{text(alt)}">'
    return (
        f'<figure>\n<p class="hint">The picture scrolls sideways.</p>\n{scrolling(caption, image)}\n'
        f"<figcaption>{text(caption)}</figcaption>\n</figure>"
    )


def glossary(meanings: Mapping[str, str]) -> str:
    """Returns words and what they mean."""
    pairs = "\n".join(f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>" for word, meaning in meanings.items())
    return f'<dl class="terms">\n{pairs}\n</dl>' if pairs else ""


def definitions(pairs: Mapping[str, Any]) -> str:
    """Returns names and values; nested values are named by their path, as `config.data.crop`."""
    flat = flatten(pairs)
    if not flat:
        return ""
    return "<dl>\n" + "\n".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in flat.items()) + "\n</dl>"


def folded(summary: str, content: str) -> str:
    """Returns content that opens on a click or a key; nothing if there is none."""
    return f"<details>\n<summary>{text(summary)}</summary>\n{content}\n</details>" if content else ""


def paragraph(words: str) -> str:
    """Returns a paragraph."""
    return f"<p>{text(words)}</p>"


def bullets(items: Sequence[str], *, style: str = "") -> str:
    """Returns a list, nothing if it is empty."""
    kind = f' class="{style}"' if style else ""
    return f"<ul{kind}>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>" if items else ""


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Returns a nested mapping with dotted names and printable values."""
    flat: dict[str, str] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            flat |= flatten(item, f"{name}.")
        elif isinstance(item, list | tuple):
            flat[name] = ", ".join(str(part) for part in item) or "none"
        else:
            flat[name] = f"{item:,}" if type(item) is int and "seed" not in name else str(item)
    return flat


def _name(heading: str) -> str:
    """Returns a heading's place in the page's address."""
    return "-".join(re.findall(r"[a-z0-9]+", heading.lower()))


def _long(value: Any) -> str:
    """Returns the class of a text that must be broken into lines."""
    words = re.sub("<[^>]*>", "", value) if isinstance(value, Markup) else str(value)
    return ' class="long"' if len(words) > 40 else ""
