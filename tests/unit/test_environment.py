"""environment.yml and pyproject.toml ask for the same packages in the same ranges."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "playwright": "playwright-python"}
"""Names on conda-forge where they differ; matplotlib-base is matplotlib without a desktop toolkit, as from pip."""
CONDA_ONLY = {"python", "pip"}


def split_requirement(requirement: str) -> tuple[str, str]:
    """("pandas", ">=2.1") of "pandas>=2.1"."""
    name, bounds = re.fullmatch(r"([A-Za-z0-9._-]+)\s*(.*)", requirement).groups()
    return name.lower(), bounds.replace(" ", "")


@pytest.fixture(scope="module")
def pyproject() -> dict:
    tomllib = pytest.importorskip("tomllib", reason="reading pyproject.toml wants Python 3.11 or later")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def conda_packages(environment: dict) -> dict[str, str]:
    return dict(split_requirement(entry) for entry in environment["dependencies"] if isinstance(entry, str))


def test_packages_and_ranges_are_those_of_pyproject(pyproject: dict, conda_packages: dict[str, str]) -> None:
    required = dict(map(split_requirement, pyproject["dependencies"] + pyproject["optional-dependencies"]["test"]))
    expected = {CONDA_NAMES.get(name, name): bounds for name, bounds in required.items()}
    found = {name: bounds for name, bounds in conda_packages.items() if name not in CONDA_ONLY}
    assert found == expected


def test_python_is_the_one_of_pyproject(pyproject: dict, conda_packages: dict[str, str]) -> None:
    assert conda_packages["python"] == pyproject["requires-python"]


def test_the_course_is_installed_from_its_folder_by_pip(environment: dict) -> None:
    pip_parts = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip_parts == [["-e ."]]
    assert "pip" in environment["dependencies"]


def test_packages_come_from_conda_forge_alone(environment: dict) -> None:
    assert environment["channels"] == ["conda-forge", "nodefaults"]


IMPORT_NAMES = {"bs4": "beautifulsoup4", "pil": "pillow"}
"""Packages that are imported under another name."""


def imported_packages(path: Path) -> set[str]:
    """Top-level names that a module imports, wherever in the file, without its own package and the standard library."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
    own = {name.lower() for name in names - set(sys.stdlib_module_names) - {"course_lib"}}
    return {IMPORT_NAMES.get(name, name) for name in own}


def test_what_the_library_and_the_lessons_import_is_a_dependency_and_not_for_tests_only(pyproject: dict) -> None:
    declared = {name for name, _ in map(split_requirement, pyproject["dependencies"])}
    files = [*(ROOT / "course_lib").rglob("*.py"), *(ROOT / "notebooks").glob("*.py")]
    imported = {name for path in files for name in imported_packages(path)}
    assert imported >= {"nbconvert", "numpy", "pillow", "torch"}
    assert imported <= declared
