"""The map of lessons: each right of what it needs, with a link, and the same in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course_lib.teaching.idea_map import columns, describe, direct_needs, draw_map, idea_map
from course_lib.teaching.lessons import Lesson, find_lessons

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def lesson(stem: str, *needs: str) -> Lesson:
    return Lesson(f"Lesson {stem} & more", 1, 1, f"{stem}.ipynb", needs)


CHAIN = [lesson("a"), lesson("b", "a"), lesson("c", "a", "b"), lesson("d")]


def test_a_lesson_stands_right_of_all_that_it_needs() -> None:
    assert [[here.stem for here in column] for column in columns(CHAIN)] == [["a", "d"], ["b"], ["c"]]


def test_what_is_not_here_is_no_reason_to_wait() -> None:
    assert columns([lesson("b", "elsewhere")])[0][0].stem == "b"
    assert columns([]) == []


def test_a_need_that_follows_from_another_is_not_drawn() -> None:
    assert direct_needs(CHAIN[2], CHAIN) == ["b"]
    assert direct_needs(lesson("e", "a", "elsewhere"), CHAIN) == ["a"]


def test_a_ring_is_named() -> None:
    with pytest.raises(ValueError, match=r"in a ring: Lesson a & more, Lesson b & more\."):
        columns([lesson("a", "b"), lesson("b", "a"), lesson("c")])


def test_the_picture_links_each_lesson_and_draws_each_direct_need() -> None:
    svg = draw_map(CHAIN)
    assert re.findall(r'href="([^"]+)"', svg) == [f"{here.stem}.ipynb" for here in CHAIN]
    assert svg.count("<path") == 2  # that c builds on a follows from b
    assert "Lesson c &amp; more builds on Lesson a &amp; more and Lesson b &amp; more" in svg
    assert describe(CHAIN).endswith("Lesson d & more builds on no other lesson.")


def test_the_courses_own_lessons_need_lessons_that_exist_and_come_before() -> None:
    lessons = find_lessons(NOTEBOOKS)
    stems = [here.stem for here in lessons]
    for place, here in enumerate(lessons):
        assert set(here.needs) <= set(stems[:place]), here.stem
    assert any(here.needs for here in lessons)
    assert idea_map(NOTEBOOKS).data.count("<a href") == len(lessons)
