"""What holds for the source of every notebook: it fits the screen, knows its neighbours, and asks before it tells."""

import ast
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from nbformat import NotebookNode

from course_lib.authoring.generated_cells import GUARD, GUARD_TAG, NAVIGATION_TAG, refresh
from course_lib.authoring.notebooks import FOLDED_TAG, code_cells, has_tag
from course_lib.teaching.lessons import find_lessons
from course_lib.teaching.sources import find_sources, read_source, source_text

CODE_WIDTH = 88
"""Columns of code that a projector of 1280x720 shows beside the file list."""
PROSE_WIDTH = 120
FILTER = "notebook_metadata_filter"  # a setting of jupytext's in the header, which cannot be broken


def calls(cell: NotebookNode) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]


def called(cell: NotebookNode, name: str) -> list[ast.Call]:
    return [call for call in calls(cell) if getattr(call.func, "id", "") == name]


def test_code_fits_the_screen_and_prose_the_editor(source: Path) -> None:
    code = chain.from_iterable(cell.source.splitlines() for cell in code_cells(read_source(source)))
    assert [line for line in code if len(line) > CODE_WIDTH or "# noqa" in line] == []
    lines = source_text(source).splitlines()
    assert [line for line in lines if len(line) > PROSE_WIDTH and FILTER not in line] == []


def test_the_guard_is_the_first_code_cell_and_up_to_date(source: Path) -> None:
    first, *others = code_cells(read_source(source))
    assert has_tag(first, GUARD_TAG)
    assert has_tag(first, FOLDED_TAG)
    assert not any(has_tag(cell, GUARD_TAG) for cell in others)
    assert refresh(source) == source_text(source)


def test_without_the_library_the_guard_says_in_a_sentence_what_to_install() -> None:
    isolated = [sys.executable, "-I", "-S", "-c", GUARD]  # neither installed packages nor this folder
    finished = subprocess.run(isolated, capture_output=True, text=True)
    assert finished.returncode == 1
    sentence = finished.stderr.splitlines()[-1]
    assert f"run `{sys.executable} -m pip install -e .`" in sentence
    shown = GUARD.replace("raise CourseMissingError(", "print(*CourseMissingError(").replace(
        '`make lab`."\n    )', '`make lab`."\n    )._render_traceback_())'
    )
    alone = subprocess.run([*isolated[:-1], shown], capture_output=True, text=True, check=True)
    assert sentence.endswith(alone.stdout.strip())


def test_each_lesson_ends_with_links_to_its_neighbours(notebooks_folder: Path) -> None:
    lessons = find_lessons(notebooks_folder)
    for number, lesson in enumerate(lessons):
        last = read_source((notebooks_folder / lesson.notebook).with_suffix(".py")).cells[-1]
        assert has_tag(last, NAVIGATION_TAG)
        assert "(00_start.ipynb)" in last.source
        for other in lessons:
            is_neighbour = abs(lessons.index(other) - number) == 1
            assert (f"[{other.title}]({other.notebook})" in last.source) == is_neighbour


def test_the_source_of_a_quiz_is_folded_and_its_answer_too(lesson: Path) -> None:
    cells = code_cells(read_source(lesson))
    places = [place for place, cell in enumerate(cells) if called(cell, "Quiz")]
    assert places
    for place in places:
        assert has_tag(cells[place], FOLDED_TAG)
    telling = sum(bool(called(cell, "fold_answer")) for cell in cells)
    assert telling > 0


def test_what_is_kept_of_a_student_has_a_name_of_its_own(notebooks_folder: Path) -> None:
    """Quizzes and exercises of all lessons stand in one progress file."""
    names: list[tuple[str, str]] = []
    for cell in chain.from_iterable(code_cells(read_source(source)) for source in find_sources(notebooks_folder)):
        names += [("quiz", ast.literal_eval(call.args[0])) for call in called(cell, "Quiz")]
        for kind in ("check_function", "check_value"):
            options = chain.from_iterable(call.keywords for call in called(cell, kind))
            names += [("exercise", ast.literal_eval(option.value)) for option in options if option.arg == "name"]
    assert names
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_second_part_stands_behind_the_first_and_is_hidden_like_it(tmp_path: Path, notebooks_folder: Path) -> None:
    """A lesson's further part has a letter after its number, which every list and the file browser must know."""
    names = ["00_start.py", "07_topic.py", "07b_part.py", "08_next.py"]
    for name in [*names, "ruff.py", "7_topic.py"]:
        (tmp_path / name).touch()
    assert [source.name for source in find_sources(tmp_path)] == names
    makefile = (notebooks_folder.parent / "Makefile").read_text(encoding="utf-8")
    hidden = next(line for line in makefile.splitlines() if line.startswith("HIDDEN := ")).split()
    for name in [*names, *(source.name for source in find_sources(notebooks_folder))]:
        assert any(fnmatch(name, pattern) for pattern in hidden), name
