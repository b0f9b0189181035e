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


def training_cells(cells: Sequence[NotebookNode]) -> Iterator[tuple[int, str]]:
    """The place, among `cells`, of each code cell that trains as it runs, and the line of the first call that does.

    A cell trains if it calls one of `TRAINERS`, or a function that does: one of the lesson's own, or one that the
    lesson takes from `course_lib`. A cell that only defines such a function does not.
    """
    names = set(TRAINERS)
    for place, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        source = TransformerManager().transform_cell(cell.source)
        tree = ast.parse(source)
        names |= {alias.asname or alias.name for module, alias in _imports(tree) if _imported_trains(module, alias)}
        defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        names |= {node.name for node in defined if names.intersection(_calls(node))}
        run = [_calls(node) for node in tree.body if node not in defined]
        lines = [line for calls in run for name, line in calls.items() if name in names]
        if lines:
            yield place, source.splitlines()[min(lines) - 1].strip()


def _calls(tree: ast.AST) -> dict[str, int]:
    """The names that are called, and the first line of each call, from 1."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found[node.func.id] = min(node.lineno, found.get(node.func.id, node.lineno))
    return found


def _imports(tree: ast.Module) -> Iterator[tuple[str, ast.alias]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
            yield from ((node.module, alias) for alias in node.names)


def _imported_trains(module: str, alias: ast.alias) -> bool:
    found = getattr(import_module(module), alias.name, None)
    return inspect.isfunction(found) and not TRAINERS.isdisjoint(_calls(ast.parse(inspect.getsource(found))))
