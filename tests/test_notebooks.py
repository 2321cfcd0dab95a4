"""The notebooks run on a finished run, import what they may, and are committed without what they printed."""

import ast
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ALLOWED = {"wsns", "numpy", "matplotlib", "os", "pathlib"}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def parsed(cell):
    return ast.parse("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")))


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


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
def test_it_holds_no_logic_of_its_own(path):
    nodes = [node for cell in code_cells(path) for node in ast.walk(parsed(cell))]
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in imported} <= ALLOWED
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.While) for node in nodes)
