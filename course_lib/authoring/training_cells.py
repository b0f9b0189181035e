"""Which cells of a lesson train a network when they run: the ones that make a class wait."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

TRAINERS = {"fit", "TrainingLoop"}
"""What trains, by its name in `course_lib.training`."""


def training_cells(cells: Sequence[NotebookNode]) -> Iterator[int]:
    """The places, among `cells`, of the code cells that train as they run.

    A cell trains if it calls one of `TRAINERS`, or a function that does: one of the lesson's own, or one that the
    lesson takes from `course_lib`. A cell that only defines such a function does not.
    """
    names = set(TRAINERS)
    for place, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        names |= {alias.asname or alias.name for module, alias in _imports(tree) if _imported_trains(module, alias)}
        defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        names |= {node.name for node in defined if _calls(node) & names}
        if any(_calls(node) & names for node in tree.body if node not in defined):
            yield place


def _calls(tree: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def _imports(tree: ast.Module) -> Iterator[tuple[str, ast.alias]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
            yield from ((node.module, alias) for alias in node.names)


def _imported_trains(module: str, alias: ast.alias) -> bool:
    found = getattr(import_module(module), alias.name, None)
    return inspect.isfunction(found) and bool(_calls(ast.parse(inspect.getsource(found))) & TRAINERS)
