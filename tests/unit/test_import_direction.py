"""Imports run one way: architecture <- models <- training <- explorers, teaching <- commands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import course_lib

ROOT = Path(course_lib.__file__).parent
# What stands on one line may not import one another; what stands below may import what stands above.
ORDER = [
    {"errors", "whole_numbers", "data_files"},
    {"files"},
    {"architecture", "reporting", "recipes"},
    {"datasets", "models"},
    {"training"},
    {"experiments"},
    {"explorers", "teaching"},
    {"authoring"},
    {"commands"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Parts of course_lib that a module imports by their full names, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            from_root = [f"course_lib.{alias.name}" for alias in node.names] if node.module == "course_lib" else []
            names.update(from_root or [node.module])
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("course_lib.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    own = part_of(path)
    wrong = {part for part in imported_parts(path) if part != own and RANK[part] >= RANK[own]}
    assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in MODULES} == set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
