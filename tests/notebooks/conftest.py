"""The notebooks found on disk: `source` is each in turn, `lesson` each but the start page."""

from pathlib import Path

import pytest

from course_lib.authoring.notebooks import find_sources
from course_lib.teaching.lessons import START_PAGE

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="session")
def notebooks_folder() -> Path:
    return NOTEBOOKS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sources = find_sources(NOTEBOOKS)
    lessons = [source for source in sources if source.name != START_PAGE]
    for name, found in {"source": sources, "lesson": lessons}.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, found, ids=lambda path: path.stem)
