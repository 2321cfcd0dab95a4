"""Pieces of a page: every text is escaped here, and nothing else of the project writes a tag."""

import base64
import html
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from typing import Any

PAPERS = "the paper’s"


def text(value: Any) -> str:
    """Returns a value as escaped text."""
    return html.escape(str(value))


def page(title: str, body: str, *, style: str = "", pictures: str = "data:") -> str:
    """Returns a whole page whose policy forbids all but styles and pictures of its own.

    Args:
        title: of the page.
        body: its content, in HTML.
        style: rules on top of those that all pages share.
        pictures: where they may come from, as Content-Security-Policy puts it; only embedded ones by default.
    """
    style = (importlib.resources.files("wsns.report") / "report.css").read_text(encoding="utf-8") + style
    policy = f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{text(title)}</title>\n<style>\n{style}</style>\n'
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


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
    return ' class="long"' if len(str(value)) > 40 else ""
