"""The lecturer's guide, made from the notebooks as they are: each lesson has a plan and questions."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from course_lib.authoring.guide import Guide, build, guide_page, read_guide
from course_lib.authoring.reading_time import minutes_of_exercises
from course_lib.teaching.lessons import find_lessons, read_lesson
from course_lib.teaching.sources import read_notebook

HOUR = (45, 75)
"""Minutes that a plan of a lecture hour may add up to."""


@pytest.fixture
def guide(lesson: Path) -> Guide:
    return read_guide(read_lesson(lesson), read_notebook(lesson.with_suffix(".ipynb")))


def test_each_lesson_has_a_plan_of_about_an_hour(guide: Guide) -> None:
    assert len(guide.plan) >= 3
    assert HOUR[0] <= sum(minutes for _, minutes in guide.plan) <= HOUR[1]


def test_each_lesson_has_questions_with_wrong_answers_and_what_each_tells(guide: Guide) -> None:
    assert len(guide.questions) == len(guide.lesson.quizzes) >= 1
    for question in guide.questions:
        assert [answer.correct for answer in question.answers].count(False) >= 1
        assert all(answer.text and answer.reason for answer in question.answers)
    page = BeautifulSoup(guide_page(guide), "html.parser").get_text()
    assert all(answer.reason in page for question in guide.questions for answer in question.answers)


def test_each_exercise_stands_with_its_minutes(guide: Guide, lesson: Path) -> None:
    assert len(guide.exercises) == len(guide.lesson.exercises)
    notebook = read_notebook(lesson.with_suffix(".ipynb"))
    assert sum(minutes for *_, minutes in guide.exercises) == minutes_of_exercises(notebook)


def test_the_guide_has_a_page_a_lesson_that_asks_for_no_other_file(notebooks_folder: Path, tmp_path: Path) -> None:
    build(notebooks_folder, tmp_path / "guide")
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "guide").iterdir()}
    assert set(pages) == {"index.html"} | {f"{lesson.stem}.html" for lesson in find_lessons(notebooks_folder)}
    links = {link["href"] for link in BeautifulSoup(pages["index.html"], "html.parser").select("a")}
    assert links == set(pages) - {"index.html"}
    for page in pages.values():
        assert BeautifulSoup(page, "html.parser").select("script, img, link:not([href^='data:'])") == []
