"""The course installed from its wheel, without its repository: data, explorers, lessons and the command line."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import jupytext
import pytest
from installed_course import install, make_wheel, run

ROOT = Path(__file__).parents[2]
FIRST_CELLS = 3  # of each lesson: its imports, and what it does first

pytestmark = pytest.mark.slow

# Reading the repository is refused, so that nothing is found there by accident.
PREAMBLE = f"""
import os, sys
REFUSED = tuple(os.path.join({str(ROOT)!r}, name) for name in ("course_lib", "data", "notebooks"))

def refuse(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], (str, os.PathLike)):
        if os.path.abspath(arguments[0]).startswith(REFUSED):
            raise RuntimeError(f"{{event}} of {{arguments[0]}}")

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("target"))


@pytest.fixture
def run_installed(target: Path, tmp_path: Path):
    """Runs Python code from elsewhere with the installed course_lib; gives what it prints."""

    def run_code(code: str) -> str:
        script = tmp_path / "script.py"
        script.write_text(PREAMBLE + code, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(target), "MPLBACKEND": "agg", "HOME": str(tmp_path)}
        return run(sys.executable, str(script), cwd=tmp_path, env=environment)

    return run_code


def test_the_wheel_holds_the_data_that_the_library_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix("course_lib/_data/") for name in archive.namelist() if "/_data/" in name}
    images = {f"fashion_mnist/{file.name}" for file in (ROOT / "data" / "fashion_mnist").iterdir()}
    records = {f"runs/{file.name}" for file in (ROOT / "data" / "runs").glob("*.json")}
    assert packed == images | records
    assert len(records) >= 10


def test_images_records_and_command_line_work_without_the_repository(run_installed, target: Path) -> None:
    printed = run_installed("""
import runpy
import course_lib
from course_lib import datasets, reporting
from course_lib.reporting.records import FOLDER, load_record

print(course_lib.__file__)
print(datasets.load("fashion_mnist"))
print(sum(len(load_record(path.stem).rows) > 0 for path in FOLDER.glob("*.json")), "records in", FOLDER)
sys.argv = ["course_lib", "models"]
runpy.run_module("course_lib", run_name="__main__")
""")
    file, images, records, *models = printed.splitlines()
    assert Path(file) == target / "course_lib" / "__init__.py"
    assert images.startswith("ImageData(fashion_mnist: 10,000 training and 2,000 test images")
    assert records.endswith(f"records in {target / 'course_lib' / '_data' / 'runs'}")
    assert int(records.split()[0]) == len(list((ROOT / "data" / "runs").glob("*.json")))
    assert any("googlenet" in line for line in models)


def test_every_explorer_shows_its_picture_without_the_repository(run_installed) -> None:
    printed = run_installed("""
from course_lib import explorers

names = [name for name in explorers.__all__ if name.endswith("Explorer")]
for name in names:
    explorer = getattr(explorers, name)()
    assert "<img" in explorer.picture, name
print(len(names))
""")
    assert int(printed) >= 5


def test_the_first_cells_of_every_lesson_run_without_the_repository(run_installed, target: Path) -> None:
    lessons = sorted((ROOT / "notebooks").glob("0[1-9]_*.py"))
    assert len(lessons) >= 5
    cells = {}
    for lesson in lessons:
        code = [cell.source for cell in jupytext.read(lesson).cells if cell.cell_type == "code"]
        cells[lesson.stem] = code[:FIRST_CELLS]
    printed = run_installed(f"""
for lesson, cells in {cells!r}.items():
    names = {{"__name__": "__main__"}}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"{{lesson}} cell {{number}}", "exec"), names)
ours = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "course_lib"]
print(all(file.startswith({str(target)!r}) for file in ours), len(ours))
""")
    assert printed.splitlines()[-1].startswith("True ")
