"""Counts how a notebook's code cells are checked, so that an unchecked notebook cannot pass for a tested one."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib.authoring.notebooks import COMPARED_TAG, code_cells, has_tag
from course_lib.authoring.static_outputs import WIDGET_VIEW

UNCOMPARED_TYPES = {"image/png", "image/jpeg", WIDGET_VIEW}
"""Kinds of output that nbval leaves out of its comparison."""


@dataclass(frozen=True)
class CellCounts:
    """Numbers of code cells by the strongest check each has; together all the code cells."""

    compared: int
    asserted: int
    unchecked: int

    @property
    def unchecked_share(self) -> float:
        """Unchecked cells over all, in [0, 1]; 1.0 for a notebook without code."""
        total = self.compared + self.asserted + self.unchecked
        return self.unchecked / total if total else 1.0

    def __str__(self) -> str:
        return f"{self.compared} compared, {self.asserted} asserted, {self.unchecked} unchecked code cells"


def count_cells(notebook: NotebookNode) -> CellCounts:
    """Count the executed code cells: compared with a stored output, else asserting something, else unchecked."""
    cells = code_cells(notebook)
    compared = [is_compared(cell) for cell in cells]
    asserted = sum(asserts(cell.source) for cell, done in zip(cells, compared, strict=True) if not done)
    return CellCounts(sum(compared), asserted, len(cells) - sum(compared) - asserted)


def is_compared(cell: NotebookNode) -> bool:
    """Whether the cell carries the tag for comparison and a stored output that nbval does compare."""
    kinds = {kind for output in cell.outputs for kind in output.get("data", {"text": ""})}
    return has_tag(cell, COMPARED_TAG) and bool(kinds - UNCOMPARED_TYPES)


def asserts(source: str) -> bool:
    """Whether a cell's code asserts something itself or calls a function or method named check… or assert_…."""
    tree = ast.parse(TransformerManager().transform_cell(source))
    return any(map(_asserts, ast.walk(tree)))


def _asserts(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Assert)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name.startswith(("check", "assert_"))
