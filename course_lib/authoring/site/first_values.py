"""Which explorer a stored output shows, and where its controls stand: told from the lesson's own code.

A notebook stores an explorer's picture and sentence. The call that made it stands in the lesson; made again here, it
has to give the same sentence, so a page cannot show controls that do not belong to its picture.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib import explorers
from course_lib.errors import CourseError
from course_lib.explorers.base import Explorer


class SiteError(CourseError):
    """A lesson that cannot be made into a page; the message names its file and what to change."""


def explorer_shown(output: NotebookNode, sources: Sequence[str]) -> Explorer | None:
    """The explorer that an output shows, None if it shows none.

    Args:
        output: a stored output of a cell.
        sources: the code of the lesson's cells up to that one.

    Raises:
        SiteError: no call in `sources` makes an explorer that says what the output says.
    """
    said = output.get("data", {}).get("text/plain", "")
    name = said.partition(":")[0]
    if name not in explorers.__all__:
        return None
    for arguments, named in _calls(name, sources):
        explorer = getattr(explorers, name)(*arguments, **named)
        if repr(explorer) == said:
            return explorer
    raise SiteError(
        f"no call of {name} in the lesson gives the stored sentence “{said[:80]}…”: write its arguments as numbers and "
        "texts, or as names imported from course_lib, and make the notebook again."
    )


def _calls(name: str, sources: Sequence[str]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Arguments of each call of `name`, the last one first; calls whose arguments cannot be read are passed over."""
    trees = [ast.parse(TransformerManager().transform_cell(source)) for source in sources]
    imported = {alias.asname or alias.name: (node.module, alias.name) for node, alias in _imports(trees)}
    for tree in reversed(trees):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                try:
                    named = {keyword.arg: _value(keyword.value, imported) for keyword in node.keywords if keyword.arg}
                    yield [_value(argument, imported) for argument in node.args], named
                except ValueError:
                    continue


def _imports(trees: Sequence[ast.Module]) -> Iterator[tuple[ast.ImportFrom, ast.alias]]:
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib."):
                yield from ((node, alias) for alias in node.names)


def _value(node: ast.expr, imported: dict[str, tuple[str, str]]) -> Any:
    """What an argument is; raises ValueError if it is neither written out nor a name from course_lib."""
    if isinstance(node, ast.Name) and node.id in imported:
        module, name = imported[node.id]
        return getattr(import_module(module), name)
    return ast.literal_eval(node)
