"""Runs the notebooks on a finished run and keeps them as pages that can be read without running anything.

    python notebooks/render.py --workdir=runs/demo

Writes `docs/notebooks/NAME.md` with its figures beside it, as JPEG. Figures and numbers are those of that run.
"""

import argparse
import io
import os
import pathlib
import re
from collections.abc import Sequence

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent
PAGES = FOLDER.parent / "docs" / "notebooks"
QUALITY = 80


def main(arguments: Sequence[str] | None = None) -> None:
    """Renders all notebooks, or those named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", type=pathlib.Path, default=FOLDER.parent / "runs" / "demo")
    parser.add_argument("--to", type=pathlib.Path, default=PAGES, help="folder of the pages")
    parser.add_argument("names", nargs="*", help="of notebooks; all if none is given")
    flags = parser.parse_args(arguments)
    os.environ["WSNS_WORKDIR"] = str(flags.workdir.absolute())
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not flags.names or path.stem in flags.names:
            book = nbformat.read(path, 4)
            NotebookClient(
                book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
            ).execute()
            write(book, path.stem, flags.to)
            print(flags.to / f"{path.stem}.md")


def write(book: nbformat.NotebookNode, name: str, folder: pathlib.Path) -> None:
    """Writes an executed notebook as Markdown, and its figures as JPEG."""
    text, resources = MarkdownExporter().from_notebook_node(book)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}_*.jpg"):
        old.unlink()
    for number, (figure, data) in enumerate(resources["outputs"].items(), 1):
        file = f"{name}_{number}.jpg"
        Image.open(io.BytesIO(data)).convert("RGB").save(folder / file, quality=QUALITY, optimize=True)
        text = text.replace(f"![png]({figure})", f"![figure {number}]({file})")
    text = re.sub(r"\n([ \t]*\n){3,}", "\n\n", text)
    note = (
        f"*Made from [`notebooks/{name}.ipynb`](../../notebooks/{name}.ipynb) by `notebooks/render.py`.*\n\n"
    )
    (folder / f"{name}.md").write_text(note + text.strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
