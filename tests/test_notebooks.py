"""The notebooks run on a finished run, import what they may, and are committed without what they printed."""

import ast
import base64
import io
import re
import sys

import conftest
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4
from PIL import Image

sys.path.insert(0, str(conftest.ROOT / "notebooks"))
import render

FOLDER = conftest.ROOT / "notebooks"
PAGES = FOLDER.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ALLOWED = {"wsns", "numpy", "matplotlib", "SimpleITK", "os", "pathlib"}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def parsed(cell):
    return ast.parse("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")))


def test_there_are_five():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@each
def test_it_runs_and_shows_figures(path, testing_run, monkeypatch):
    monkeypatch.setenv("WSNS_WORKDIR", str(testing_run.workdir))
    book = nbformat.read(path, 4)
    client = NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4
    warned = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not warned


@each
def test_it_is_committed_clean(path):
    nbformat.validate(nbformat.read(path, 4))
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(path))
    assert 10 <= len(nbformat.read(path, 4).cells) <= 24


@each
def test_it_ends_with_two_exercises(path):
    last = nbformat.read(path, 4).cells[-1].source
    assert last.startswith("## Exercises\n")
    assert [line[:2] for line in last.splitlines() if line[:1].isdigit()] == ["1.", "2."]


@each
def test_its_page_shows_all_that_it_says_and_every_figure_is_there(path):
    page = (PAGES / f"{path.stem}.md").read_text(encoding="utf-8")
    for cell in nbformat.read(path, 4).cells:
        assert cell.source.strip() in page, f"{cell.source[:60]!r}: run notebooks/render.py again"
    shown = re.findall(r"!\[figure \d+\]\((.+?)\)", page)
    assert len(shown) >= 4
    assert sorted(shown) == sorted(file.name for file in PAGES.glob(f"{path.stem}_*.jpg"))
    assert not re.search(r"Error|Traceback|/home/|/tmp/", page)


def test_a_page_is_written_with_its_figures_and_old_ones_go(tmp_path):
    picture = base64.b64encode(_png()).decode()
    outputs = [v4.new_output("display_data", {"image/png": picture}) for _ in range(2)]
    book = v4.new_notebook(
        cells=[v4.new_markdown_cell("# Title"), v4.new_code_cell("plot()", outputs=outputs)]
    )
    (tmp_path / "book_3.jpg").touch()
    render.write(book, "book", tmp_path)
    page = (tmp_path / "book.md").read_text()
    assert page.index("# Title") < page.index("plot()") < page.index("![figure 1](book_1.jpg)")
    assert "![figure 2](book_2.jpg)" in page
    assert sorted(file.name for file in tmp_path.glob("*.jpg")) == ["book_1.jpg", "book_2.jpg"]
    with Image.open(tmp_path / "book_1.jpg") as image:
        assert image.size == (8, 6)


def _png():
    data = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(data, "PNG")
    return data.getvalue()


@each
def test_it_holds_no_logic_of_its_own(path):
    nodes = [node for cell in code_cells(path) for node in ast.walk(parsed(cell))]
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in imported} <= ALLOWED
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.While) for node in nodes)
