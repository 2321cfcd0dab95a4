"""Public functions that take or return arrays say their shapes; how many do may not fall."""

import ast
import re

import conftest

ARRAY = re.compile(r"\b(ndarray|jax\.Array)\b")
SHAPE = re.compile(r"\([A-Za-z0-9·/+* .]+,[A-Za-z0-9·/+*, .]*\)|\(\)")
ROOMS = ("ops", "data", "models", "training", "segmentation", "evaluation")
LEAST = 1.0


def functions():
    """Yields each public function of the core that has an array in its signature, by name."""
    for room in ROOMS:
        for path in sorted((conftest.ROOT / "wsns" / room).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    notes = [arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg)]
                    text = " ".join(ast.unparse(note) for note in [*notes, node.returns] if note)
                    if ARRAY.search(text):
                        name = f"{path.relative_to(conftest.ROOT)}:{node.lineno} {node.name}"
                        yield name, ast.get_docstring(node) or ""


def test_shapes_are_given():
    found = dict(functions())
    assert len(found) > 100
    silent = [name for name, words in found.items() if not SHAPE.search(words)]
    share = 1 - len(silent) / len(found)
    assert share >= LEAST, f"{share:.3f}, without shapes: {silent}"
